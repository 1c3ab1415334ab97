/** Puts messages together again from pieces that come in any order, in bounded memory (routes-rpc.md 1.5). */
import type { RpcCompressionInfo, RpcDescriptor, RpcPacket } from "../../wire/messages/gen/messages.ts";
import {
  MAX_MESSAGE_BYTES,
  MAX_PARTIAL_BYTES,
  MAX_PARTIAL_REQUESTS,
  MAX_PARTIAL_REQUESTS_PER_PEER,
  MAX_PIECES,
  PARTIAL_TIMEOUT_MS,
  PIECE_OVERHEAD_BYTES,
} from "./limits.ts";

/** A message whose pieces are all there. */
export interface WholeMessage {
  readonly descriptor: RpcDescriptor;
  readonly compressionInfo: RpcCompressionInfo | undefined;
  readonly traceId: number;
  readonly body: Uint8Array;
}

/** Bytes that all incomplete messages of an endpoint hold together. */
export class PieceBudget {
  #used = 0;

  get usedBytes(): number {
    return this.#used;
  }

  take(bytes: number): boolean {
    if (this.#used + bytes > MAX_PARTIAL_BYTES) return false;
    this.#used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}

/** True when the numbers of a packet name a piece that may be kept. */
export function isPiece(packet: RpcPacket): boolean {
  // Old style: no numbers at all, complete by itself.
  if (packet.totalPieces === 0) return packet.pieceIdx === 0 && packet.descriptor !== undefined;
  if (packet.totalPieces > MAX_PIECES || packet.pieceIdx >= packet.totalPieces) return false;
  return packet.pieceIdx !== 0 || packet.descriptor !== undefined;
}

/** The message of a packet that is whole by itself, or undefined. */
export function wholePacket(packet: RpcPacket): WholeMessage | undefined {
  if (packet.totalPieces > 1 || packet.descriptor === undefined) return undefined;
  const { descriptor, compressionInfo, traceId, body } = packet;
  return { descriptor, compressionInfo, traceId, body };
}

/** The pieces of one message. */
export class PieceSet {
  readonly #budget: PieceBudget;
  readonly #totalPieces: number;
  readonly #bodies = new Map<number, Uint8Array>();
  #bytes = 0;
  #first: RpcPacket | undefined;

  constructor(budget: PieceBudget, totalPieces: number) {
    this.#budget = budget;
    this.#totalPieces = totalPieces;
  }

  /**
   * Takes a piece for which `isPiece` holds. The message when it was the last missing one; "kept", "ignored" (seen
   * before, or of a message with another number of pieces) or "full" when there is no room for it.
   */
  add(packet: RpcPacket): WholeMessage | "kept" | "ignored" | "full" {
    if (packet.totalPieces !== this.#totalPieces || this.#bodies.has(packet.pieceIdx)) return "ignored";
    const bytes = packet.body.length;
    if (this.#bytes + bytes > MAX_MESSAGE_BYTES || !this.#budget.take(bytes + PIECE_OVERHEAD_BYTES))
      return "full";
    this.#bytes += bytes;
    this.#bodies.set(packet.pieceIdx, packet.body);
    if (packet.pieceIdx === 0) this.#first = packet;
    if (this.#bodies.size < this.#totalPieces) return "kept";
    return this.#join();
  }

  /** Gives the memory back. The set is not used after that. */
  drop(): void {
    this.#budget.give(this.#bytes + this.#bodies.size * PIECE_OVERHEAD_BYTES);
    this.#bytes = 0;
    this.#bodies.clear();
  }

  #join(): WholeMessage {
    const body = new Uint8Array(this.#bytes);
    let at = 0;
    for (let index = 0; index < this.#totalPieces; index++) {
      const piece = this.#bodies.get(index)!;
      body.set(piece, at);
      at += piece.length;
    }
    const first = this.#first!;
    return {
      descriptor: first.descriptor!,
      compressionInfo: first.compressionInfo,
      traceId: first.traceId,
      body,
    };
  }
}

interface PartialRequest {
  readonly peerId: number;
  readonly pieces: PieceSet;
  expiresAt: number;
}

/** Incomplete requests of all peers, least recently touched first. */
export class PartialRequests {
  readonly #budget: PieceBudget;
  readonly #sets = new Map<string, PartialRequest>();
  #nextTimeout = Number.POSITIVE_INFINITY;

  constructor(budget: PieceBudget) {
    this.#budget = budget;
  }

  get size(): number {
    return this.#sets.size;
  }

  get nextTimeout(): number {
    return this.#nextTimeout;
  }

  /** The whole request when this was its last piece; else false when the piece was not kept. */
  add(packet: RpcPacket, now: number): WholeMessage | boolean {
    const peerId = packet.fromPeer;
    const key = `${peerId}:${packet.transactionId}`;
    const partial = this.#sets.get(key) ?? this.#open(peerId, packet.totalPieces);
    let result = partial.pieces.add(packet);
    while (result === "full" && this.#evictOther(key)) result = partial.pieces.add(packet);
    if (result === "ignored") return false;
    this.#sets.delete(key);
    if (result !== "kept") {
      partial.pieces.drop();
      return result === "full" ? false : result;
    }
    // Back in at the end: the order of the map is the order of the last pieces.
    partial.expiresAt = now + PARTIAL_TIMEOUT_MS;
    this.#sets.set(key, partial);
    if (partial.expiresAt < this.#nextTimeout) this.#nextTimeout = partial.expiresAt;
    return true;
  }

  /** Drops the sets that have waited too long; returns how many. */
  handleTimeout(now: number): number {
    let dropped = 0;
    this.#nextTimeout = Number.POSITIVE_INFINITY;
    for (const [key, partial] of this.#sets) {
      if (partial.expiresAt > now) {
        this.#nextTimeout = partial.expiresAt;
        break;
      }
      this.#remove(key, partial);
      dropped++;
    }
    return dropped;
  }

  dropPeer(peerId: number): void {
    for (const [key, partial] of this.#sets) if (partial.peerId === peerId) this.#remove(key, partial);
  }

  /** A place for a new set; the peer's own oldest goes first, then the oldest of all. */
  #open(peerId: number, totalPieces: number): PartialRequest {
    const own = [...this.#sets].filter(([, partial]) => partial.peerId === peerId);
    const oldest = own.length >= MAX_PARTIAL_REQUESTS_PER_PEER ? own[0] : undefined;
    if (oldest !== undefined) this.#remove(oldest[0], oldest[1]);
    else if (this.#sets.size >= MAX_PARTIAL_REQUESTS) this.#evictOther("");
    return { peerId, pieces: new PieceSet(this.#budget, totalPieces), expiresAt: 0 };
  }

  #evictOther(key: string): boolean {
    for (const [otherKey, other] of this.#sets) {
      if (otherKey === key) continue;
      this.#remove(otherKey, other);
      return true;
    }
    return false;
  }

  #remove(key: string, partial: PartialRequest): void {
    partial.pieces.drop();
    this.#sets.delete(key);
  }
}
