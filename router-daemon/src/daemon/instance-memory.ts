/** Peers whose restart is recognised. */
export const MAX_INSTANCES = 1024;

/** Which peer id an installation had last: a restarted peer's connections are ended at once. */
export class InstanceMemory {
  readonly #peerIds = new Map<string, number>();

  /** Notes the id; returns the one that the same installation had before, or undefined. */
  note(instanceId: string, peerId: number): number | undefined {
    if (instanceId === "") return undefined;
    const before = this.#peerIds.get(instanceId);
    // Seen last stands last.
    this.#peerIds.delete(instanceId);
    this.#peerIds.set(instanceId, peerId);
    if (this.#peerIds.size > MAX_INSTANCES) this.#forgetOldest();
    return before === peerId ? undefined : before;
  }

  #forgetOldest(): void {
    for (const oldest of this.#peerIds.keys()) {
      this.#peerIds.delete(oldest);
      return;
    }
  }
}
