import type { KcpEnd } from "./kcp-end.ts";
import { Random } from "./random.ts";

/** What limits two hosts that are joined by a link faster than themselves. */
export interface HostOptions {
  /** Time that one datagram costs the host, received or sent, and one turn of its loop. */
  receiveUs: number;
  sendUs: number;
  turnUs: number;
  /** Datagrams handled in one turn at most, and datagrams that the socket holds. */
  batch: number;
  socketDatagrams: number;
  /** Both hosts are threads of one core. */
  sharedCore?: boolean;
  /** Now and then a host stands still: once in so many turns, for so long. */
  stall?: { turns: number; us: number };
  linkUs: number;
  loss?: number;
}

interface Host {
  end: KcpEnd;
  socket: { atUs: number; bytes: Uint8Array }[];
  freeUs: number;
  busyUs: number;
}

/**
 * A path whose only bottleneck is the processor: datagrams wait in sockets while a host is busy with its turn, which
 * begins with what has arrived and ends with what that allowed to be sent.
 */
export class BusyHosts {
  nowUs = 0;
  overflowed = 0;
  readonly #o: HostOptions;
  readonly #random: Random;
  readonly #hosts: Host[];

  constructor(a: KcpEnd, b: KcpEnd, options: HostOptions, seed: number) {
    this.#o = options;
    this.#random = new Random(seed);
    this.#hosts = [a, b].map((end) => ({ end, socket: [], freeUs: 0, busyUs: 0 }));
  }

  run(untilMs: number): void {
    const [a, b] = this.#hosts;
    this.#turn(a!, b!);
    while (this.nowUs < untilMs * 1000) {
      let host = a!;
      let atUs = Infinity;
      for (const candidate of [a!, b!]) {
        const arrival = candidate.socket[0]?.atUs ?? Infinity;
        const due = Math.max(candidate.freeUs, Math.min(arrival, candidate.end.nextTimeout * 1000));
        if (due < atUs) {
          atUs = due;
          host = candidate;
        }
      }
      if (atUs > untilMs * 1000) break;
      this.nowUs = Math.max(this.nowUs, atUs);
      this.#turn(host, host === a ? b! : a!);
    }
    this.nowUs = untilMs * 1000;
  }

  #turn(host: Host, peer: Host): void {
    const o = this.#o;
    const startUs = this.nowUs;
    let cost = o.turnUs;
    let handled = 0;
    // The whole batch is seen at the moment the turn begins: that is what the host's clock says.
    while (handled < o.batch && host.socket.length > 0 && host.socket[0]!.atUs <= startUs) {
      host.end.handle(host.socket.shift()!.bytes, startUs / 1000);
      handled++;
    }
    cost += handled * o.receiveUs;
    const out: Uint8Array[] = [];
    host.end.step(startUs / 1000, (bytes) => out.push(bytes));
    cost += out.length * o.sendUs;
    if (o.stall && this.#random.chance(1 / o.stall.turns)) cost += o.stall.us;
    host.busyUs += cost;
    host.freeUs = startUs + cost;
    if (o.sharedCore) peer.freeUs = Math.max(peer.freeUs, host.freeUs);
    for (const bytes of out) {
      if (this.#random.chance(o.loss ?? 0)) continue;
      if (peer.socket.length >= o.socketDatagrams) {
        this.overflowed++;
        continue;
      }
      peer.socket.push({ atUs: host.freeUs + o.linkUs, bytes });
    }
  }

  busyShare(end: number): number {
    return this.#hosts[end]!.busyUs / this.nowUs;
  }
}
