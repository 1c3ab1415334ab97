/**
 * The memory for payload (the pool) and who may have how much of it.
 *
 * ```
 *   used   0 ───────── normal ───────── 80 % ── saving ── 90 % ── shedding ── 100 %
 *                                        new connections   and idle carried ones
 *                                        are plain TCP     are closed, longest idle first
 * ```
 *
 * A connection is bounded by its windows and by its share of what is free (`SlotQuota`), all connections of a peer by
 * `PEER_SHARE`, everything by the pool: it never grows.
 */
import { type SlotPool, SlotQuota } from "kcp-ts";

/** Used share of the memory from which new connections use plain TCP. */
export const SAVING_SHARE = 0.8;
/** Used share from which idle connections that hold memory are closed. */
export const SHEDDING_SHARE = 0.9;
/** The connections of one peer hold this share at most … */
export const PEER_SHARE = 0.75;
/**
 * … and divide this part of it among themselves: less than where new ones are refused, so that however many are busy, the next one is
 * carried too. Only the smallest shares of very many lead beyond it.
 */
const PEER_SHARED_OUT = 0.75;
/** Peers whose connections are counted; one that holds nothing is forgotten for the next. */
export const MAX_PEER_QUOTAS = 1024;

export type MemoryLevel = "normal" | "saving" | "shedding";

export class MemoryBudget {
  /** For who belongs to no peer: the queues toward clients. */
  readonly everyone: SlotQuota;
  readonly #pool: SlotPool;
  readonly #peerSlots: number;
  readonly #peers = new Map<number, SlotQuota>();

  constructor(pool: SlotPool) {
    this.#pool = pool;
    this.#peerSlots = Math.floor(pool.slotCount * PEER_SHARE);
    this.everyone = new SlotQuota(pool);
  }

  /** 0…1. */
  get usedShare(): number {
    return 1 - this.#pool.freeSlots / this.#pool.slotCount;
  }

  get usedBytes(): number {
    return (this.#pool.slotCount - this.#pool.freeSlots) * this.#pool.slotBytes;
  }

  get totalBytes(): number {
    return this.#pool.slotCount * this.#pool.slotBytes;
  }

  get level(): MemoryLevel {
    return levelOf(this.usedShare);
  }

  /** Slots that have to become free before the level is below "shedding". */
  get slotsToShed(): number {
    const { slotCount, freeSlots } = this.#pool;
    return Math.max(0, slotCount - Math.ceil(slotCount * SHEDDING_SHARE) + 1 - freeSlots);
  }

  /** Why a new connection with this peer is not to be carried; undefined = it may be. */
  refusal(peerId: number): "memory_limit" | "peer_memory_limit" | undefined {
    if (this.level !== "normal") return "memory_limit";
    return this.#isPeerFull(peerId) ? "peer_memory_limit" : undefined;
  }

  /** The peer's connections hold nearly all that they may: new ones would not get on. */
  #isPeerFull(peerId: number): boolean {
    const quota = this.#peers.get(peerId);
    return quota !== undefined && levelOf(quota.held / this.#peerSlots) !== "normal";
  }

  /** What the connections of a peer share; the same object as long as they hold anything. */
  quotaOf(peerId: number): SlotQuota {
    let quota = this.#peers.get(peerId);
    if (quota !== undefined) return quota;
    if (this.#peers.size >= MAX_PEER_QUOTAS) this.#forgetIdle();
    quota = new SlotQuota(this.#pool, Math.floor(this.#peerSlots * PEER_SHARED_OUT));
    this.#peers.set(peerId, quota);
    return quota;
  }

  #forgetIdle(): void {
    for (const [peerId, quota] of this.#peers) if (quota.held === 0) this.#peers.delete(peerId);
    // All hold something: the oldest is counted anew, which errs in its favour.
    for (const peerId of this.#peers.keys()) {
      if (this.#peers.size < MAX_PEER_QUOTAS) return;
      this.#peers.delete(peerId);
    }
  }
}

function levelOf(usedShare: number): MemoryLevel {
  if (usedShare >= SHEDDING_SHARE) return "shedding";
  return usedShare >= SAVING_SHARE ? "saving" : "normal";
}
