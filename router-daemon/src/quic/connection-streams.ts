/**
 * The streams of one connection: which there are, which of them have something to send and in what order, and the flow control that
 * they share (RFC 9000, 4.1 and 4.6).
 *
 * ```
 *   queueHead ─▶ core ─▶ core ─▶ …     bytes to send, in turns; what is repeated goes to the front
 *   pendingHead ─▶ core ─▶ …           limits and ends to tell
 * ```
 */
import type { SlotPool, SlotQuota } from "kcp-ts";
import { FLOAT_ZERO } from "kcp-ts/recovery";
import type { ConnectionHost } from "./connection.ts";
import { QuicError } from "./frames.ts";
import { INITIAL_STREAM_WINDOW, STREAM_WINDOW_POOL_SHIFT, WINDOW_UPDATE_SHIFT } from "./limits.ts";
import { Item } from "./sent-packets.ts";
import { StreamCore, type StreamHost } from "./stream-core.ts";
import { DEFAULT_PARAMETERS, type TransportParameters } from "./transport-parameters.ts";

export abstract class ConnectionStreams<Owner> implements StreamHost {
  readonly host: ConnectionHost<Owner>;
  readonly isClient: boolean;
  readonly peerId: number;
  readonly quota: SlotQuota;
  peer: TransportParameters = DEFAULT_PARAMETERS;
  /** The time of the input being handled, or of the output being made. */
  now: number;

  // ── streams ───────────────────────────────────────────────────────────────────────────────────────────────────────
  readonly streams = new Map<number, StreamCore>();
  /** Streams that may be opened (client), or have been (server): a count. */
  openedStreams = 0;
  /** How many the peer allows us, and how many we allow it. */
  maxStreamsPeer = 0;
  maxStreamsLocal = 0;
  queueHead: StreamCore | undefined = undefined;
  #queueTail: StreamCore | undefined = undefined;
  readonly #held: StreamCore[] = [];
  /** When the next chunk that is not full may leave. */
  partialAtMs = -Infinity;
  pendingHead: StreamCore | undefined = undefined;
  #pendingTail: StreamCore | undefined = undefined;

  // ── flow control of the connection, bytes ─────────────────────────────────────────────────────────────────────────
  /** New stream bytes that were sent, and how many the peer allows. */
  sentData = FLOAT_ZERO;
  maxDataPeer = FLOAT_ZERO;
  maxDataLocal: number;
  /** A stream has bytes that the peer's limits keep back. */
  isBlocked = false;
  readonly #window: number;
  readonly streamWindow: number;
  #receivedData = FLOAT_ZERO;
  #consumedData = FLOAT_ZERO;

  /** Since when there is no stream. */
  protected unusedSince: number;

  constructor(host: ConnectionHost<Owner>, isClient: boolean, peerId: number, now: number) {
    this.host = host;
    this.isClient = isClient;
    this.peerId = peerId;
    this.now = now;
    this.unusedSince = now;
    this.quota = host.quotaOf(peerId);
    const poolBytes = host.pool.slotCount * host.pool.slotBytes;
    this.streamWindow = Math.min(INITIAL_STREAM_WINDOW, poolBytes >>> STREAM_WINDOW_POOL_SHIFT);
    this.#window = Math.max(2 * this.streamWindow, poolBytes >>> (STREAM_WINDOW_POOL_SHIFT - 1));
    this.maxDataLocal = this.#window;
    this.maxStreamsLocal = isClient ? 0 : host.limits.maxStreamsPerConnection;
  }

  /** Packets may come and go. */
  abstract get isAlive(): boolean;
  abstract get isOpen(): boolean;
  abstract get chunkBytes(): number;
  abstract get windowChunks(): number;
  abstract get smoothedRttMs(): number;
  /** `Item` bits of the connection that must be told. */
  abstract owe(items: number): void;
  /** Something is to be sent. */
  protected abstract requestPoll(): void;
  /** Server: the client has opened a stream. */
  protected abstract streamOpened(core: StreamCore): void;

  get pool(): SlotPool {
    return this.host.pool;
  }

  get spareSlots(): number {
    return this.host.limits.spareSlots;
  }

  /** Streams that could be opened now. */
  get streamCredit(): number {
    return this.isOpen && this.isClient ? this.maxStreamsPeer - this.openedStreams : 0;
  }

  // ── what streams ask for ───────────────────────────────────────────────────────────────────────────────────────────

