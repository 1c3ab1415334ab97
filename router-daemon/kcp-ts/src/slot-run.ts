/**
 * A run of slots with payload, in words:
 *
 * ```
 *   slot, offset of the payload in the arena, its length, ts │ slot, offset, length, ts │ …
 * ```
 *
 * `ts` is of the segment that brought the payload, and means something to `Kcp.handleRun` only. A run for it begins with a head,
 * as long as an entry: what its segments have in common.
 */
export const RUN_SHIFT = 2;
export const RUN_WORDS = 1 << RUN_SHIFT;
export const RunEntry = { slot: 0, offset: 1, length: 2, ts: 3 } as const;
/** Number of the first segment, `una` and `wnd` of all, payload bytes of all. */
export const RunHead = { sn: 0, una: 1, window: 2, bytes: 3 } as const;
