/**
 * A client of ubusd that stays: it connects, publishes one object, and starts over whenever the connection ends
 * (ubus-wire.md 6, 7). No clock and no timer of its own: `nextTimeout` says when `handleTimeout` is due.
 *
 * ```
 *  waiting ──▶ connecting ─HELLO─▶ connected ─ADD_OBJECT, DATA, STATUS 0─▶ registered
 *     ▲            │                   │  ▲                                    │
 *     │            │                   │  └─ refused: asked again after a pause
 *     └── pause ◀──┴───── closed ◀─────┴──────────────── closed ◀──────────────┘
 * ```
 */
import type { ByteStream, Streams } from "../host/streams.ts";
import { type BlobFields, decodeFields, encodeFields } from "./blobmsg.ts";
import { EVENT_OBJECT, MessageType, UbusStatus } from "./constants.ts";
import {
  MAX_CALLS,
  MAX_MESSAGE_BYTES,
  MAX_UNSENT_BYTES,
  RECONNECT_MAX_MS,
  RECONNECT_MIN_MS,
  REQUEST_TIMEOUT_MS,
} from "./limits.ts";
import { type Attributes, encodeMessage, type UbusMessage } from "./message.ts";
import { MessageReader } from "./message-reader.ts";
import type { UbusObject, UbusResult } from "./object.ts";
import { type Reply, Requests } from "./requests.ts";

export type UbusState = "waiting" | "connecting" | "connected" | "registered" | "closed";

export interface UbusClientOptions {
  readonly streams: Pick<Streams, "connect">;
  /** Socket of ubusd. */
  readonly path: string;
  readonly object: UbusObject;
  /** Events of others to be heard, `network.*`. */
  readonly listen?: { readonly pattern: string; hear(id: string, fields: BlobFields): void };
  /** Monotonic milliseconds. */
  now(): number;
  /** `nextTimeout` may be earlier than before. */
  onTimeoutChange?(): void;
  /** The state has changed; `reason` says in a few words why it went back. */
  onState?(state: UbusState, reason: string): void;
}

const NEVER = Number.POSITIVE_INFINITY;
/** Room for names and ids around the data of one message. */
const ENVELOPE_BYTES = 1024;

export class UbusClient {
  readonly #options: UbusClientOptions;
  readonly #requests = new Requests();
  #state: UbusState = "waiting";
  #stream: ByteStream | undefined;
  #reader = new MessageReader();
  #objectId = 0;
  /** The nameless object that hears events. */
  #listenerId = 0;
  #hasSubscribers = false;
  /** Calls that are being answered. */
  #calls = 0;
  /** Bytes written since everything written had left. */
  #unsentBytes = 0;
  /** When to connect, to give up on HELLO, or to ask for the object again. */
  #dueAt = NEVER;
  #pauseMs = RECONNECT_MIN_MS;

  constructor(options: UbusClientOptions) {
    this.#options = options;
  }

  get state(): UbusState {
    return this.#state;
  }

  /** Somebody is subscribed to our object: `notify` has a reader. */
  get hasSubscribers(): boolean {
    return this.#hasSubscribers;
  }

