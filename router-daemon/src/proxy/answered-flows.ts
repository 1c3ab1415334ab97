import { AgeList } from "../tcp/age-list.ts";
import { TupleTable } from "../tcp/tuple-table.ts";

/** UDP flows that are remembered; the one silent for longest makes room. */
export const MAX_ANSWERED_FLOWS = 1024;

/** Who sent the first datagram of a flow. */
const FROM_PEER = 1;
const FROM_HERE = 2;

/** UDP flows between peers and here, so that what answers a peer's datagram is known from what asks. */
export class AnsweredFlows {
  readonly #table: TupleTable;
  readonly #ages = new AgeList(MAX_ANSWERED_FLOWS);
  readonly #began = new Uint8Array(MAX_ANSWERED_FLOWS);

  /** `seed` is random: see `TupleTable`. */
  constructor(seed: number) {
    this.#table = new TupleTable(MAX_ANSWERED_FLOWS, seed);
  }

  get size(): number {
    return this.#table.size;
  }

  /** A datagram from a peer's side has come. */
  handleReceived(remoteIp: number, remotePort: number, localIp: number, localPort: number): void {
    this.#touch(remoteIp, remotePort, localIp, localPort, FROM_PEER);
  }

  /** A datagram leaves for a peer's side. True = it belongs to a flow that the peer's side began. */
  handleSent(remoteIp: number, remotePort: number, localIp: number, localPort: number): boolean {
    return this.#touch(remoteIp, remotePort, localIp, localPort, FROM_HERE) === FROM_PEER;
  }

  #touch(remoteIp: number, remotePort: number, localIp: number, localPort: number, sender: number): number {
    const ports = (remotePort << 16) | localPort;
    let id = this.#table.find(remoteIp | 0, localIp | 0, ports);
    if (id >= 0) {
      this.#ages.remove(id);
    } else {
      if (this.#table.size === MAX_ANSWERED_FLOWS) {
        const oldest = this.#ages.oldest;
        this.#ages.remove(oldest);
        this.#table.remove(oldest);
      }
      id = this.#table.insert(remoteIp | 0, localIp | 0, ports);
      this.#began[id] = sender;
    }
    this.#ages.add(id);
    return this.#began[id]!;
  }
}
