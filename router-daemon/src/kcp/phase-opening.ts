/** The source waits for its SYN to be answered (proxies.md 3.4; 3.5, rows SynSent). */
import { agree, decodeAccept, NO_REASON, reasonOf } from "./conn-data.ts";
import type { Connection } from "./connection.ts";
import { Control } from "./controls.ts";
import { OpeningRace } from "./opening-race.ts";
import { ACK_DATA, KcpFlag, SYN_ACK } from "./packet.ts";
import type { Phase } from "./phase.ts";

export class OpeningPhase<Owner> implements Phase {
  readonly #connection: Connection<Owner>;
  readonly #race: OpeningRace;
  readonly #openTimeoutMs: number;
  #expireAt: number;

  constructor(connection: Connection<Owner>, now: number, openTimeoutMs: number, rttMs: number | undefined) {
    this.#connection = connection;
    this.#race = new OpeningRace(connection.conv, now, rttMs);
    this.#openTimeoutMs = openTimeoutMs;
    this.#expireAt = now + openTimeoutMs;
    connection.owe(Control.syn);
  }

  get nextAt(): number {
    return Math.min(this.#race.repeatAt, this.#expireAt);
  }

  /** Convs of the attempts. */
  get convs(): readonly number[] {
    return this.#race.convs;
  }

  receive(conv: number, kind: number, _slot: number, offset: number, length: number, now: number): boolean {
    const connection = this.#connection;
    if (kind === SYN_ACK) {
      this.#win(conv, offset, length, now);
    } else if ((kind & KcpFlag.rst) !== 0) {
      this.#lose(conv, connection.reasonIn(offset, length), now);
    } else if ((kind & KcpFlag.fin) !== 0) {
      connection.controls.addReset(conv);
      this.#lose(conv, NO_REASON, now);
    } else if (kind === ACK_DATA) {
      // Only a destination of our kind that has accepted sends data before our third packet: its SYN+ACK was lost.
      connection.host.counters.droppedData++;
      this.#race.showSignOfLife(now);
      if (this.#race.nudge(now)) connection.owe(Control.syn);
    }
    return false;
  }

  /** No PING is sent while opening: a destination of our kind says that it is deciding. */
  receivePong(now: number): void {
    const connection = this.#connection;
    this.#race.showSignOfLife(now);
    const latest = connection.createdAt + this.#openTimeoutMs + connection.host.limits.decideTimeoutMs;
    this.#expireAt = Math.min(latest, Math.max(this.#expireAt, now + this.#openTimeoutMs));
    connection.requestPoll();
  }

  handleTimeout(now: number): void {
    const connection = this.#connection;
    const race = this.#race;
    if (now >= this.#expireAt) {
      connection.end(race.isDeciding ? "undecided" : "no_answer", NO_REASON, now);
    } else if (now >= race.repeatAt) {
      if (race.nextRound(now)) race.convs.push(connection.host.addConv(connection));
      connection.owe(Control.syn);
    }
  }

  keepAlive(): void {}

  #win(conv: number, offset: number, length: number, now: number): void {
    const connection = this.#connection;
    const { host, controls } = connection;
    const theirs = decodeAccept(host.pool.bytes, offset, length);
    connection.agreed = theirs === undefined ? undefined : agree(host.capabilities, theirs);
    for (const loser of this.#race.convs) {
      if (loser === conv) continue;
      host.removeConv(connection, loser);
      controls.addReset(loser);
    }
    connection.conv = conv;
    controls.keep(Control.pong);
    connection.open(now);
  }

  /** One attempt failed. Without a reason the others go on. */
  #lose(conv: number, code: number, now: number): void {
    const connection = this.#connection;
    const race = this.#race;
    if (code !== NO_REASON || race.convs.length === 1) {
      connection.close(reasonOf(code, "refused"), now);
      return;
    }
    race.drop(conv);
    connection.host.removeConv(connection, conv);
    connection.conv = race.convs[0]!;
    connection.requestPoll();
  }
}
