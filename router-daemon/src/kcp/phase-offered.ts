/**
 * A SYN has come to the destination (proxies.md 3.4; 3.5, rows SynReceived). A stock source is answered at once; one of our kind
 * when the glue accepts, which is when the real target has.
 */
import { NO_REASON, reasonCode } from "./conn-data.ts";
import type { Connection } from "./connection.ts";
import { Control } from "./controls.ts";
import { MAX_SYN_ACKS, OPEN_REPEAT_MS } from "./limits.ts";
import { ACK_DATA, KcpFlag } from "./packet.ts";
import type { Phase } from "./phase.ts";
import { Ready } from "./types.ts";

export class OfferedPhase<Owner> implements Phase {
  readonly #connection: Connection<Owner>;
  #isAnswered = false;
  #repeatAt = Infinity;
  #expireAt: number;
  #answers = 0;

  constructor(connection: Connection<Owner>, now: number) {
    this.#connection = connection;
    this.#expireAt = now + connection.host.limits.decideTimeoutMs;
    if (connection.agreed === undefined) this.#answer(now);
    else connection.signal(Ready.incoming);
  }

  get nextAt(): number {
    return Math.min(this.#repeatAt, this.#expireAt);
  }

  /** The real target has taken the connection. */
  accept(now: number): void {
    if (this.#isAnswered) return;
    this.#connection.startStream(now);
    this.#answer(now);
    this.#connection.signal(Ready.writable);
  }

  /** The source has asked again: the answer may have been lost, or we are still deciding and say so. */
  answerAgain(): void {
    if (this.#isAnswered) this.#connection.owe(Control.synAck);
    else {
      this.#connection.controls.addPong(this.#connection.host.pool.bytes, 0, 0);
      this.#connection.requestPoll();
    }
  }

  receive(_conv: number, kind: number, slot: number, offset: number, length: number, now: number): boolean {
    const connection = this.#connection;
    if ((kind & KcpFlag.rst) !== 0) {
      connection.close("reset", now);
    } else if (kind === KcpFlag.syn) {
      this.answerAgain();
    } else if (kind === ACK_DATA) {
      if (this.#isAnswered) {
        // The third packet; it may carry the first bytes.
        connection.open(now);
        return connection.phase.receive(connection.conv, kind, slot, offset, length, now);
      }
      connection.host.counters.droppedData++;
    } else if ((kind & KcpFlag.fin) !== 0) {
      if (connection.agreed !== undefined && this.#isAnswered) {
        // A source of our kind ends its direction only once established: its third packet was lost.
        connection.open(now);
        connection.phase.receive(connection.conv, kind, slot, offset, length, now);
      } else {
        connection.controls.addReset(connection.conv);
        connection.close("reset", now);
      }
    }
    return false;
  }

  receivePong(): void {}

  handleTimeout(now: number): void {
    const connection = this.#connection;
    if (now >= this.#expireAt) {
      if (this.#isAnswered) connection.end("no_answer", NO_REASON, now);
      else connection.end("undecided", reasonCode("target_timeout"), now);
    } else if (now >= this.#repeatAt) {
      this.#repeatAt = ++this.#answers < MAX_SYN_ACKS ? now + OPEN_REPEAT_MS : Infinity;
      connection.owe(Control.synAck);
    }
  }

  keepAlive(): void {}

  /** SYN+ACK now, and again until the third packet comes. */
  #answer(now: number): void {
    this.#isAnswered = true;
    this.#answers = 1;
    this.#repeatAt = now + OPEN_REPEAT_MS;
    this.#expireAt = now + (MAX_SYN_ACKS + 1) * OPEN_REPEAT_MS;
    this.#connection.owe(Control.synAck);
  }
}
