/** A network in memory for RPC endpoints, on a virtual clock: latency, loss, duplication, reordering, all from one seed. */
import { RpcEndpoint } from "../../../router-daemon/src/mesh/rpc/endpoint.ts";
import { seededRandom } from "../../random.ts";

/** Whatever has timers. */
export interface Timed {
  readonly nextTimeout: number;
  handleTimeout(now: number): void;
}

export interface SentPacket {
  readonly from: number;
  readonly to: number;
  readonly packetType: number;
  readonly bytes: Uint8Array;
}

interface Delivery {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class RpcNetwork {
  now = 1_000;
  readonly random: () => number;
  /** Probability that a packet is lost, 0..1. */
  loss = 0;
  /** Probability that it comes twice. */
  duplication = 0;
  latencyMs = 5;
  /** Added uniformly to the latency: reorders. */
  jitterMs = 0;
  /** Decides whether packets get from one node to the other; all do by default. */
  connected: (from: number, to: number) => boolean = () => true;
  /** Everything that was handed to `send`, lost or not. */
  readonly sent: SentPacket[] = [];
  readonly #endpoints = new Map<number, RpcEndpoint>();
  readonly #timed = new Set<Timed>();
  #deliveries: Delivery[] = [];
  #order = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  addEndpoint(localPeerId: number, networkName = "testnet"): RpcEndpoint {
    const endpoint = new RpcEndpoint({
      localPeerId,
      networkName,
      random: this.random,
      send: (to, packetType, bytes) =>
        this.#send({ from: localPeerId, to, packetType, bytes: bytes.slice() }),
    });
    this.#endpoints.set(localPeerId, endpoint);
    this.addTimed(endpoint);
    return endpoint;
  }

  removeEndpoint(localPeerId: number): void {
    const endpoint = this.#endpoints.get(localPeerId);
    this.#endpoints.delete(localPeerId);
    if (endpoint !== undefined) this.#timed.delete(endpoint);
  }

  addTimed(timed: Timed): void {
    this.#timed.add(timed);
  }

  removeTimed(timed: Timed): void {
    this.#timed.delete(timed);
  }

  at(time: number, run: () => void): void {
    this.#deliveries.push({ at: time, order: this.#order++, run });
  }

  /** Lets the virtual time pass. */
  run(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (let steps = 0; ; steps++) {
      if (steps > 1_000_000) throw new Error("The network does not come to rest.");
      const delivery = this.#firstDelivery();
      let next = delivery?.at ?? Number.POSITIVE_INFINITY;
      for (const timed of this.#timed) next = Math.min(next, timed.nextTimeout);
      if (next > end) break;
      this.now = Math.max(this.now, next);
      if (delivery !== undefined && delivery.at <= this.now) {
        this.#deliveries.splice(this.#deliveries.indexOf(delivery), 1);
        delivery.run();
      }
      for (const timed of [...this.#timed]) {
        if (timed.nextTimeout <= this.now) {
          timed.handleTimeout(this.now);
          if (timed.nextTimeout <= this.now) {
            // Everything due was done; being due again at once would be a busy loop.
            throw new Error(`${timed.constructor.name} is due again at ${timed.nextTimeout} <= ${this.now}.`);
          }
        }
      }
    }
    this.now = end;
  }

  #firstDelivery(): Delivery | undefined {
    let first: Delivery | undefined;
    for (const delivery of this.#deliveries) {
      if (
        first === undefined ||
        delivery.at < first.at ||
        (delivery.at === first.at && delivery.order < first.order)
      ) {
        first = delivery;
      }
    }
    return first;
  }

  #send(packet: SentPacket): void {
    this.sent.push(packet);
    const copies = this.#chance(this.duplication) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.#chance(this.loss) || !this.connected(packet.from, packet.to)) continue;
      this.at(this.now + this.latencyMs + (this.jitterMs * this.random()) / 2 ** 32, () => {
        this.#endpoints.get(packet.to)?.handlePacket(packet.packetType, packet.from, packet.bytes, this.now);
      });
    }
  }

  #chance(probability: number): boolean {
    return probability > 0 && this.random() / 2 ** 32 < probability;
  }
}
