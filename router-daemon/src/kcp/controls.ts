/**
 * The control packets that one connection owes its peer until the next `poll`. Each kind waits at most once: they are all
 * repetitions of a state, so two of a kind say no more than one.
 */
import { writeU32 } from "../wire/peer-header.ts";
import { type Capabilities, encodeAccept, encodeSyn, NO_REASON } from "./conn-data.ts";
import { MAX_PING_BODY_BYTES } from "./limits.ts";
import { ACK_DATA, KcpFlag, SYN_ACK } from "./packet.ts";
import type { KcpTarget } from "./types.ts";

export const Control = {
  syn: 1,
  synAck: 2,
  /** The empty ACK+DATA that ends the opening. */
  third: 4,
  fin: 8,
  /** Between nodes of our kind: all bytes before the FIN are here, and the FIN. */
  finAck: 16,
  ping: 32,
  pong: 64,
} as const;

/** Takes control packets at once; `false` = no room now, keep it for the next `poll`. */
export interface ControlSink {
  control(peerId: number, conv: number, flags: number, body: Uint8Array | undefined, bytes: number): boolean;
}

/** What the packets say of their connection. */
export interface ControlSubject extends KcpTarget {
  readonly peerId: number;
  readonly conv: number;
  /** Convs whose SYN is repeated. */
  readonly racingConvs: readonly number[];
  readonly ownCapabilities: Capabilities;
  readonly agreed: Capabilities | undefined;
  readonly bytesSent: number;
}

export class Controls {
  /** What our RST says, `NO_REASON` = nothing: toward stock peers. */
  resetCode = NO_REASON;
  #pending = 0;
  /** Convs that are owed an RST. */
  readonly #resets: number[] = [];
  #pongBody: Uint8Array | undefined = undefined;
  #pongBytes = 0;

  get isEmpty(): boolean {
    return this.#pending === 0 && this.#resets.length === 0;
  }

  has(bits: number): boolean {
    return (this.#pending & bits) !== 0;
  }

  add(bit: number): void {
    this.#pending |= bit;
  }

  /** Forgets all but `bits` and the resets. */
  keep(bits: number): void {
    this.#pending &= bits;
  }

  /** A PONG with the PING's body, as far as it is kept. */
  addPong(bytes: Uint8Array, offset: number, length: number): void {
    this.#pongBytes = Math.min(length, MAX_PING_BODY_BYTES);
    if (this.#pongBytes > 0) {
      this.#pongBody ??= new Uint8Array(MAX_PING_BODY_BYTES);
      for (let i = 0; i < this.#pongBytes; i++) this.#pongBody[i] = bytes[offset + i]!;
    }
    this.add(Control.pong);
  }

  addReset(conv: number): void {
    if (!this.#resets.includes(conv)) this.#resets.push(conv);
  }

  /** Sends what waits; false = the sink is full, the rest waits on. */
  poll(subject: ControlSubject, sink: ControlSink): boolean {
    while (this.#resets.length > 0) {
      const conv = this.#resets[this.#resets.length - 1]!;
      const body = this.resetCode === NO_REASON ? undefined : Uint8Array.of(this.resetCode);
      if (!sink.control(subject.peerId, conv, KcpFlag.rst, body, body === undefined ? 0 : 1)) return false;
      this.#resets.pop();
    }
    if (this.has(Control.syn)) {
      const body = encodeSyn(subject, subject.ownCapabilities);
      for (const conv of subject.racingConvs) {
        if (!sink.control(subject.peerId, conv, KcpFlag.syn, body, body.length)) return false;
      }
      this.#pending &= ~Control.syn;
    }
    if (this.has(Control.synAck)) {
      const { agreed } = subject;
      const body = agreed === undefined ? undefined : encodeAccept(agreed);
      if (!this.#send(subject, sink, Control.synAck, SYN_ACK, body)) return false;
    }
    if (!this.#send(subject, sink, Control.third, ACK_DATA, undefined)) return false;
    if (this.has(Control.pong)) {
      const body = this.#pongBytes === 0 ? undefined : this.#pongBody?.subarray(0, this.#pongBytes);
      if (!this.#send(subject, sink, Control.pong, KcpFlag.ping | KcpFlag.pong, body)) return false;
    }
    if (!this.#send(subject, sink, Control.ping, KcpFlag.ping, undefined)) return false;
    if (!this.#send(subject, sink, Control.finAck, KcpFlag.ack, undefined)) return false;
    if (!this.has(Control.fin)) return true;
    let body: Uint8Array | undefined;
    if (subject.agreed?.halfClose === true) {
      body = new Uint8Array(4);
      writeU32(body, 0, subject.bytesSent >>> 0);
    }
    return this.#send(subject, sink, Control.fin, KcpFlag.fin, body);
  }

  #send(
    subject: ControlSubject,
    sink: ControlSink,
    bit: number,
    flags: number,
    body: Uint8Array | undefined,
  ): boolean {
    if (!this.has(bit)) return true;
    if (!sink.control(subject.peerId, subject.conv, flags, body, body?.length ?? 0)) return false;
    this.#pending &= ~bit;
    return true;
  }
}
