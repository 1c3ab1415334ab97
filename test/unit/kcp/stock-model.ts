/**
 * A small model of how stock nodes behave at the connection layer (proxies.md 3.4 to 3.8, 15), habits included: early data is
 * thrown away, a FIN kills both directions, what KCP's queue and the copier hold when a FIN comes is lost, nothing is repeated,
 * LocalClosed answers PING with RST. KCP itself is the reference of `kcp-ts`.
 *
 * ```
 *   packets ─▶ PlainKcp queue (1024) ─▶ items (128) ─▶ copier (8 KiB) ─▶ application, at its pace
 *                └─ lost on FIN ──────────── kept ─────── lost on FIN ─┘
 * ```
 */
import { PlainKcp } from "../../../router-daemon/kcp-ts/test/reference/plain-kcp.ts";
import type { End } from "../../../router-daemon/kcp-ts/test/world.ts";
import { KcpFlag, STATE_FLAGS } from "../../../router-daemon/src/kcp/packet.ts";
import { encode } from "../../../router-daemon/src/wire/messages/encode.ts";
import { KcpConnData } from "../../../router-daemon/src/wire/messages/gen/messages.ts";
import { decodePacket, EMPTY, encodePacket, type Packet } from "./probe.ts";
import { streamByte } from "./side.ts";

const { syn: SYN, ack: ACK, fin: FIN, data: DATA, rst: RST, ping: PING, pong: PONG } = KcpFlag;
const ACK_DATA = ACK | DATA;

const MAX_ITEMS = 128;
const COPIER_BYTES = 8192;
const RACE_MS = 200;
const MAX_ATTEMPTS = 5;
const ROUND_MS = 10_000;
const SILENCE_MS = 60_000;
/** A source closes its side of the tunnel only this long after the peer's FIN (proxies.md 2.6 step 4). */
const SOURCE_CLOSE_MS = 10_000;

type State = "SynSent" | "SynReceived" | "Established" | "LocalClosed" | "PeerClosed" | "Closed";

export interface StockPlan {
  send?: number;
  sendAfter?: number;
  /** Thinks so long before it sends. */
  thinkMs?: number;
  /** Closes (814: both directions; 264: its own) after its last byte, or after the peer's end, or never. */
  end?: "after-sending" | "after-peer" | "never";
  /** How fast the local application takes bytes, per millisecond. */
  readBytesPerMs?: number;
}

/** The application next to the stock node, and its connection. */
export class StockConnection {
  readonly conv: number;
  readonly sourceId: number;
  readonly destinationId: number;
  state: State;
  plan: StockPlan = {};
  saltIn = 0;
  saltOut = 0;
  kcp: PlainKcp | undefined = undefined;
  sent = 0;
  received = 0;
  /** The application's socket is closed (by an end of the tunnel's stream, or by itself). */
  isAppClosed = false;
  /** The stream reported an error or its end to the copier. */
  isStreamOver = false;
  lastSeen: number;
  createdAt = 0;
  handOverAt = Infinity;
  localCloseAt = Infinity;
  wantsClose = false;
  stopsCopying = false;
  readonly items: Uint8Array[] = [];
  itemBytes = 0;
  copier: Uint8Array = EMPTY;
  copierAt = 0;
  readAt = 0;
  /** When the application has thought enough; NaN = it does not think yet. */
  speaksAt = Number.NaN;
  establishedAt = Number.NaN;
  firstByteAt = Number.NaN;

  constructor(packet: Packet, state: State, now: number) {
    this.conv = packet.conv;
    this.sourceId = packet.sourceId;
    this.destinationId = packet.destinationId;
    this.state = state;
    this.lastSeen = now;
  }
}

interface Race {
  readonly port: number;
  readonly plan: StockPlan;
  attempts: number;
  nextAt: number;
  convs: number[];
  winner: StockConnection | undefined;
}

