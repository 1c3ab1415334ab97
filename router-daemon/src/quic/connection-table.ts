/**
 * Finds the connection of a packet by its destination connection ID. The first two bytes of those that we choose are a place in a
 * list, the rest is random: looking up costs no text and no object.
 */
import type { Connection } from "./connection.ts";
import { LOCAL_CID_BYTES } from "./packet.ts";

const PLACE_BYTES = 2;
/** What two bytes can name. */
const MAX_PLACES = 0x1_0000;

export class ConnectionTable<Owner> {
  count = 0;
  readonly #random: (bytes: Uint8Array) => void;
  readonly #maxConnections: number;
  readonly #places: (Connection<Owner> | undefined)[] = [];
  readonly #freePlaces: number[] = [];
  /** Server: connections by the ID that the client chose for its first packets. */
  readonly #originals = new Map<string, Connection<Owner>>();

  constructor(random: (bytes: Uint8Array) => void, maxConnections: number) {
    this.#random = random;
    this.#maxConnections = Math.min(maxConnections, MAX_PLACES);
  }

  *all(): Iterable<Connection<Owner>> {
    for (const connection of [...this.#places]) if (connection !== undefined) yield connection;
  }

  /** A connection ID for a new connection, which is to be added at once; undefined = the table is full. */
  reserve(): Uint8Array | undefined {
    if (this.count >= this.#maxConnections) return undefined;
    const place = this.#freePlaces[this.#freePlaces.length - 1] ?? this.#places.length;
    const cid = new Uint8Array(LOCAL_CID_BYTES);
    this.#random(cid);
    cid[0] = place >>> 8;
    cid[1] = place;
    return cid;
  }

  add(connection: Connection<Owner>): void {
    const place = placeOf(connection.localCid, 0);
    if (place === this.#places.length) this.#places.push(connection);
    else {
      this.#freePlaces.pop();
      this.#places[place] = connection;
    }
    this.count++;
    if (!connection.isClient)
      this.#originals.set(originalKey(connection.peerId, connection.originalCid), connection);
  }

  remove(connection: Connection<Owner>): void {
    const place = placeOf(connection.localCid, 0);
    if (this.#places[place] !== connection) return;
    this.#places[place] = undefined;
    this.#freePlaces.push(place);
    this.count--;
    const key = originalKey(connection.peerId, connection.originalCid);
    if (this.#originals.get(key) === connection) this.#originals.delete(key);
  }

  /** The connection that has chosen this ID, if it is one with this peer. */
  find(bytes: Uint8Array, at: number, length: number, peerId: number): Connection<Owner> | undefined {
    if (length !== LOCAL_CID_BYTES) return undefined;
    const connection = this.#places[placeOf(bytes, at)];
    if (connection === undefined || connection.peerId !== peerId) return undefined;
    const { localCid } = connection;
    for (let i = PLACE_BYTES; i < LOCAL_CID_BYTES; i++) if (bytes[at + i] !== localCid[i]) return undefined;
    return connection;
  }

  /** The connection that a client's first packets, with an ID of its own choice, belong to. */
  findOriginal(bytes: Uint8Array, at: number, length: number, peerId: number): Connection<Owner> | undefined {
    return this.#originals.get(originalKey(peerId, bytes.subarray(at, at + length)));
  }
}

function placeOf(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function originalKey(peerId: number, cid: Uint8Array): string {
  return `${peerId}:${String.fromCharCode(...cid)}`;
}
