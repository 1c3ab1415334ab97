/** Our numbers for the sessions with peers. */
import type { Random32 } from "../types.ts";

const MASK = 0xffffffffffffffffn;

export function random64(random: Random32): bigint {
  return (BigInt(random()) << 32n) | BigInt(random());
}

/**
 * The number for a peer: the same for the life of the process, also across reconnects (a new one may be refused for 45 s,
 * routes-rpc.md 13). Derived instead of stored: splitmix64 of the peer id and a random seed.
 */
export function sessionId(seed: bigint, peerId: number): bigint {
  let mixed = (seed + BigInt(peerId) * 0x9e3779b97f4a7c15n) & MASK;
  mixed = ((mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  mixed = ((mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return mixed ^ (mixed >> 31n);
}