  get nextTimeout(): number {
    return Math.min(this.#dueAt, this.#requests.nextTimeout);
  }

  handleTimeout(now: number): void {
    this.#requests.handleTimeout(now);
    if (now < this.#dueAt) return;
    this.#dueAt = NEVER;
    if (this.#state === "waiting") this.start();
    else if (this.#state === "connecting") this.#stream?.destroy();
    else if (this.#state === "connected") this.#register();
  }

  // ── life ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Connects; from here on it keeps itself connected. */
  start(): void {
    if (this.#state !== "waiting" || this.#stream !== undefined) return;
    this.#setState("connecting", "");
    this.#due(REQUEST_TIMEOUT_MS);
    this.#reader = new MessageReader();
    const stream = this.#options.streams.connect(
      { unix: this.#options.path },
      {
        data: (bytes) => this.#handleBytes(bytes),
        ended: () => stream.destroy(),
        drained: () => {
          this.#unsentBytes = 0;
        },
        closed: (code) => this.#handleClosed(code),
      },
    );
    this.#stream = stream;
  }

  /** Ends the connection for good: ubusd removes our object. */
  close(): void {
    this.#setState("closed", "");
    this.#dueAt = NEVER;
    this.#requests.failAll();
    this.#stream?.destroy();
    this.#stream = undefined;
  }

  #handleClosed(code: string): void {
    this.#stream = undefined;
    this.#objectId = 0;
    this.#listenerId = 0;
    this.#hasSubscribers = false;
    this.#unsentBytes = 0;
    if (this.#state === "closed") return;
    this.#retryLater();
    this.#setState("waiting", code === "" ? "the connection ended" : code);
    this.#requests.failAll();
  }

  #retryLater(): void {
    this.#due(this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, RECONNECT_MAX_MS);
  }

  #due(afterMs: number): void {
    this.#dueAt = this.#options.now() + afterMs;
    this.#options.onTimeoutChange?.();
  }

  #setState(state: UbusState, reason: string): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#options.onState?.(state, reason);
  }

  #register(): void {
    const { path, signature } = this.#options.object;
    const fields = encodeFields(signature, MAX_MESSAGE_BYTES) ?? new Uint8Array(0);
    this.#request(MessageType.addObject, 0, { objectPath: path, signature: fields }, ({ status, parts }) => {
      const objectId = parts[0]?.objectId;
      if (status === UbusStatus.ok && objectId !== undefined) {
        this.#objectId = objectId;
        this.#pauseMs = RECONNECT_MIN_MS;
        this.#setState("registered", "");
        this.#listen();
      } else if (status === UbusStatus.timeout) {
        // Whatever it is that does not answer, another connection is worth a try.
        this.#stream?.destroy();
      } else if (this.#state === "connected") {
        // The one failure ubusd has for a path in use and for a missing right (ubus-wire.md 6).
        this.#retryLater();
        this.#options.onState?.("connected", `ubusd refused the object (status ${status})`);
      }
    });
  }

