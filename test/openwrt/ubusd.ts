/**
 * A stand-in for OpenWrt's ubusd, by the facts of ubus-wire.md: enough for a service, its callers, events and subscriptions. It moves
 * no bytes itself: whoever has a connection attaches it. `ubusd-server.ts` gives it a unix socket.
 */
import { type BlobFields, decodeFields, encodeFields } from "../../router-daemon/src/ubus/blobmsg.ts";
import { EVENT_OBJECT, MessageType, UbusStatus } from "../../router-daemon/src/ubus/constants.ts";
import { MAX_MESSAGE_BYTES } from "../../router-daemon/src/ubus/limits.ts";
import { type Attributes, encodeMessage, type UbusMessage } from "../../router-daemon/src/ubus/message.ts";
import { MessageReader } from "../../router-daemon/src/ubus/message-reader.ts";

/** The way to one client. */
export interface Port {
  write(bytes: Uint8Array): void;
  close(): void;
}

/** One client, as the side that reads its bytes sees it. */
export interface Attached {
  receive(bytes: Uint8Array): void;
  /** The client is gone: its objects go. */
  detach(): void;
}

interface Client {
  readonly id: number;
  readonly user: string;
  readonly port: Port;
  readonly reader: MessageReader;
}

interface PublishedObject {
  readonly id: number;
  readonly owner: Client;
  /** Empty for anonymous ones. */
  readonly path: string;
  readonly type: number;
  readonly signature: Uint8Array;
  /** Objects that hear its notifications. */
  readonly subscribers: Set<number>;
  /** Patterns of events it hears. */
  readonly patterns: string[];
}

export class Ubusd {
  readonly #nextId: () => number;
  readonly #clients = new Map<number, Client>();
  readonly #objects = new Map<number, PublishedObject>();
  readonly #listeners: { readonly pattern: string; readonly hear: (fields: BlobFields) => void }[] = [];
  #sequence = 0;

  /** `nextId` gives the ids of clients, objects and types, in the order in which they are made. */
  constructor(nextId: () => number) {
    this.#nextId = nextId;
  }

  /** Hears events without being a client. */
  listen(pattern: string, hear: (fields: BlobFields) => void): void {
    this.#listeners.push({ pattern, hear });
  }

  get paths(): readonly string[] {
    return [...this.#objects.values()].map(({ path }) => path).filter((path) => path !== "");
  }

  /** A client has connected. Users other than root may do nothing, as without access files of their own. */
  attach(port: Port, user = "root"): Attached {
    const client: Client = { id: this.#nextId(), user, port, reader: new MessageReader() };
    this.#clients.set(client.id, client);
    this.#send(client, MessageType.hello, 0, client.id, {});
    return {
      receive: (bytes) => this.#receive(client, bytes),
      detach: () => this.#detach(client),
    };
  }

  #detach(client: Client): void {
    if (!this.#clients.delete(client.id)) return;
    for (const object of [...this.#objects.values()]) {
      if (object.owner === client) this.#remove(object);
    }
  }

  #receive(client: Client, bytes: Uint8Array): void {
    // What is still on its way from somebody who is gone is not read any more.
    if (!this.#clients.has(client.id)) return;
    client.reader.push(bytes);
    for (let next = client.reader.next(); next !== undefined; next = client.reader.next()) {
      this.#handle(client, next);
    }
    if (!client.reader.isBroken) return;
    this.#detach(client);
    client.port.close();
  }

  #handle(client: Client, message: UbusMessage): void {
    const { sequence, peer } = message;
    switch (message.type) {
      case MessageType.ping:
        this.#send(client, MessageType.data, sequence, peer, {});
        return;
      case MessageType.data:
      case MessageType.status:
        this.#forwardAnswer(client, message);
        return;
      case MessageType.invoke:
        this.#invoke(client, message);
        return;
      case MessageType.notify:
        this.#notify(client, message);
        return;
      default: {
        const status = this.#command(client, message);
        this.#send(client, MessageType.status, sequence, peer, { status });
      }
    }
  }

  #command(client: Client, message: UbusMessage): number {
    switch (message.type) {
      case MessageType.lookup:
        return this.#lookup(client, message);
      case MessageType.addObject:
        return this.#addObject(client, message);
      case MessageType.removeObject: {
        const object = this.#own(client, message.objectId);
        if (object === undefined) return UbusStatus.notFound;
        this.#remove(object);
        const { id: objectId, type: objectType } = object;
        this.#reply(client, message, object.path === "" ? { objectId } : { objectId, objectType });
        return UbusStatus.ok;
      }
      case MessageType.subscribe:
        return this.#subscribe(client, message);
      case MessageType.unsubscribe: {
        const target = this.#objects.get(message.target ?? 0);
        if (target === undefined || !target.subscribers.delete(message.objectId ?? 0))
          return UbusStatus.notFound;
        this.#tellActive(target, target.subscribers.size === 0 ? false : undefined);
        return UbusStatus.ok;
      }
      default:
        return UbusStatus.invalidCommand;
    }
  }

  // ── objects ───────────────────────────────────────────────────────────────────────────────────────────────────

  #lookup(client: Client, message: UbusMessage): number {
    const wanted = message.objectPath;
    const found = [...this.#objects.values()].filter(
      ({ path }) => path !== "" && (wanted === undefined || matches(wanted, path)),
    );
    if (found.length === 0 && wanted !== undefined) return UbusStatus.notFound;
    // What a user may not see is found, but not shown.
    for (const { path, id, type, signature } of client.user === "root" ? found : []) {
      this.#reply(client, message, { objectPath: path, objectId: id, objectType: type, signature });
    }
    return UbusStatus.ok;
  }