export class StockNode implements End {
  readonly role: "source" | "destination";
  readonly localId: number;
  readonly peerId: number;
  /** "814" stops copying when the first direction ends, "264" goes on with the other. */
  readonly version: "264" | "814";
  readonly connections = new Map<number, StockConnection>();
  /** All that ever were handed to the application. */
  readonly taken: StockConnection[] = [];
  readonly races: Race[] = [];
  plan: (conv: number) => StockPlan = () => ({ end: "after-peer" });
  /** Data packets thrown away because the application had not taken the connection yet. */
  thrownAway = 0;
  /** Time between the third packet and the application's taking of the connection. */
  handOverMs = 0.3;
  readonly sent: { at: number; flags: number; conv: number }[] = [];
  filter: (flags: number) => boolean = () => true;
  #nextConv = 5_000;
  #out: Uint8Array[] = [];
  #now = 0;
  #roundAt = 3_000;

  constructor(role: "source" | "destination", localId: number, peerId: number, version: "264" | "814") {
    this.role = role;
    this.localId = localId;
    this.peerId = peerId;
    this.version = version;
  }

  connect(port: number, plan: StockPlan, now: number): Race {
    const race: Race = { port, plan, attempts: 0, nextAt: now, convs: [], winner: undefined };
    this.races.push(race);
    return race;
  }

  // ── input ─────────────────────────────────────────────────────────────────────────────────────────────────────

  handle(bytes: Uint8Array, now: number): void {
    this.#now = now;
    const packet = decodePacket(bytes);
    const connection = this.connections.get(packet.conv);
    if (connection !== undefined) connection.lastSeen = now;
    if ((packet.flags & PING) !== 0) {
      if ((packet.flags & PONG) !== 0) return;
      const isUp =
        connection !== undefined && connection.state !== "LocalClosed" && connection.state !== "Closed";
      this.#send(packet, isUp ? packet.flags | PONG : RST, packet.body);
      return;
    }
    const kind = packet.flags & STATE_FLAGS;
    if (connection === undefined) {
      if ((kind & RST) !== 0) return;
      if (kind !== SYN || this.role === "source") {
        this.#send(packet, RST);
        return;
      }
      this.connections.set(packet.conv, new StockConnection(packet, "SynReceived", now));
      this.#send(packet, SYN | ACK);
      return;
    }
    if ((kind & DATA) !== 0 && packet.body.length > 0 && connection.kcp !== undefined) {
      connection.kcp.input(packet.body);
    } else if ((kind & DATA) !== 0 && packet.body.length > 0) this.thrownAway++;
    this.#advance(connection, kind, packet, now);
  }