  /** Events need an object that they come to; when that fails, they are missed until the next connection. */
  #listen(): void {
    const pattern = this.#options.listen?.pattern;
    if (pattern === undefined) return;
    this.#request(MessageType.addObject, 0, {}, ({ parts }) => {
      const objectId = parts[0]?.objectId;
      if (objectId === undefined) return;
      this.#listenerId = objectId;
      // ubusd reads the id as a signed field.
      const data = encodeFields({ object: objectId | 0, pattern }, MAX_MESSAGE_BYTES);
      if (data === undefined) return;
      this.#request(
        MessageType.invoke,
        EVENT_OBJECT,
        { objectId: EVENT_OBJECT, method: "register", data },
        () => {},
      );
    });
  }

  // ── input ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #handleBytes(bytes: Uint8Array): void {
    const stream = this.#stream;
    this.#reader.push(bytes);
    for (let next = this.#reader.next(); next !== undefined; next = this.#reader.next()) {
      this.#handleMessage(next);
      if (this.#stream !== stream) return;
    }
    if (this.#reader.isBroken) stream?.destroy();
  }

  #handleMessage(message: UbusMessage): void {
    switch (message.type) {
      case MessageType.hello:
        if (this.#state !== "connecting") return;
        this.#dueAt = NEVER;
        this.#setState("connected", "");
        this.#register();
        return;
      case MessageType.status:
      case MessageType.data:
        this.#requests.handle(message, message.type === MessageType.status);
        return;
      case MessageType.invoke:
        this.#handleCall(message);
        return;
      case MessageType.notify:
        if (message.objectId === this.#objectId) this.#hasSubscribers = message.active === true;
        return;
      default:
    }
  }

  /** The answer carries the caller's sequence and id: two callers may use the same sequence (ubus-wire.md 5). */
  #handleCall({ sequence, peer, objectId, method, data, noReply }: UbusMessage): void {
    if (objectId === undefined || method === undefined) return;
    if (objectId === this.#listenerId) {
      // Nobody waits for an answer to an event.
      this.#options.listen?.hear(method, (data && decodeFields(data)) ?? {});
      return;
    }
    const stream = this.#stream;
    const answer = (status: number, fields?: Uint8Array): void => {
      if (noReply === true || stream === undefined || stream !== this.#stream) return;
      if (fields !== undefined && this.#isCongested) {
        answer(UbusStatus.noMemory);
        return;
      }
      if (fields !== undefined) this.#send(MessageType.data, sequence, peer, { objectId, data: fields });
      this.#send(MessageType.status, sequence, peer, { status, objectId });
    };
    if (objectId !== this.#objectId) {
      answer(UbusStatus.notFound);
      return;
    }
    if (this.#isCongested || this.#calls >= MAX_CALLS) {
      answer(UbusStatus.noMemory);
      return;
    }
    this.#calls++;
    const args = data === undefined ? {} : decodeFields(data);
    void this.#options.object.handle(method, args).then((reply) => {
      this.#calls--;
      answer(reply.status, reply.data);
    });
  }

  // ── output ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Looks an object up and calls it. `data` holds what it answered; a failure is a status, never a rejection. */
  async call(path: string, method: string, args: BlobFields): Promise<UbusResult> {
    const found = await this.#ask(MessageType.lookup, 0, { objectPath: path });
    if (found.status !== UbusStatus.ok) return { status: found.status, data: [] };
    // An object that access lists hide is "found" without data.
    const objectId = found.parts[0]?.objectId;
    if (objectId === undefined) return { status: UbusStatus.notFound, data: [] };
    const data = encodeFields(args, MAX_MESSAGE_BYTES - ENVELOPE_BYTES);
    if (data === undefined) return { status: UbusStatus.noMemory, data: [] };
    const { status, parts } = await this.#ask(MessageType.invoke, objectId, { objectId, method, data });
    const answers = parts.map((part) => (part.data === undefined ? undefined : decodeFields(part.data)));
    return { status, data: answers.filter((fields) => fields !== undefined) };
  }

  /** Tells everybody who listens. False = not connected, or too long. */
  sendEvent(id: string, fields: BlobFields): boolean {
    const data = encodeFields({ id, data: fields }, MAX_MESSAGE_BYTES - ENVELOPE_BYTES);
    if (data === undefined || this.#state !== "registered" || this.#isCongested) return false;
    // The status that comes back answers no request of ours and is ignored.
    const sequence = this.#requests.nextSequence();
    return this.#send(MessageType.invoke, sequence, EVENT_OBJECT, {
      objectId: EVENT_OBJECT,
      method: "send",
      data,
    });
  }

  /** Tells the subscribers of our object; nothing is sent while there are none. */
  notify(event: string, fields: BlobFields): boolean {
    if (!this.#hasSubscribers || this.#isCongested) return false;
    const data = encodeFields(fields, MAX_MESSAGE_BYTES - ENVELOPE_BYTES);
    if (data === undefined) return false;
    const objectId = this.#objectId;
    const sequence = this.#requests.nextSequence();
    return this.#send(MessageType.notify, sequence, objectId, {
      objectId,
      method: event,
      data,
      noReply: true,
    });
  }

  #ask(type: number, peer: number, attributes: Attributes): Promise<Reply> {
    return new Promise((resolve) => this.#request(type, peer, attributes, resolve));
  }

  #request(type: number, peer: number, attributes: Attributes, done: (reply: Reply) => void): void {
    const sequence = this.#requests.nextSequence();
    const added = this.#stream !== undefined && this.#requests.add(sequence, peer, this.#options.now(), done);
    if (!added || !this.#send(type, sequence, peer, attributes)) {
      if (added) this.#requests.cancel(sequence);
      done({ status: UbusStatus.connectionFailed, parts: [] });
      return;
    }
    this.#options.onTimeoutChange?.();
  }

  #send(type: number, sequence: number, peer: number, attributes: Attributes): boolean {
    const stream = this.#stream;
    const bytes = encodeMessage({ type, sequence, peer, ...attributes });
    if (stream === undefined || bytes === undefined) return false;
    this.#unsentBytes = stream.write(bytes) ? 0 : this.#unsentBytes + bytes.length;
    return true;
  }

  /** ubusd does not read: nothing long is added to what waits for it. */
  get #isCongested(): boolean {
    return this.#unsentBytes > MAX_UNSENT_BYTES;
  }
}