  #addObject(client: Client, message: UbusMessage): number {
    const { objectPath: path, signature } = message;
    if (path !== undefined) {
      const taken = [...this.#objects.values()].some((object) => object.path === path);
      if (taken || client.user !== "root" || !isSignature(signature)) return UbusStatus.invalidArgument;
    }
    const object: PublishedObject = {
      id: this.#nextId(),
      owner: client,
      path: path ?? "",
      type: path === undefined ? 0 : this.#nextId(),
      signature: signature ?? new Uint8Array(0),
      subscribers: new Set(),
      patterns: [],
    };
    this.#objects.set(object.id, object);
    const { id: objectId, type: objectType } = object;
    this.#reply(client, message, path === undefined ? { objectId } : { objectId, objectType });
    if (path !== undefined) this.#broadcast("ubus.object.add", { id: objectId, path }, undefined);
    return UbusStatus.ok;
  }

  #remove(object: PublishedObject): void {
    this.#objects.delete(object.id);
    for (const id of object.subscribers) {
      const subscriber = this.#objects.get(id);
      if (subscriber === undefined) continue;
      const sequence = this.#nextSequence();
      this.#send(subscriber.owner, MessageType.unsubscribe, sequence, 0, {
        objectId: id,
        target: object.id,
      });
    }
    for (const other of this.#objects.values()) {
      if (other.subscribers.delete(object.id)) {
        this.#tellActive(other, other.subscribers.size === 0 ? false : undefined);
      }
    }
    if (object.path !== "")
      this.#broadcast("ubus.object.remove", { id: object.id, path: object.path }, undefined);
  }

  #own(client: Client, objectId: number | undefined): PublishedObject | undefined {
    const object = this.#objects.get(objectId ?? 0);
    return object?.owner === client ? object : undefined;
  }

  // ── calls ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #invoke(client: Client, message: UbusMessage): void {
    const { sequence, peer, objectId, method, data, noReply } = message;
    const status = (value: number) =>
      this.#send(client, MessageType.status, sequence, peer, { status: value });
    if (objectId === undefined || method === undefined) {
      status(UbusStatus.invalidArgument);
      return;
    }
    if (objectId === EVENT_OBJECT) {
      status(this.#callEventObject(client, method, decodeFields(data ?? new Uint8Array(0)) ?? {}));
      return;
    }
    const object = this.#objects.get(objectId);
    if (object === undefined || client.user !== "root") {
      status(object === undefined ? UbusStatus.notFound : UbusStatus.permissionDenied);
      return;
    }
    this.#send(object.owner, MessageType.invoke, sequence, client.id, {
      objectId,
      method,
      user: client.user,
      group: client.user,
      ...(data === undefined ? {} : { data }),
      ...(noReply === true ? { noReply } : {}),
    });
  }

  /** To the caller it comes from the object; who does not own that object is not heard. */
  #forwardAnswer(owner: Client, { type, sequence, peer, status, objectId, data }: UbusMessage): void {
    const caller = this.#clients.get(peer);
    if (caller === undefined || objectId === undefined || this.#own(owner, objectId) === undefined) return;
    this.#send(caller, type, sequence, objectId, {
      objectId,
      ...(status === undefined ? {} : { status }),
      ...(data === undefined ? {} : { data }),
    });
  }

  // ── events and notifications ──────────────────────────────────────────────────────────────────────────────────

  #callEventObject(client: Client, method: string, args: BlobFields): number {
    if (client.user !== "root") return UbusStatus.permissionDenied;
    if (method === "send") {
      const { id, data } = args;
      if (typeof id !== "string" || typeof data !== "object" || data === null || Array.isArray(data))
        return UbusStatus.invalidArgument;
      if (id.startsWith("ubus.")) return UbusStatus.permissionDenied;
      this.#broadcast(id, data as BlobFields, client);
      return UbusStatus.ok;
    }
    if (method !== "register") return UbusStatus.methodNotFound;
    const listener = this.#own(client, Number(args.object) >>> 0);
    if (listener === undefined || typeof args.pattern !== "string") return UbusStatus.invalidArgument;
    listener.patterns.push(args.pattern);
    return UbusStatus.ok;
  }

  #broadcast(id: string, fields: BlobFields, sender: Client | undefined): void {
    for (const { pattern, hear } of this.#listeners) if (matches(pattern, id)) hear(fields);
    const data = encodeFields(fields, MAX_MESSAGE_BYTES) ?? new Uint8Array(0);
    for (const object of this.#objects.values()) {
      if (object.owner === sender || !object.patterns.some((pattern) => matches(pattern, id))) continue;
      const attributes = { objectId: object.id, method: id, data };
      this.#send(object.owner, MessageType.invoke, this.#nextSequence(), 0, attributes);
    }
  }

  #subscribe(client: Client, { objectId, target }: UbusMessage): number {
    const subscriber = this.#own(client, objectId);
    const object = this.#objects.get(target ?? 0);
    if (subscriber === undefined || object === undefined) return UbusStatus.notFound;
    object.subscribers.add(subscriber.id);
    this.#tellActive(object, object.subscribers.size === 1 ? true : undefined);
    return UbusStatus.ok;
  }

  #tellActive(object: PublishedObject, active: boolean | undefined): void {
    if (active === undefined) return;
    this.#send(object.owner, MessageType.notify, this.#nextSequence(), 0, { objectId: object.id, active });
  }

  #notify(client: Client, { sequence, peer, objectId, method, data, noReply }: UbusMessage): void {
    const object = this.#own(client, objectId);
    if (object === undefined || method === undefined) {
      if (noReply !== true)
        this.#send(client, MessageType.status, sequence, peer, { status: UbusStatus.notFound });
      return;
    }
    for (const id of object.subscribers) {
      const subscriber = this.#objects.get(id);
      if (subscriber === undefined) continue;
      this.#send(subscriber.owner, MessageType.invoke, sequence, client.id, {
        objectId: id,
        method,
        user: client.user,
        group: client.user,
        ...(data === undefined ? {} : { data }),
        noReply: true,
      });
    }
    if (noReply !== true)
      this.#send(client, MessageType.status, sequence, peer, { status: 0, objectId: object.id });
  }

  // ── output ────────────────────────────────────────────────────────────────────────────────────────────────────

  #reply(client: Client, { sequence, peer }: UbusMessage, attributes: Attributes): void {
    this.#send(client, MessageType.data, sequence, peer, attributes);
  }

  #send(client: Client, type: number, sequence: number, peer: number, attributes: Attributes): void {
    const bytes = encodeMessage({ type, sequence, peer, ...attributes });
    if (bytes !== undefined && this.#clients.has(client.id)) client.port.write(bytes);
  }

  #nextSequence(): number {
    this.#sequence = (this.#sequence + 1) & 0xffff;
    return this.#sequence;
  }
}

/** A trailing `*` stands for anything. */
function matches(pattern: string, text: string): boolean {
  return pattern.endsWith("*") ? text.startsWith(pattern.slice(0, -1)) : text === pattern;
}

/** One table per method, each holding numbers. */
function isSignature(signature: Uint8Array | undefined): boolean {
  const methods = signature === undefined ? undefined : decodeFields(signature);
  if (methods === undefined) return false;
  return Object.values(methods).every(
    (args) =>
      typeof args === "object" &&
      args !== null &&
      !Array.isArray(args) &&
      Object.values(args).every((type) => typeof type === "number"),
  );
}
