/**
 * A stock node made of recorded frames (vectors/captures.json): it answers our SYN and handshake, our pings, and our requests
 * with the answers that were recorded, and sends its own recorded frames when told to. Ids are rewritten where ours differ.
 */
import { decode } from "../../../router-daemon/src/wire/messages/decode.ts";
import { encode } from "../../../router-daemon/src/wire/messages/encode.ts";
import { RpcPacket } from "../../../router-daemon/src/wire/messages/gen/messages.ts";
import {
  concat,
  type Datagram,
  type FakeHost,
  type FakeNetwork,
  fromHex,
  open,
  seal,
} from "./fake-underlay.ts";

export interface Frame {
  readonly dir: "in" | "out";
  readonly what: string;
  readonly hex: string;
  readonly udp?: { readonly conn_id: number; readonly msg_type: number };
  readonly header?: {
    readonly from_peer_id: number;
    readonly to_peer_id: number;
    readonly packet_type: number;
    readonly flags: number;
  };
  readonly payload_decrypted?: string;
  readonly payload_decompressed?: string;
  readonly seq?: number;
  readonly [name: string]: unknown;
}
export interface Session {
  readonly name: string;
  readonly link: string;
  readonly frames: readonly Frame[];
}

export class StockReplay implements FakeHost {
  readonly nextTimeout = Number.POSITIVE_INFINITY;
  /** Packets our node sent after the handshake, in clear text. */
  readonly received: { type: number; packet: Uint8Array; payload: Uint8Array }[] = [];
  readonly #network: FakeNetwork;
  readonly #address: string;
  readonly #session: Session;
  readonly #key: Uint8Array;
  #peer: { address: string; port: number; connId: Uint8Array; peerId: number } | undefined;

  constructor(network: FakeNetwork, address: string, session: Session, key: string) {
    this.#network = network;
    this.#address = address;
    this.#session = session;
    this.#key = fromHex(key);
    network.hosts.set(address, this);
  }

  handleTimeout(): void {}

  /** The recorded packet (peer header first) of a frame. */
  static packet(frame: Frame): Uint8Array {
    return fromHex(frame.hex).subarray(frame.udp === undefined ? 4 : 8);
  }

  /** Sends every recorded frame of the stock node that the filter takes, in order. */
  play(filter: (frame: Frame) => boolean): number {
    let count = 0;
    for (const frame of this.#session.frames) {
      if (frame.dir !== "in" || frame.header === undefined || !filter(frame)) continue;
      this.#send(this.#addressed(StockReplay.packet(frame)));
      count++;
    }
    return count;
  }

  deliver({ from, fromPort, bytes }: Datagram): void {
    const connId = bytes.slice(0, 4);
    if (bytes[4] === 1) {
      this.#peer = { address: from, port: fromPort, connId, peerId: 0 };
      const sack = bytes.slice();
      sack[4] = 2;
      this.#sendDatagram(sack);
      return;
    }
    const packet = bytes.subarray(8);
    const type = packet[8]!;
    if (type === 2) {
      if (this.#peer !== undefined) this.#peer.peerId = u32(packet, 0);
      this.#send(StockReplay.packet(this.#find((frame) => frame.header?.packet_type === 2)));
      return;
    }
    const payload = (packet[9]! & 1) !== 0 ? open(this.#key, packet.subarray(16)) : packet.slice(16);
    if (payload === undefined) throw new Error("Our node sent what the network's key does not open.");
    this.received.push({ type, packet: packet.slice(), payload });
    if (type === 4) {
      const pong = packet.slice();
      pong[8] = 5;
      this.#send(pong);
    } else if (type === 8) this.#answer(payload);
  }

  /** The recorded answer to the same method, under the transaction of our request. */
  #answer(request: Uint8Array): void {
    const call = decode(RpcPacket, request);
    const method = (packet: RpcPacket): string =>
      `${packet.descriptor?.serviceName} ${packet.descriptor?.methodIndex}`;
    for (const frame of this.#session.frames) {
      if (frame.dir !== "in" || frame.header?.packet_type !== 9) continue;
      const recorded = StockReplay.packet(frame);
      const answer = decode(RpcPacket, this.#clear(recorded));
      if (method(answer) !== method(call)) continue;
      const rewritten = encode(RpcPacket, {
        ...answer,
        transactionId: call.transactionId,
        toPeer: call.fromPeer,
      });
      const header = recorded.slice(0, 16);
      new DataView(header.buffer).setUint32(12, rewritten.length, true);
      const body = (header[9]! & 1) !== 0 ? seal(this.#key, rewritten, this.#network.random) : rewritten;
      this.#send(this.#withReceiver(concat(header, body)));
      return;
    }
  }

  /** A recorded packet with our node's id as receiver, inside RPC too; untouched when it was recorded with that id. */
  #addressed(packet: Uint8Array): Uint8Array {
    const type = packet[8]!;
    const peerId = this.#peer?.peerId ?? 0;
    if (type === 2 || type === 5 || u32(packet, 4) === peerId) return packet;
    if (type !== 8) return this.#withReceiver(packet);
    const rpc = decode(RpcPacket, this.#clear(packet));
    const rewritten = encode(RpcPacket, { ...rpc, toPeer: peerId });
    const header = packet.slice(0, 16);
    new DataView(header.buffer).setUint32(12, rewritten.length, true);
    const body = (header[9]! & 1) !== 0 ? seal(this.#key, rewritten, this.#network.random) : rewritten;
    return this.#withReceiver(concat(header, body));
  }

  #withReceiver(packet: Uint8Array): Uint8Array {
    const out = packet.slice();
    new DataView(out.buffer).setUint32(4, this.#peer?.peerId ?? 0, true);
    return out;
  }

  #clear(packet: Uint8Array): Uint8Array {
    const body = (packet[9]! & 1) !== 0 ? open(this.#key, packet.subarray(16)) : packet.slice(16);
    if (body === undefined) throw new Error("A recorded packet does not open.");
    return body;
  }

  #find(filter: (frame: Frame) => boolean): Frame {
    const frame = this.#session.frames.find((candidate) => candidate.dir === "in" && filter(candidate));
    if (frame === undefined) throw new Error("No such frame was recorded.");
    return frame;
  }

  #send(packet: Uint8Array): void {
    const header = Uint8Array.of(
      ...(this.#peer?.connId ?? [0, 0, 0, 0]),
      3,
      0,
      packet.length,
      packet.length >> 8,
    );
    this.#sendDatagram(concat(header, packet));
  }

  #sendDatagram(bytes: Uint8Array): void {
    const { address, port } = this.#peer!;
    this.#network.send({ from: this.#address, fromPort: 11010, to: address, toPort: port, bytes });
  }
}

function u32(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, true);
}
