import { TupleTable } from "../tcp/tuple-table.ts";
import type { FlowKey } from "../tcp/types.ts";
import type { Entry, EntryTable } from "./entry.ts";
import type { Decision } from "./policy.ts";
import type { ReasonCode } from "./reason.ts";

/** Plain TCP connections that are listed at once; beyond it the one silent for longest is forgotten. */
export const MAX_PLAIN_FLOWS = 2048;
/** A plain connection that is silent for so long is taken as over. */
export const PLAIN_IDLE_MS = 300_000;
/** The same before its first answer. */
export const PLAIN_SYN_IDLE_MS = 30_000;
/** How often silent ones are looked for. */
const SWEEP_PERIOD_MS = 5000;

const FIN = 0x01;
const RST = 0x04;

/**
 * The rows of TCP connections that cross as plain packets: who, why, how much. The packets themselves do not depend on it;
 * connections that were open before the daemon started are not listed.
 */
export class PlainFlows {
  readonly #entries: EntryTable;
  readonly #map: TupleTable;
  readonly #rows: (Entry | undefined)[] = [];
  readonly #seenAt = new Float64Array(MAX_PLAIN_FLOWS);
  /** 1 = client's FIN seen, 2 = target's. */
  readonly #ends = new Uint8Array(MAX_PLAIN_FLOWS);
  #sweepAt = Number.POSITIVE_INFINITY;

  /** `seed` is random: see `TupleTable`. */
  constructor(entries: EntryTable, seed: number) {
    this.#entries = entries;
    this.#map = new TupleTable(MAX_PLAIN_FLOWS, seed);
  }

  get count(): number {
    return this.#map.size;
  }

  /** A SYN that goes the plain way. A repeated SYN of a listed connection changes nothing. */
  open(key: FlowKey, decision: Decision, now: number): void {
    const { clientAddress, clientPort, targetAddress, targetPort } = key;
    const known = this.#map.find(clientAddress | 0, targetAddress | 0, portPair(clientPort, targetPort));
    if (known >= 0) {
      this.#seenAt[known] = now;
      return;
    }
    const entry = this.#entries.open(
      {
        role: "source",
        sourceIp: clientAddress,
        sourcePort: clientPort,
        destinationIp: targetAddress,
        destinationPort: targetPort,
        peerId: decision.peerId,
      },
      "tcp",
      decision.reason,
      now,
    );
    this.#insert(key, entry, now);
  }

  /** A connection that was to be carried goes on as a plain one, in the same row. */
  adopt(key: FlowKey, entry: Entry, reason: ReasonCode, now: number): void {
    entry.transport = "tcp";
    entry.reason = reason;
    entry.state = "SynReceived";
    entry.carrier = undefined;
    entry.close = undefined;
    const known = this.#map.find(
      key.clientAddress | 0,
      key.targetAddress | 0,
      portPair(key.clientPort, key.targetPort),
    );
    if (known >= 0) this.#forget(known, "finished", now);
    this.#insert(key, entry, now);
  }

  /** A plain TCP segment of the client: `tcpFlags` of its header, `payload` bytes. */
  handleUp(
    clientIp: number,
    clientPort: number,
    targetIp: number,
    targetPort: number,
    tcpFlags: number,
    payload: number,
    now: number,
  ): void {
    const index = this.#map.find(clientIp | 0, targetIp | 0, portPair(clientPort, targetPort));
    if (index < 0) return;
    this.#rows[index]!.upBytes += payload;
    this.#note(index, tcpFlags, 1, now);
  }

  /** A plain TCP segment to the client. */
  handleDown(
    targetIp: number,
    targetPort: number,
    clientIp: number,
    clientPort: number,
    tcpFlags: number,
    payload: number,
    now: number,
  ): void {
    const index = this.#map.find(clientIp | 0, targetIp | 0, portPair(clientPort, targetPort));
    if (index < 0) return;
    const entry = this.#rows[index]!;
    entry.downBytes += payload;
    if (entry.state === "SynReceived" && (tcpFlags & RST) === 0) entry.state = "Connected";
    this.#note(index, tcpFlags, 2, now);
  }

  handleTimeout(now: number): void {
    if (now < this.#sweepAt) return;
    this.#sweepAt = now + SWEEP_PERIOD_MS;
    for (let index = 0; index < this.#rows.length; index++) {
      const entry = this.#rows[index];
      if (entry === undefined) continue;
      const idle = now - this.#seenAt[index]!;
      if (idle > (entry.state === "SynReceived" ? PLAIN_SYN_IDLE_MS : PLAIN_IDLE_MS))
        this.#forget(index, "finished", now);
    }
    if (this.#map.size === 0) this.#sweepAt = Number.POSITIVE_INFINITY;
  }

  get nextTimeout(): number {
    return this.#sweepAt;
  }

  #insert(key: FlowKey, entry: Entry, now: number): void {
    if (this.#map.size === MAX_PLAIN_FLOWS) this.#forget(this.#silentLongest(), "finished", now);
    const index = this.#map.insert(
      key.clientAddress | 0,
      key.targetAddress | 0,
      portPair(key.clientPort, key.targetPort),
    );
    this.#rows[index] = entry;
    this.#seenAt[index] = now;
    this.#ends[index] = 0;
    if (this.#sweepAt === Number.POSITIVE_INFINITY) this.#sweepAt = now + SWEEP_PERIOD_MS;
  }

  #note(index: number, tcpFlags: number, side: 1 | 2, now: number): void {
    this.#seenAt[index] = now;
    if ((tcpFlags & (FIN | RST)) === 0) return;
    const entry = this.#rows[index]!;
    if ((tcpFlags & RST) !== 0) {
      this.#forget(
        index,
        side === 1 ? "client_reset" : entry.state === "SynReceived" ? "destination_refused" : "service_reset",
        now,
      );
      return;
    }
    this.#ends[index]! |= side;
    if (this.#ends[index] === 3) this.#forget(index, "finished", now);
    else entry.state = side === 1 ? "ClosingDst" : "ClosingSrc";
  }

  #forget(index: number, reason: ReasonCode, now: number): void {
    const entry = this.#rows[index]!;
    this.#rows[index] = undefined;
    this.#map.remove(index);
    this.#entries.end(entry, reason, now);
  }

  #silentLongest(): number {
    let longest = 0;
    for (let index = 1; index < this.#rows.length; index++) {
      if (this.#seenAt[index]! < this.#seenAt[longest]!) longest = index;
    }
    return longest;
  }
}

/** Both ports as the key of the table has them. */
function portPair(clientPort: number, targetPort: number): number {
  return (clientPort << 16) | targetPort;
}
