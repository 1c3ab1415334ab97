import { ByteLog } from "../../byte-log.ts";
import type { NaiveSegment } from "./naive.ts";

/** What a client can and wants. */
export interface ClientOptions {
  address: number;
  port: number;
  targetAddress: number;
  targetPort: number;
  mss: number | undefined;
  windowShift: number | undefined;
  sack: boolean;
  timestamps: boolean;
  isn: number;
  receiveBuffer: number;
  /** Answers every second segment only, or after this time. 0 = every segment at once. */
  delayedAckMs: number;
  rtoMs: number;
  /** Bytes that it lets be in flight. */
  flight: number;
}

export const CLIENT_DEFAULTS: ClientOptions = {
  address: 0xc0a80102,
  port: 40_000,
  targetAddress: 0x0a7e7e02,
  targetPort: 80,
  mss: 1460,
  windowShift: 7,
  sack: true,
  timestamps: true,
  isn: 0xfffffa00,
  receiveBuffer: 256 * 1024,
  delayedAckMs: 0,
  rtoMs: 200,
  flight: 64 * 1024,
};

export type ClientState = "closed" | "synSent" | "open" | "reset";

const SEQUENCES = 2 ** 32;

/**
 * A small TCP client, written apart from the stack it talks to: positions in the streams are plain growing numbers, what was
 * received is a bit per byte, loss is repaired by sending the first missing segment again. Slow and obvious.
 */
export class Client {
  readonly options: ClientOptions;
  state: ClientState = "closed";
  /** The other side's FIN came after everything. */
  finReceived = false;
  /** False = what arrives stays in the buffer and the window closes. */
  reading = true;
  /** Segments sent and received, for tests that look at single ones. */
  readonly sent: NaiveSegment[] = [];
  readonly heard: NaiveSegment[] = [];
  retransmissions = 0;
  /** Answers nothing and sends nothing any more: crashed, or asleep. */
  silent = false;

  // Sending: position 0 is the first byte of data.
  readonly #outgoing = new ByteLog();
  #una = 0;
  #next = 0;
  #closing = false;
  #peerWindow = 0;
  #peerShift = 0;
  /** Position and acknowledgement of the segment that last told the window. */
  #windowFrom: [number, number] = [-1, -1];
  #peerMss = 536;
  #duplicates = 0;
  #recoverUntil = -1;
  #timerAt = Number.POSITIVE_INFINITY;
  #backoff = 0;
  #synAt = 0;

  // Receiving.
  #peerIsn = 0;
  #expected = 0;
  /** Where the reader is; from here to `#expected` bytes wait for it. */
  receivedBytes = 0;
  /** By position: 1 = here, out of order; and the bytes, all that ever came. Both grow with need. */
  #have = new Uint8Array(1 << 16);
  #bytes = new Uint8Array(1 << 16);
  /** Bytes that are here out of order, and the end of the furthest. */
  #outOfOrder = 0;
  #furthest = 0;
  #finAt = -1;
  #ackAt = Number.POSITIVE_INFINITY;
  #unacked = 0;
  #recentTimestamp = 0;
  #usesTimestamps = false;
  #usesSack = false;
  #usesScale = false;
  #now = 0;
  readonly #emit: (segment: NaiveSegment) => void;

  constructor(emit: (segment: NaiveSegment) => void, options: Partial<ClientOptions> = {}) {
    this.options = { ...CLIENT_DEFAULTS, ...options };
    this.#emit = emit;
  }

