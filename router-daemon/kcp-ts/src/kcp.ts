import { Acknowledger } from "./acknowledger.ts";
import { type KcpOptions, MAX_SCRATCH_SLOTS, type Settings, settle } from "./options.ts";
import { PeerWindow } from "./peer-window.ts";
import type { SlotPool } from "./pool.ts";
import { Arrival, ReceiveRing } from "./receive-ring.ts";
import { Command, commandWord, HEADER_BYTES, readInt32, wireWord, writeHeader } from "./segment.ts";
import { Sender } from "./sender.ts";
import { RUN_WORDS, RunEntry, RunHead } from "./slot-run.ts";
import type { KcpStats } from "./stats.ts";
import { Writer } from "./writer.ts";

/** Takes datagrams out of `poll`. */
export interface DatagramSink {
  /**
   * `length` bytes at `offset` of the arena are to be sent; `headroom` bytes in front of them belong to the caller. They
   * stay as they are until the connection is given input or is polled again. `false`: refused, no more now; the same
   * datagram is offered again by the next `poll`.
   */
  datagram(offset: number, length: number): boolean;
}

/** Payload whose slot has changed hands. */
export interface TakenSlot {
  slot: number;
  offset: number;
  length: number;
}

/** One end of a KCP connection: bytes and `now` (milliseconds, monotonic) in, datagrams and `nextTimeout` out. */
export class Kcp {
  readonly pool: SlotPool;
  readonly #settings: Settings;
  readonly #words: Int32Array;
  readonly #sender: Sender;
  readonly #writer: Writer;
  readonly #ring: ReceiveRing;
  readonly #acks: Acknowledger;
  readonly #window: PeerWindow;
  /** Slots of acknowledgement datagrams handed out by the last `poll`. */
  readonly #scratch = new Int32Array(MAX_SCRATCH_SLOTS);
  #scratchCount = 0;
  #epochMs: number | undefined;
  #nowMs = 0;
  #refused = false;
  #starved = false;
  #disposed = false;
  /** Slots that the quota counts as held by this connection. */
  #counted = 0;
  #received = 0;
  #duplicates = 0;
  #dropped = 0;
  #rejected = 0;

  constructor(options: KcpOptions) {
    const settings = settle(options);
    this.#settings = settings;
    this.pool = settings.pool;
    const { buffer, byteOffset, byteLength } = settings.pool.bytes;
    this.#words = new Int32Array(buffer, byteOffset, byteLength >>> 2);
    this.#sender = new Sender(settings, this.#words);
    this.#writer = new Writer(settings, this.#sender);
    this.#ring = new ReceiveRing(settings);
    this.#acks = new Acknowledger(settings.conv, settings.extended);
    this.#window = new PeerWindow(settings.receiveWindow);
    this.#epochMs = settings.startMs;
  }