  requestOutput(core: StreamCore): void {
    if (!this.isAlive) return;
    if (core.pending !== 0 && !core.isPending) {
      core.isPending = true;
      core.nextPending = undefined;
      if (this.#pendingTail === undefined) this.pendingHead = core;
      else this.#pendingTail.nextPending = core;
      this.#pendingTail = core;
    }
    if (core.send.hasOutput && !core.isQueued) {
      core.isQueued = true;
      // What is repeated holds up its reader: it goes first.
      if (core.send.lostChunks > 0) {
        core.nextQueued = this.queueHead;
        this.queueHead = core;
        this.#queueTail ??= core;
      } else this.#enqueue(core);
    }
    this.requestPoll();
  }

  #enqueue(core: StreamCore): void {
    core.nextQueued = undefined;
    if (this.#queueTail === undefined) this.queueHead = core;
    else this.#queueTail.nextQueued = core;
    this.#queueTail = core;
  }

  /** The stream at the head has had its turn. */
  rotateQueue(): void {
    const core = this.queueHead!;
    if (core.nextQueued === undefined) return;
    this.queueHead = core.nextQueued;
    this.#enqueue(core);
  }

  /** The stream at the head has nothing to send, or may not. */
  leaveQueue(): void {
    const core = this.queueHead!;
    this.queueHead = core.nextQueued;
    if (this.queueHead === undefined) this.#queueTail = undefined;
    core.nextQueued = undefined;
    core.isQueued = false;
  }

  /** The stream at the head has only a chunk that its writer may still fill. */
  holdBack(): void {
    const core = this.queueHead!;
    this.leaveQueue();
    if (core.isHeld) return;
    core.isHeld = true;
    this.#held.push(core);
  }

  /** What was held back has waited long enough. */
  letGo(): void {
    for (const core of this.#held) {
      core.isHeld = false;
      this.requestOutput(core);
    }
    this.#held.length = 0;
  }

  get heldCount(): number {
    return this.#held.length;
  }

  leavePending(): void {
    const core = this.pendingHead!;
    this.pendingHead = core.nextPending;
    if (this.pendingHead === undefined) this.#pendingTail = undefined;
    core.nextPending = undefined;
    core.isPending = false;
  }

  noteReceived(bytes: number): boolean {
    this.#receivedData += bytes;
    return this.#receivedData <= this.maxDataLocal;
  }

  noteConsumed(bytes: number): void {
    this.#consumedData += bytes;
    if (this.maxDataLocal - this.#consumedData > this.#window - (this.#window >>> WINDOW_UPDATE_SHIFT))
      return;
    this.maxDataLocal = this.#consumedData + this.#window;
    this.owe(Item.maxData);
  }

  streamOver(core: StreamCore): void {
    if (!this.streams.delete(core.id)) return;
    if (!this.isClient) {
      this.maxStreamsLocal++;
      const { maxStreamsPerConnection } = this.host.limits;
      // Told in steps: when an eighth of what we allow has gone.
      if (this.maxStreamsLocal % Math.max(1, maxStreamsPerConnection >>> 3) === 0) this.owe(Item.maxStreams);
    }
    if (this.streams.size === 0) this.unusedSince = this.now;
  }

  /** Client: a new stream; undefined = the peer allows no more. */
  openStream(now: number): StreamCore | undefined {
    if (this.streamCredit <= 0) return undefined;
    return this.#addStream(4 * this.openedStreams++, now);
  }

  #addStream(id: number, now: number): StreamCore {
    const maxSend = this.isClient ? this.peer.maxStreamDataRemote : this.peer.maxStreamDataLocal;
    const core = new StreamCore(id, this, maxSend, this.streamWindow, now);
    this.streams.set(id, core);
    return core;
  }

  // ── what the peer says ──────────────────────────────────────────────────────────────────────────────────────────────

  /** The stream of a frame that the peer sends on it: undefined = it is over; a number = the error that closes the connection. */
  streamFor(id: number, now: number): StreamCore | undefined | number {
    const core = this.streams.get(id);
    if (core !== undefined) return core;
    // Only clients open streams here, and only bidirectional ones (proxies.md 6.2).
    if (id % 4 !== 0) return QuicError.streamLimit;
    const index = id / 4;
    if (index < this.openedStreams) return undefined;
    if (this.isClient) return QuicError.streamState;
    if (index >= this.maxStreamsLocal) return QuicError.streamLimit;
    // A stream opens all that are below it (RFC 9000, 2.1).
    while (this.openedStreams <= index) {
      const opened = this.#addStream(4 * this.openedStreams++, now);
      this.streamOpened(opened);
    }
    return this.streams.get(id);
  }

  handleMaxData(limit: number): void {
    if (limit <= this.maxDataPeer) return;
    this.maxDataPeer = limit;
    this.isBlocked = false;
    for (const core of this.streams.values()) if (core.send.hasOutput) this.requestOutput(core);
  }

  /** Every stream is over; returns those that were not. */
  protected clearStreams(): StreamCore[] {
    const cores = [...this.streams.values()];
    this.streams.clear();
    this.queueHead = this.#queueTail = undefined;
    this.#held.length = 0;
    this.pendingHead = this.#pendingTail = undefined;
    return cores;
  }
}
