import { AgeList } from "./age-list.ts";
import type { TcpFlow } from "./flow.ts";

/**
 * Who must go when too many SYNs are held: the oldest of the client that holds most. If that is the newcomer's own client,
 * the newcomer is not held at all: a client that floods takes no place from others, its surplus travels as plain IP.
 */
export class HeldSyns {
  readonly #ages: AgeList;
  readonly #flows: readonly (TcpFlow | undefined)[];
  readonly #max: number;
  #count = 0;

  constructor(max: number, maxFlows: number, flows: readonly (TcpFlow | undefined)[]) {
    this.#max = max;
    this.#ages = new AgeList(maxFlows);
    this.#flows = flows;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count >= this.#max;
  }

  add(id: number): void {
    this.#ages.add(id);
    this.#count++;
  }

  remove(id: number): void {
    this.#ages.remove(id);
    this.#count--;
  }

  /** Which flow makes room for a SYN of `client`, or undefined = the SYN itself is the one too many. */
  victimFor(client: number): TcpFlow | undefined {
    const counts = new Map<number, number>();
    for (let id = this.#ages.oldest; id >= 0; id = this.#ages.after(id)) {
      const holder = this.#flows[id]!.client;
      counts.set(holder, (counts.get(holder) ?? 0) + 1);
    }
    let most = client;
    for (const [holder, count] of counts) {
      if (count > (counts.get(most) ?? 0) + (most === client ? 1 : 0)) most = holder;
    }
    if (most === client) return undefined;
    for (let id = this.#ages.oldest; id >= 0; id = this.#ages.after(id)) {
      if (this.#flows[id]!.client === most) return this.#flows[id];
    }
    return undefined;
  }
}