  get nextTimeout(): number {
    return this.silent ? Number.POSITIVE_INFINITY : Math.min(this.#timerAt, this.#ackAt);
  }

  /** Everything that arrived in order and was read. */
  get received(): Uint8Array {
    return this.#bytes.subarray(0, this.receivedBytes);
  }

  /** All that was written, and the FIN if there is one, is acknowledged. */
  get allAcknowledged(): boolean {
    return this.#una === this.#outgoing.length + (this.#closing ? 1 : 0);
  }

  get unacknowledged(): number {
    return this.#outgoing.length + (this.#closing ? 1 : 0) - this.#una;
  }

  connect(now: number): void {
    this.#now = now;
    this.state = "synSent";
    this.#sendSyn();
  }

  #sendSyn(): void {
    const { mss, windowShift, sack, timestamps, isn, rtoMs } = this.options;
    const segment = this.#segment(isn, new Uint8Array(0), ["syn"]);
    if (mss !== undefined) segment.mss = mss;
    if (windowShift !== undefined) segment.windowShift = windowShift;
    if (sack) segment.sackPermitted = true;
    if (timestamps) segment.timestamps = { value: this.#clock(), echo: 0 };
    segment.window = Math.min(0xffff, this.options.receiveBuffer);
    this.#synAt = this.#now;
    this.#timerAt = this.#now + 1000 * 2 ** this.#backoff;
    if (rtoMs < 1000) this.#timerAt = this.#now + 5 * rtoMs * 2 ** this.#backoff;
    this.#transmit(segment);
  }

  write(bytes: Uint8Array | number[], now: number): void {
    this.#now = now;
    this.#outgoing.push(bytes);
    if (this.state === "open") this.#push();
  }

  close(now: number): void {
    this.#now = now;
    this.#closing = true;
    if (this.state === "open") this.#push();
  }

  /** RST at the position that the other side expects. */
  abort(now: number): void {
    this.#now = now;
    this.state = "reset";
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#transmit(this.#segment(this.#sequenceOf(this.#next), new Uint8Array(0), ["rst", "ack"]));
  }

  /** Any segment, in the state of the connection: for tests that forge. */
  inject(change: Partial<NaiveSegment>, flags: string[], now: number): void {
    this.#now = now;
    this.#transmit({ ...this.#segment(this.#sequenceOf(this.#next), new Uint8Array(0), flags), ...change });
  }

  /** Sequence number of what would be sent next, and of what is expected. */
  get nextSequence(): number {
    return this.#sequenceOf(this.#next);
  }

  get expectedSequence(): number {
    return this.#acknowledgement();
  }

  resumeReading(now: number): void {
    this.#now = now;
    this.reading = true;
    const before = this.#window();
    this.#read();
    if (this.#window() > before) this.#acknowledge();
  }

  /** Reads without telling: the window update that gets lost. */
  readSilently(): void {
    this.reading = true;
    this.#read();
  }

  /** Throws away what was acknowledged selectively only. */
  forgetOutOfOrder(): void {
    this.#have.fill(0);
    this.#outOfOrder = 0;
    this.#furthest = this.#expected;
  }

  handleTimeout(now: number): void {
    if (this.silent) return;
    this.#now = now;
    if (this.#ackAt <= now) this.#acknowledge();
    if (this.#timerAt > now) return;
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#backoff = Math.min(this.#backoff + 1, 4);
    if (this.state === "synSent") this.#sendSyn();
    else if (this.state === "open") {
      this.retransmissions++;
      this.#duplicates = 0;
      this.#recoverUntil = -1;
      // A probe into a closed window, or everything from the first missing byte on.
      this.#next = this.#una;
      if (this.#peerWindow === 0) this.#sendAt(this.#una, 1);
      else this.#push(this.options.mss ?? 536);
      this.#arm();
    }
  }

  handle(segment: NaiveSegment, now: number): void {
    if (this.silent || this.state === "closed") return;
    this.#now = now;
    this.heard.push(segment);
    const { flags } = segment;
    if (this.state === "reset") {
      return;
    }
    if (this.state === "synSent") {
      this.#handleSynSent(segment);
      return;
    }
    const position = this.#positionOf(segment.sequence);
    if (flags.has("rst")) {
      if (position === this.#expected) this.#becomeReset();
      else if (position > this.#expected && position < this.#expected + this.#window()) this.#acknowledge();
      return;
    }
    if (flags.has("syn")) {
      this.#acknowledge();
      return;
    }
    if (!flags.has("ack")) throw new Error("segment without ACK");
    if (this.#usesTimestamps && segment.timestamps === undefined) throw new Error("timestamps are missing");
    if (segment.timestamps !== undefined && position <= this.#expected) {
      this.#recentTimestamp = segment.timestamps.value;
    }
    this.#handleAck(segment);
    this.#handleData(segment, position);
    this.#push();
  }

  #handleSynSent(segment: NaiveSegment): void {
    const { flags } = segment;
    const right = segment.acknowledgement === (this.options.isn + 1) % SEQUENCES;
    if (flags.has("rst")) {
      if (right && flags.has("ack")) this.#becomeReset();
      return;
    }
    if (flags.has("ack") && !right) {
      this.#transmit(this.#segment(segment.acknowledgement, new Uint8Array(0), ["rst"]));
      return;
    }
    if (!flags.has("syn")) return;
    this.state = "open";
    this.#backoff = 0;
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#peerIsn = segment.sequence;
    this.#peerMss = segment.mss ?? 536;
    this.#usesTimestamps = segment.timestamps !== undefined;
    this.#usesSack = segment.sackPermitted === true;
    this.#usesScale = segment.windowShift !== undefined;
    if (this.#usesTimestamps && !this.options.timestamps) throw new Error("timestamps were not offered");
    if (this.#usesSack && !this.options.sack) throw new Error("SACK was not offered");
    if (this.#usesScale && this.options.windowShift === undefined)
      throw new Error("window scale was not offered");
    this.#peerShift = this.#usesScale ? segment.windowShift! : 0;
    this.#peerWindow = segment.window;
    this.#recentTimestamp = segment.timestamps?.value ?? 0;
    this.#acknowledge();
    this.#push();
  }

  #becomeReset(): void {
    this.state = "reset";
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#ackAt = Number.POSITIVE_INFINITY;
  }

  #handleAck(segment: NaiveSegment): void {
    const position = this.#nearest(segment.acknowledgement - this.options.isn - 1, this.#una);
    const end = this.#outgoing.length + (this.#closing ? 1 : 0);
    if (position > end) throw new Error(`acknowledges ${position} of ${end}`);
    for (const [left, right] of this.#usesSack ? (segment.sack ?? []) : []) {
      const from = this.#nearest(left - this.options.isn - 1, this.#una);
      const to = this.#nearest(right - this.options.isn - 1, this.#una);
      if (to <= from || to > end) throw new Error(`SACK block ${from}..${to} of ${end}`);
    }
    const window = segment.window * 2 ** this.#peerShift;
    if (position > this.#una) {
      this.#una = position;
      this.#next = Math.max(this.#next, this.#una);
      this.#duplicates = 0;
      this.#backoff = 0;
      if (this.#una < this.#recoverUntil) this.#resendFirst();
      this.#arm();
    } else if (
      position === this.#una &&
      this.#una < this.#next &&
      segment.payload.length === 0 &&
      window === this.#peerWindow
    ) {
      this.#duplicates++;
      if (this.#duplicates === 3 && this.#una >= this.#recoverUntil) {
        this.#recoverUntil = this.#next;
        this.#resendFirst();
      }
    }
    const sequence = this.#positionOf(segment.sequence);
    const newer =
      sequence > this.#windowFrom[0] || (sequence === this.#windowFrom[0] && position >= this.#windowFrom[1]);
    if (position >= this.#una && newer) {
      this.#peerWindow = window;
      this.#windowFrom = [sequence, position];
    }
  }

  #resendFirst(): void {
    this.retransmissions++;
    this.#sendAt(this.#una, this.#segmentBytes());
  }

  #segmentBytes(): number {
    return Math.min(this.#peerMss, this.options.mss ?? 536) - (this.#usesTimestamps ? 12 : 0);
  }

  #handleData(segment: NaiveSegment, position: number): void {
    const { payload, flags } = segment;
    if (payload.length > this.#segmentBytes() && this.options.mss !== undefined)
      throw new Error("more than a segment");
    if (flags.has("fin")) this.#finAt = position + payload.length;
    if (position + payload.length < this.#expected || (payload.length === 0 && position < this.#expected)) {
      this.#acknowledge();
      return;
    }
    const limit = this.#expected + this.#window();
    const from = Math.max(position, this.#expected);
    this.#keep(from, payload.subarray(from - position, Math.max(0, limit - position)));
    const before = this.#expected;
    if (this.#have[before] === 1) {
      const gap = this.#have.indexOf(0, before);
      this.#expected = gap < 0 ? this.#have.length : gap;
      this.#have.fill(0, before, this.#expected);
      this.#outOfOrder -= this.#expected - before;
    }
    if (this.#finAt === this.#expected && !this.finReceived) {
      this.finReceived = true;
      this.#expected++;
    }
    if (this.reading) this.#read();
    if (payload.length === 0 && !flags.has("fin")) return;
    this.#unacked += 1;
    const inOrder = before === position && this.#outOfOrder === 0 && !flags.has("fin");
    if (!inOrder || this.options.delayedAckMs === 0 || this.#unacked >= 2) this.#acknowledge(position);
    else this.#ackAt = Math.min(this.#ackAt, this.#now + this.options.delayedAckMs);
  }

  #keep(at: number, arrived: Uint8Array): void {
    if (arrived.length === 0) return;
    const end = at + arrived.length;
    // One more than is kept: behind the last byte there is always a gap.
    if (end >= this.#have.length) {
      const [have, bytes] = [new Uint8Array(2 * end), new Uint8Array(2 * end)];
      have.set(this.#have);
      bytes.set(this.#bytes);
      this.#have = have;
      this.#bytes = bytes;
    }
    for (let position = at; position < end; position++) this.#outOfOrder += 1 - this.#have[position]!;
    this.#have.fill(1, at, end);
    this.#bytes.set(arrived, at);
    this.#furthest = Math.max(this.#furthest, end);
  }

  /** The end of what is here in order; the FIN takes a position behind it. */
  get #readable(): number {
    return this.#expected - (this.finReceived ? 1 : 0);
  }

  #read(): void {
    this.receivedBytes = this.#readable;
  }

  #window(): number {
    return Math.max(0, this.options.receiveBuffer - (this.#readable - this.receivedBytes));
  }

  #acknowledge(recent = -1): void {
    this.#ackAt = Number.POSITIVE_INFINITY;
    this.#unacked = 0;
    const segment = this.#segment(this.#sequenceOf(this.#next), new Uint8Array(0), ["ack"]);
    if (this.#usesSack && this.#outOfOrder > 0) segment.sack = this.#sackBlocks(recent);
    this.#transmit(segment);
  }

  #sackBlocks(recent: number): [number, number][] {
    const blocks: [number, number][] = [];
    for (let at = this.#have.indexOf(1, this.#expected); at >= 0 && at < this.#furthest; ) {
      const gap = this.#have.indexOf(0, at);
      const end = gap < 0 ? this.#furthest : gap;
      blocks.push([at, end]);
      at = this.#have.indexOf(1, end);
    }
    blocks.sort((a, b) => Number(b[0] <= recent && recent < b[1]) - Number(a[0] <= recent && recent < a[1]));
    return blocks
      .slice(0, this.#usesTimestamps ? 3 : 4)
      .map(([left, right]) => [
        (this.#peerIsn + 1 + left) % SEQUENCES,
        (this.#peerIsn + 1 + right) % SEQUENCES,
      ]);
  }

  /** Sends what is new and fits. */
  #push(most = this.options.flight): void {
    const end = this.#outgoing.length + (this.#closing ? 1 : 0);
    const limit = Math.min(this.#una + Math.min(this.#peerWindow, most), end);
    while (this.#next < limit) {
      const room = Math.min(this.#segmentBytes(), limit - this.#next);
      this.#next += this.#sendAt(this.#next, room);
      if (this.#timerAt === Number.POSITIVE_INFINITY) this.#arm();
    }
    if (this.#una < end && this.#timerAt === Number.POSITIVE_INFINITY) this.#arm();
  }

  /** Sends up to `most` positions from `at` on (the FIN is one); returns how many. */
  #sendAt(at: number, most: number): number {
    const bytes = this.#outgoing.bytes.slice(at, at + most);
    const fin = this.#closing && at + bytes.length === this.#outgoing.length && bytes.length < most;
    if (bytes.length === 0 && !fin) return 0;
    const flags = ["ack"];
    if (at + bytes.length === this.#outgoing.length) flags.push("psh");
    if (fin) flags.push("fin");
    this.#transmit(this.#segment(this.#sequenceOf(at), bytes, flags));
    this.#ackAt = Number.POSITIVE_INFINITY;
    this.#unacked = 0;
    const sent = bytes.length + (fin ? 1 : 0);
    this.#next = Math.max(this.#next, at);
    return sent;
  }

  #arm(): void {
    const waiting = this.#una < this.#outgoing.length + (this.#closing ? 1 : 0);
    this.#timerAt = waiting ? this.#now + this.options.rtoMs * 2 ** this.#backoff : Number.POSITIVE_INFINITY;
  }

  #segment(sequence: number, payload: Uint8Array, flags: string[]): NaiveSegment {
    const { address, port, targetAddress, targetPort } = this.options;
    const window = Math.floor(this.#window() / (this.#usesScale ? 2 ** this.options.windowShift! : 1));
    const segment: NaiveSegment = {
      source: address,
      destination: targetAddress,
      sourcePort: port,
      destinationPort: targetPort,
      sequence: sequence % SEQUENCES,
      acknowledgement: flags.includes("ack") ? this.#acknowledgement() : 0,
      flags: new Set(flags),
      window: Math.min(0xffff, window),
      payload,
    };
    if (this.#usesTimestamps) segment.timestamps = { value: this.#clock(), echo: this.#recentTimestamp };
    return segment;
  }

  #transmit(segment: NaiveSegment): void {
    if (this.silent) return;
    this.sent.push(segment);
    this.#emit(segment);
  }

  #clock(): number {
    return (Math.floor(this.#now) + 0xffff_ff00) % SEQUENCES;
  }

  #acknowledgement(): number {
    return (this.#peerIsn + 1 + this.#expected) % SEQUENCES;
  }

  #sequenceOf(position: number): number {
    return (this.options.isn + 1 + position) % SEQUENCES;
  }

  #positionOf(sequence: number): number {
    return this.#nearest(sequence - this.#peerIsn - 1, this.#expected);
  }

  /** The number congruent to `offset` modulo 2^32 that is nearest to `around`. */
  #nearest(offset: number, around: number): number {
    return offset + Math.round((around - offset) / SEQUENCES) * SEQUENCES;
  }

  /** When the first SYN of the last attempt went out. */
  get synAt(): number {
    return this.#synAt;
  }
}