  // ── input ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * One datagram, `length` bytes at `offset` of the arena, in `slot`. True: the slot has been taken, it is in the receive
   * ring; false: it is still the caller's. Nothing that a datagram holds makes this throw.
   */
  handleDatagram(slot: number, offset: number, length: number, now: number): boolean {
    if (this.#disposed) return false;
    const nowUs = this.#tick(now);
    this.#freeScratch();
    const bytes = this.pool.bytes;
    const words = this.#words;
    const sender = this.#sender;
    const flight = sender.flight;
    const conv = this.#settings.conv;
    const end = offset + length;
    let at = offset;
    let taken = false;
    let good = length >= HEADER_BYTES;
    let una = sender.ring.una;
    while (end - at >= HEADER_BYTES) {
      let command: number;
      let ts: number;
      let sn: number;
      let segmentUna: number;
      let size: number;
      let segmentConv: number;
      if ((at & 3) === 0) {
        const word = at >>> 2;
        segmentConv = wireWord(words[word]!);
        command = wireWord(words[word + 1]!);
        ts = wireWord(words[word + 2]!);
        sn = wireWord(words[word + 3]!);
        segmentUna = wireWord(words[word + 4]!);
        size = wireWord(words[word + 5]!);
      } else {
        segmentConv = readInt32(bytes, at);
        command = readInt32(bytes, at + 4);
        ts = readInt32(bytes, at + 8);
        sn = readInt32(bytes, at + 12);
        segmentUna = readInt32(bytes, at + 16);
        size = readInt32(bytes, at + 20);
      }
      at += HEADER_BYTES;
      if (segmentConv !== conv || size < 0 || size > end - at) {
        good = false;
        break;
      }
      // `una` cannot be ahead of what was sent: such a segment is not from our peer.
      if (((segmentUna - sender.ring.next) | 0) > 0) {
        good = false;
        break;
      }
      const cmd = command & 0xff;
      if (cmd === Command.push) {
        const inOrder = sn === this.#ring.high;
        const arrival = this.#ring.accept(sn, slot, at, size, !taken);
        if (arrival === Arrival.tookSlot) taken = true;
        if (arrival <= Arrival.duplicate) {
          this.#received++;
          const duplicate = arrival === Arrival.duplicate;
          if (duplicate) this.#duplicates++;
          else this.#window.handleData();
          this.#acks.handleSegment(sn, ts, nowUs, inOrder, duplicate);
        } else {
          this.#dropped++;
        }
      } else if (cmd === Command.ack) {
        flight.handleAck(sn, ts, nowUs);
      } else if (cmd === Command.sack && this.#settings.extended) {
        flight.handleAck(sn, ts, nowUs);
        let first = ((segmentUna & ~31) + ((command >>> 8) & 0xff) * 32) | 0;
        for (let i = 0; i + 4 <= size; i += 4) {
          flight.handleBits(first, readInt32(bytes, at + i), nowUs);
          first = (first + 32) | 0;
        }
      } else if (cmd === Command.askWindow) {
        this.#window.handleAsk();
      } else if (cmd === Command.tellWindow) {
        this.#window.handleAnswer();
      } else {
        good = false;
        break;
      }
      if (((segmentUna - una) | 0) >= 0) {
        una = segmentUna;
        const wnd = command >>> 16;
        sender.remoteWindow = wnd;
        this.#window.handleWindow(wnd);
      }
      at += size;
    }
    if (!good) this.#rejected++;
    if (((una - sender.ring.una) | 0) > 0) flight.handleUna(una, nowUs);
    this.#count();
    return taken;
  }

  /**
   * Segments of this connection that follow each other, each alone in a datagram and a slot, with more payload than a quarter of a
   * slot: a run with its head at `words[at]`, `count` entries behind it. True = taken, all of them; false = they have to be
   * given to `handleDatagram` one by one: something is missing in front of them, or there is not room for all.
   */
  handleRun(words: Int32Array, at: number, count: number, now: number): boolean {
    if (this.#disposed) return false;
    const sender = this.#sender;
    const sn = words[at + RunHead.sn]!;
    const una = words[at + RunHead.una]!;
    const entries = at + RUN_WORDS;
    if (((una - sender.ring.next) | 0) > 0) return false;
    if (!this.#ring.acceptRun(sn, words, entries, count, words[at + RunHead.bytes]!)) return false;
    const nowUs = this.#tick(now);
    this.#freeScratch();
    this.#received += count;
    this.#window.handleData();
    this.#acks.handleRun(sn, words, entries, count, nowUs);
    const ahead = (una - sender.ring.una) | 0;
    if (ahead >= 0) {
      sender.remoteWindow = words[at + RunHead.window]!;
      this.#window.handleWindow(sender.remoteWindow);
    }
    if (ahead > 0) sender.flight.handleUna(una, nowUs);
    this.#count();
    return true;
  }

  /** The same for bytes that are not in the pool: copied into a slot. False when no slot was free, or too long. */
  handleBytes(bytes: Uint8Array, now: number): boolean {
    if (bytes.length > this.pool.slotBytes) return false;
    const slot = this.pool.alloc();
    if (slot < 0) return false;
    const offset = slot * this.pool.slotBytes;
    this.pool.bytes.set(bytes, offset);
    if (!this.handleDatagram(slot, offset, bytes.length, now)) this.pool.free(slot);
    return true;
  }

  // ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Bytes that can be written now. 0: wait until something has been acknowledged or the pool has slots again. */
  get writableBytes(): number {
    return this.#disposed ? 0 : this.#writer.writableBytes;
  }

  /**
   * Writes (offset, length) pairs of free space, in order, at `words[at]`; returns how many. Fill them, then `commit`:
   * the two are one step, anything else in between gives the space back.
   */
  reserve(words: Int32Array, at: number, maxPairs: number): number {
    if (this.#disposed) return 0;
    const pairs = this.#writer.reserve(words, at, maxPairs);
    this.#count();
    return pairs;
  }

  /** The first `bytes` of the reserved space are filled; the rest is given back. */
  commit(bytes: number): void {
    this.#writer.commit(bytes);
    this.#count();
  }

  /** Copies as much of `bytes` as there is room for, and returns how much. */
  write(bytes: Uint8Array): number {
    if (this.#disposed) return 0;
    const taken = this.#writer.write(bytes);
    this.#count();
    return taken;
  }

  /** The same for bytes that lie elsewhere in the arena. */
  writeFrom(offset: number, length: number): number {
    if (this.#disposed) return 0;
    const taken = this.#writer.writeFrom(offset, length);
    this.#count();
    return taken;
  }

  /** Bytes written and not yet known to have arrived; 0 = all delivered. */
  get unacknowledgedBytes(): number {
    return this.#writer.unacknowledgedBytes;
  }

  // ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  get readableBytes(): number {
    return this.#ring.readableBytes;
  }

  /** Slots of the pool that the connection holds, those of acknowledgements on their way out left aside. */
  get heldSlots(): number {
    return this.#ring.slots + this.#writer.slots;
  }

  /** Writes (offset, length) pairs of the readable bytes, in order, at `words[at]`; returns how many. */
  view(words: Int32Array, at: number, maxPairs: number): number {
    return this.#ring.view(words, at, maxPairs);
  }

  /** The first `bytes` readable bytes have been used. */
  consume(bytes: number): void {
    this.#ring.consume(bytes);
    this.#handleRead();
  }

  /** Moves the front slot with its bytes to the caller, who frees it. False: nothing to read. */
  takeSlot(out: TakenSlot): boolean {
    if (this.takeSlots(ENTRY, 0, 1) === 0) return false;
    out.slot = ENTRY[RunEntry.slot]!;
    out.offset = ENTRY[RunEntry.offset]!;
    out.length = ENTRY[RunEntry.length]!;
    return true;
  }

  /**
   * The same for up to `max` slots: a run of `RUN_WORDS` words each at `words[at]`, in the order of `RunEntry`. Returns how many.
   */
  takeSlots(words: Int32Array, at: number, max: number): number {
    const taken = this.#ring.takeRun(words, at, max);
    if (taken !== 0) this.#handleRead();
    return taken;
  }

  /** Copies readable bytes into `into` and consumes them; returns how many. */
  read(into: Uint8Array): number {
    let total = 0;
    while (total < into.length && this.#ring.view(PAIR, 0, 1) === 1) {
      const length = Math.min(PAIR[1]!, into.length - total);
      into.set(this.pool.bytes.subarray(PAIR[0]!, PAIR[0]! + length), total);
      total += length;
      this.#ring.consume(length);
    }
    this.#handleRead();
    return total;
  }

  // ── window ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Asks the peer for its window with the next `poll`; the answer counts in `stats.windowAnswers`. */
  askWindow(): void {
    this.#window.ask = true;
  }

  /** Free segments at the peer, as it last said. */
  get remoteWindow(): number {
    return this.#sender.remoteWindow;
  }

  /** The most it ever said: when it says so again, its reader has taken everything (proxies.md 3.7). 0 = said nothing. */
  get largestRemoteWindow(): number {
    return this.#window.largest;
  }

  // ── output ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Hands everything that is to leave now to `sink`: acknowledgements first, then data as pacing and windows allow. */
  poll(now: number, sink: DatagramSink): void {
    if (this.#disposed) return;
    const nowUs = this.#tick(now);
    this.#freeScratch();
    this.#writer.dropReservation();
    this.#count();
    this.#sender.settle(now, nowUs);
    this.#window.settle(now, this.#sender.blockedByPeer, this.#sender.flight.roundTrip.timeoutMs);
    const wnd = this.#ring.freeSegments;
    this.#starved = false;
    const sentBefore = this.#sender.datagrams;
    const open = this.#pollControl(sink, wnd, nowUs);
    this.#refused = !open || !this.#sender.poll(sink, this.#ts(now), this.#ring.next, wnd);
    if (this.#sender.datagrams !== sentBefore) {
      this.#window.handleAdvertised(wnd);
      if (this.#settings.extended && this.#ring.heldSegments === 0) this.#acks.handleCovered(now);
    }
  }

  /** When `poll` has something to do by itself: a time of the same clock as `now`, or `Infinity`. */
  get nextTimeout(): number {
    if (this.#disposed) return Infinity;
    if (this.#starved) return this.#nowMs + STARVED_RETRY_MS;
    if (this.#refused || this.#window.pending) return this.#nowMs;
    const windowAtMs = this.#window.nextTimeout(this.#sender.blockedByPeer);
    return Math.min(this.#sender.nextTimeout, windowAtMs, Math.max(this.#acks.dueAtMs, this.#nowMs));
  }

  /** Gives memory for bookkeeping back that was not needed since the last call: worth calling every few seconds. */
  trim(): void {
    if (this.#disposed) return;
    this.#writer.dropReservation();
    this.#count();
    this.#sender.ring.trim();
    this.#ring.trim();
    this.#acks.trim();
  }

  get stats(): KcpStats {
    const sender = this.#sender;
    const { flight, controller } = sender;
    const { roundTrip } = flight;
    return {
      srttMs: roundTrip.smoothedMs,
      rttVarMs: roundTrip.variationMs,
      minRttMs: roundTrip.minMs === Infinity ? 0 : roundTrip.minMs,
      timeoutMs: roundTrip.timeoutMs,
      timeoutsInARow: roundTrip.timeouts,
      sent: sender.sent,
      retransmitted: sender.retransmitted,
      spurious: flight.spurious,
      duplicated: sender.duplicated,
      received: this.#received,
      duplicatesReceived: this.#duplicates,
      dropped: this.#dropped,
      rejected: this.#rejected,
      deliveredBytes: flight.rates.deliveredBytes,
      inflightBytes: flight.inflightBytes,
      congestionWindowBytes: controller.windowBytes,
      pacingBytesPerMs: controller.bytesPerMs,
      remoteWindow: sender.remoteWindow,
      largestRemoteWindow: this.#window.largest,
      windowAnswers: this.#window.answers,
      sendQueueSegments: (sender.ring.end - sender.ring.una) | 0,
      receiveQueueSegments: (this.#ring.next - this.#ring.read) | 0,
      heldSegments: this.#ring.heldSegments,
      slots: this.heldSlots + this.#scratchCount,
      ringSegments: sender.ring.mask + this.#ring.mask + 2,
    };
  }

  /** Frees every slot. Afterwards nothing is taken, sent or readable. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#freeScratch();
    this.#writer.dropReservation();
    this.#sender.dispose();
    this.#writer.dispose();
    this.#ring.dispose();
    this.#count();
  }

  // ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Notes the time; returns it in microseconds since the start, wrapped to 32 bits. */
  #tick(now: number): number {
    this.#epochMs ??= now;
    this.#nowMs = now;
    return ((now - this.#epochMs) * 1000 + 0.5) | 0;
  }

  /** Tells the quota what is held now. */
  #count(): void {
    const { quota } = this.#settings;
    if (quota === undefined) return;
    const held = this.heldSlots;
    quota.held += held - this.#counted;
    this.#counted = held;
  }

  #handleRead(): void {
    this.#count();
    this.#window.handleRead(this.#ring.freeSegments, this.#ring.limit);
  }

  /** The connection's clock on the wire: whole milliseconds since its start (proxies.md 3.6). */
  #ts(now: number): number {
    return Math.floor(now - (this.#epochMs ?? now)) | 0;
  }

  /** Acknowledgements and window segments, in datagrams of their own: data datagrams stay of equal size. */
  #pollControl(sink: DatagramSink, wnd: number, nowUs: number): boolean {
    const acks = this.#acks;
    const window = this.#window;
    const { mtu, headerAt } = this.#settings;
    // All of them, once the first is due.
    const due = acks.dueAtMs <= this.#nowMs;
    while ((due && acks.pending > 0) || window.pending) {
      if (this.#scratchCount === MAX_SCRATCH_SLOTS) return false;
      const slot = this.pool.alloc();
      if (slot < 0) {
        this.#starved = true;
        return true;
      }
      this.#scratch[this.#scratchCount++] = slot;
      const offset = slot * this.pool.slotBytes + headerAt;
      const acked = acks.pending > 0 ? acks.write(this.#words, offset, mtu, this.#ring, wnd, nowUs) : 0;
      let length = acked;
      if (window.ask && length + HEADER_BYTES <= mtu) {
        length = this.#writeWindow(offset, length, Command.askWindow, wnd);
      }
      const asked = length !== acked;
      if (window.tell && length + HEADER_BYTES <= mtu) {
        length = this.#writeWindow(offset, length, Command.tellWindow, wnd);
      }
      if (!sink.datagram(offset, length)) return false;
      if (acked !== 0) acks.handleSent(this.#nowMs);
      window.handleAdvertised(wnd);
      window.handleSent(asked, length - acked > (asked ? HEADER_BYTES : 0), this.#nowMs);
    }
    return true;
  }

  #writeWindow(offset: number, length: number, cmd: number, wnd: number): number {
    const at = (offset + length) >>> 2;
    writeHeader(this.#words, at, this.#settings.conv, commandWord(cmd, 0, wnd), 0, 0, this.#ring.next, 0);
    return length + HEADER_BYTES;
  }

  #freeScratch(): void {
    while (this.#scratchCount !== 0) this.pool.free(this.#scratch[--this.#scratchCount]!);
  }
}

/** Without a free slot an acknowledgement cannot be written; it is tried again this much later. */
const STARVED_RETRY_MS = 1;
/** One pair for `read`: nothing of it outlives a call. */
const PAIR = new Int32Array(2);
/** A run of one slot for `takeSlot`, likewise. */
const ENTRY = new Int32Array(RUN_WORDS);