  /** The table of proxies.md 3.5. */
  #advance(connection: StockConnection, kind: number, packet: Packet, now: number): void {
    const isRst = (kind & RST) !== 0;
    const isFin = (kind & FIN) !== 0;
    switch (connection.state) {
      case "SynSent":
        if (kind === (SYN | ACK)) {
          connection.state = "Established";
          this.#send(packet, ACK_DATA);
          const race = this.races.find((r) => r.convs.includes(connection.conv));
          if (race !== undefined && race.winner === undefined) {
            race.winner = connection;
            race.nextAt = Infinity;
            connection.establishedAt = now;
            this.#take(connection, race.plan, race.port, now);
          }
        } else if (isRst || isFin) {
          connection.state = "Closed";
          if (isFin && !isRst) this.#send(packet, RST);
        }
        break;
      case "SynReceived":
        if (kind === ACK_DATA) {
          connection.state = "Established";
          connection.handOverAt = now + this.handOverMs;
        } else if (isRst || isFin) {
          connection.state = "Closed";
          if (isFin && !isRst) this.#send(packet, RST);
        }
        break;
      case "Established":
        if (isRst) this.#close(connection);
        else if (isFin) {
          connection.state = "PeerClosed";
          this.#endStream(connection, now);
        }
        break;
      case "LocalClosed":
        if (isRst || isFin) this.#close(connection);
        break;
      case "PeerClosed":
        if (isRst) this.#close(connection);
        break;
      case "Closed":
        break;
    }
  }

  #take(connection: StockConnection, plan: StockPlan, port: number, now: number): void {
    connection.plan = plan;
    const isSource = this.role === "source";
    connection.saltOut = isSource ? port : port + 1;
    connection.saltIn = isSource ? port + 1 : port;
    connection.createdAt = now;
    connection.readAt = now;
    connection.handOverAt = Infinity;
    connection.kcp = new PlainKcp({
      conv: connection.conv,
      output: (datagram) => this.#send(connection, ACK_DATA, datagram),
    });
    connection.kcp.update(0);
    this.taken.push(connection);
  }

  /** The reader hears of the end: what KCP still queues and the copier still holds is gone. */
  #endStream(connection: StockConnection, now: number): void {
    connection.isStreamOver = true;
    if (this.role === "destination") connection.localCloseAt = now + 0.2;
    else connection.localCloseAt = now + SOURCE_CLOSE_MS;
  }

  #close(connection: StockConnection): void {
    const wasUp = connection.state === "Established";
    connection.state = "Closed";
    connection.kcp = undefined;
    connection.isStreamOver = true;
    // The reader's error makes the copier drop the stream: one FIN.
    if (wasUp) this.#send(connection, FIN);
  }

  // ── the application and time ──────────────────────────────────────────────────────────────────────────────────

  step(now: number, send: (bytes: Uint8Array) => void): void {
    this.#now = now;
    for (const race of this.races) this.#race(race, now);
    for (const connection of this.connections.values()) this.#stepConnection(connection, now);
    if (now >= this.#roundAt) this.#round(now);
    for (const bytes of this.#out) if (this.filter(decodePacket(bytes).flags)) send(bytes);
    this.#out = [];
  }

  #race(race: Race, now: number): void {
    if (now < race.nextAt) return;
    race.nextAt = ++race.attempts < MAX_ATTEMPTS ? now + RACE_MS : Infinity;
    const conv = this.#nextConv++;
    race.convs.push(conv);
    const packet: Packet = {
      conv,
      sourceId: this.localId,
      destinationId: this.peerId,
      flags: SYN,
      body: encode(KcpConnData, {
        src: { ipv4: { addr: 0x0a7e0001 }, port: race.port },
        dst: { ipv4: { addr: 0x0a7e0002 }, port: 80 },
      }),
    };
    this.connections.set(conv, new StockConnection(packet, "SynSent", now));
    this.#send(packet, SYN, packet.body);
  }

  #stepConnection(connection: StockConnection, now: number): void {
    if (now >= connection.handOverAt && connection.state === "Established") {
      // Which client it is, the body of the SYN said; the tests name it by conv.
      this.#take(connection, this.plan(connection.conv), this.portOf(connection.conv), now);
    }
    this.#read(connection, now);
    const { kcp, plan } = connection;
    if (kcp !== undefined) {
      this.#write(connection, kcp);
      const isDone = connection.sent >= (plan.send ?? 0) && connection.received >= (plan.sendAfter ?? 0);
      if (isDone && plan.end === "after-sending") connection.wantsClose = true;
      const mayClose = connection.state === "Established" && kcp.waiting === 0;
      if (connection.wantsClose && mayClose) {
        connection.state = "LocalClosed";
        if (this.version === "814") connection.stopsCopying = true;
        this.#send(connection, FIN);
      }
      kcp.update(clockOf(connection, now));
    }
    if (now >= connection.localCloseAt) {
      connection.localCloseAt = Infinity;
      if (connection.state === "Closed") return;
      connection.state = "Closed";
      connection.kcp = undefined;
      connection.isAppClosed = true;
      this.#send(connection, FIN);
    }
  }

  /** The port that a conv belongs to: the test's way to tell streams apart. */
  portOf: (conv: number) => number = () => 5000;

  #read(connection: StockConnection, now: number): void {
    const { kcp, plan, items } = connection;
    // The copier has gone: what still comes fills KCP's queue.
    if (connection.stopsCopying) return;
    let budget = Infinity;
    if (plan.readBytesPerMs !== undefined) {
      budget = Math.floor((now - connection.readAt) * plan.readBytesPerMs);
      if (budget > 0) connection.readAt = now;
    }
    for (;;) {
      // KCP's queue is emptied into the items only while the stream lives.
      while (kcp !== undefined && !connection.isStreamOver && items.length < MAX_ITEMS) {
        const item = kcp.receive();
        if (item === undefined) break;
        items.push(item);
        connection.itemBytes += item.length;
      }
      if (connection.copierAt === connection.copier.length) {
        if (items.length === 0) break;
        const joined: number[] = [];
        while (items.length > 0 && joined.length + items[0]!.length <= COPIER_BYTES) {
          joined.push(...items.shift()!);
        }
        connection.copier = Uint8Array.from(joined);
        connection.copierAt = 0;
      }
      const count = Math.min(budget, connection.copier.length - connection.copierAt);
      if (count === 0) break;
      budget -= count;
      for (let i = 0; i < count; i++) {
        const byte = connection.copier[connection.copierAt + i];
        if (byte !== streamByte(connection.saltIn, connection.received + i)) {
          throw new Error(`Byte ${connection.received + i} at the stock ${this.role} is wrong.`);
        }
      }
      connection.copierAt += count;
      if (Number.isNaN(connection.firstByteAt)) connection.firstByteAt = now;
      connection.received += count;
    }
    if (connection.isStreamOver && items.length === 0) connection.copier = EMPTY;
    if (connection.isStreamOver && items.length === 0) connection.copierAt = 0;
  }

  #write(connection: StockConnection, kcp: PlainKcp): void {
    const { plan } = connection;
    if (connection.received < (plan.sendAfter ?? 0) || connection.state === "PeerClosed") return;
    if (Number.isNaN(connection.speaksAt)) connection.speaksAt = this.#now + (plan.thinkMs ?? 0);
    if (this.#now < connection.speaksAt) return;
    if (connection.isStreamOver || connection.state !== "Established") return;
    let wrote = false;
    while (connection.sent < (plan.send ?? 0) && kcp.waiting <= 2048) {
      const count = Math.min(COPIER_BYTES, (plan.send ?? 0) - connection.sent);
      const item = new Uint8Array(count);
      for (let i = 0; i < count; i++) item[i] = streamByte(connection.saltOut, connection.sent + i);
      kcp.send(item);
      connection.sent += count;
      wrote = true;
    }
    if (wrote) kcp.flush();
  }

  /** Keep-alive and garbage collection, every ten seconds. */
  #round(now: number): void {
    this.#roundAt = now + ROUND_MS;
    for (const [conv, connection] of this.connections) {
      if (connection.state === "Closed" || now - connection.lastSeen > SILENCE_MS)
        this.connections.delete(conv);
      else this.#send(connection, PING);
    }
  }

  get nextTimeout(): number {
    let next = this.#roundAt;
    for (const race of this.races) next = Math.min(next, race.nextAt);
    for (const connection of this.connections.values()) {
      next = Math.min(next, connection.handOverAt, connection.localCloseAt);
      if (connection.speaksAt > this.#now) next = Math.min(next, connection.speaksAt);
      const { kcp } = connection;
      if (connection.itemBytes > 0 && connection.plan.readBytesPerMs !== undefined && kcp !== undefined) {
        const pending = connection.items.length > 0 || connection.copierAt < connection.copier.length;
        if (pending) next = Math.min(next, this.#now + 1);
      }
      if (kcp === undefined) continue;
      const clock = clockOf(connection, this.#now);
      next = Math.min(next, connection.createdAt + Math.max(kcp.check(clock), clock + 1));
    }
    return next;
  }

  #send(
    to: { conv: number; sourceId: number; destinationId: number },
    flags: number,
    body: Uint8Array = EMPTY,
  ): void {
    this.sent.push({ at: this.#now, flags, conv: to.conv });
    const { conv, sourceId, destinationId } = to;
    this.#out.push(encodePacket({ conv, sourceId, destinationId, flags, body }));
  }
}

/** A connection's KCP clock: whole milliseconds since its start. */
function clockOf(connection: StockConnection, now: number): number {
  return Math.floor(now - connection.createdAt + 1e-6);
}
