/** Words of one entry in a run of slots: slot, offset of its payload in the arena, length of the payload, and one of the run's own. */
export const RUN_SHIFT = 2;
export const RUN_WORDS = 1 << RUN_SHIFT;
export const RunEntry = { slot: 0, offset: 1, length: 2 } as const;
