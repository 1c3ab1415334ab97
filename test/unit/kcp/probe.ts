import { encodeSegment, FixedSlotPool, type Segment } from "kcp-ts";
import { KcpEndpoint, type KcpLimits, type KcpRole } from "../../../router-daemon/src/kcp/index.ts";
import {
  KCP_HEADER_BYTES,
  readConv,
  readDestinationId,
  readFlags,
  readSourceId,
  writeKcpHeader,
} from "../../../router-daemon/src/kcp/packet.ts";
import { RECEIVE_AT } from "./side.ts";

export interface Packet {
  readonly conv: number;
  readonly sourceId: number;
  readonly destinationId: number;
  readonly flags: number;
  readonly body: Uint8Array;
}

export function encodePacket(packet: Packet): Uint8Array {
  const bytes = new Uint8Array(KCP_HEADER_BYTES + packet.body.length);
  writeKcpHeader(bytes, 0, packet.conv, packet.sourceId, packet.destinationId, packet.flags);
  bytes.set(packet.body, KCP_HEADER_BYTES);
  return bytes;
}

export function decodePacket(bytes: Uint8Array): Packet {
  return {
    conv: readConv(bytes, 0),
    sourceId: readSourceId(bytes, 0),
    destinationId: readDestinationId(bytes, 0),
    flags: readFlags(bytes, 0),
    body: bytes.slice(KCP_HEADER_BYTES),
  };
}

export const EMPTY = new Uint8Array(0);

/** One endpoint, packets put in and taken out by hand. */
export class Probe {
  readonly pool: FixedSlotPool;
  readonly endpoint: KcpEndpoint<string>;
  readonly localId: number;
  readonly peerId: number;
  readonly role: KcpRole;
  now = 0;

  constructor(
    role: KcpRole,
    limits: Partial<KcpLimits> = {},
    localId = 71,
    peerId = 72,
    random: (bytes: Uint8Array) => void = () => {},
  ) {
    this.pool = new FixedSlotPool(2048);
    this.role = role;
    this.localId = localId;
    this.peerId = peerId;
    this.endpoint = new KcpEndpoint({
      role,
      localPeerId: localId,
      pool: this.pool,
      random,
      limits,
    });
  }

  /** Hands raw bytes in; true = the slot was taken. */
  raw(bytes: Uint8Array, fromPeerId = this.peerId): boolean {
    const slot = this.pool.alloc();
    if (slot < 0) throw new Error("The pool is empty.");
    const offset = slot * this.pool.slotBytes + RECEIVE_AT;
    this.pool.bytes.set(bytes, offset);
    const isTaken = this.endpoint.handlePacket(fromPeerId, slot, offset, bytes.length, this.now);
    if (!isTaken) this.pool.free(slot);
    return isTaken;
  }

  /** Hands a packet of this endpoint's peer in. */
  put(conv: number, flags: number, body: Uint8Array = EMPTY, peerId = this.peerId): boolean {
    const isSource = this.role === "source";
    const sourceId = isSource ? this.localId : peerId;
    const destinationId = isSource ? peerId : this.localId;
    return this.raw(encodePacket({ conv, sourceId, destinationId, flags, body }), peerId);
  }

  putSegment(conv: number, segment: Partial<Segment>): boolean {
    const full = { conv, cmd: 81, frg: 0, wnd: 1024, ts: 0, sn: 0, una: 0, data: EMPTY, ...segment };
    return this.put(conv, 0x0a, encodeSegment(full));
  }

  /** What leaves now. */
  take(): Packet[] {
    const taken: Packet[] = [];
    for (let turns = 0; turns < 100; turns++) {
      this.endpoint.poll(this.now, {
        packet: (_peerId, offset, length) => {
          taken.push(decodePacket(this.pool.bytes.subarray(offset, offset + length)));
          return true;
        },
      });
      if (this.endpoint.nextTimeout > this.now) break;
    }
    return taken;
  }

  /** Lets time pass in small steps; what leaves meanwhile. */
  pass(ms: number): Packet[] {
    const until = this.now + ms;
    const taken: Packet[] = [];
    for (;;) {
      taken.push(...this.take());
      const next = this.endpoint.nextTimeout;
      if (next > until) break;
      this.now = Math.max(this.now, next);
    }
    this.now = until;
    taken.push(...this.take());
    return taken;
  }

  dispose(): void {
    this.endpoint.dispose(this.now);
    while (this.endpoint.pollReady() !== undefined);
  }
}
