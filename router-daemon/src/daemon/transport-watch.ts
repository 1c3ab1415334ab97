import type { PeerRow } from "../api/rows.ts";
import { quoted } from "../mesh/event.ts";

/** How often is looked. */
export const TRANSPORT_WATCH_MS = 2000;

/** Notices when TCP to a peer would from now on cross the network another way: flags, rules, relays and failures decide anew. */
export class TransportWatch {
  readonly #peers: () => readonly PeerRow[];
  readonly #tell: (message: string) => void;
  #last = new Map<number, string>();
  #lookAt = 0;

  constructor(peers: () => readonly PeerRow[], tell: (message: string) => void) {
    this.#peers = peers;
    this.#tell = tell;
  }

  get nextTimeout(): number {
    return this.#lookAt;
  }

  handleTimeout(now: number): void {
    if (now < this.#lookAt) return;
    this.#lookAt = now + TRANSPORT_WATCH_MS;
    const seen = new Map<number, string>();
    for (const { peerId, hostname, pathLength, choice } of this.#peers()) {
      // That a peer came or left is told by others.
      if (pathLength === 0) continue;
      seen.set(peerId, choice.transport);
      const before = this.#last.get(peerId);
      if (before === undefined || before === choice.transport) continue;
      const name = hostname === "" ? `peer ${peerId}` : quoted(hostname);
      this.#tell(`TCP to ${name} goes over ${choice.transport} now: ${choice.reasonText}`);
    }
    this.#last = seen;
  }
}
