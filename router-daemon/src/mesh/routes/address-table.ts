/**
 * Which node owns an IPv4 address (routes-rpc.md 3.15, 5.2), in one flat table.
 *
 * All rules are longest-prefix matches once the table is built the right way: virtual addresses are /32, our own virtual
 * subnet is a prefix that belongs to nobody, exported subnets inside it do not count. Prefixes nest, so they cut the
 * address space into runs, each with one owner, and a look-up is a binary search:
 *
 * ```
 *   10.0.0.0/8 → B, 10.1.0.0/16 → C          starts  0.0.0.0  10.0.0.0  10.1.0.0  10.2.0.0  11.0.0.0
 *                                            owners     0         B         C         B         0
 * ```
 */
import { covers, type Ipv4Prefix, networkOf, prefixMask } from "../../wire/ipv4-prefix.ts";
import type { RoutedPrefix } from "./types.ts";

/** A node's claim, and how far away it is: the nearer of two equal claims wins. */
export interface AddressClaim {
  readonly peerId: number;
  readonly pathLength: number;
  /** Virtual address, 0 = none. */
  readonly ipv4: number;
  readonly exports: readonly Ipv4Prefix[];
}

export interface OwnAddresses {
  readonly peerId: number;
  readonly ipv4: number;
  readonly networkLength: number;
  readonly exports: readonly Ipv4Prefix[];
}

export class AddressTable {
  #starts = Uint32Array.of(0);
  #owners = Uint32Array.of(0);
  #broadcast = 0xffffffff;
  /** The last look-up: packets come in trains. */
  #lastAddress = 0;
  #lastOwner = 0;
  #routedPrefixes: readonly RoutedPrefix[] = [];
  #broadcastPeers: readonly number[] = [];

  /** Other nodes' exported subnets that are in use: what belongs into the kernel's routes. */
  get routedPrefixes(): readonly RoutedPrefix[] {
    return this.#routedPrefixes;
  }

  /** Who gets a broadcast: every reachable other node with a virtual address. */
  get broadcastPeers(): readonly number[] {
    return this.#broadcastPeers;
  }

  /** The node that a unicast address belongs to, perhaps ourselves; 0 = nobody, and for broadcast and multicast. */
  ownerOf(ipv4: number): number {
    const address = ipv4 >>> 0;
    if (address === this.#lastAddress) return this.#lastOwner;
    this.#lastAddress = address;
    this.#lastOwner = this.isBroadcast(address) ? 0 : this.#find(address);
    return this.#lastOwner;
  }

  #find(address: number): number {
    const starts = this.#starts;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (starts[middle]! <= address) low = middle;
      else high = middle - 1;
    }
    return this.#owners[low]!;
  }

  /**
   * 255.255.255.255, multicast, and the last address of our own virtual subnet. The reference tests *any* address against
   * our prefix length, so that with a /24 it takes 192.168.3.255 in a peer's /16 for a broadcast: we do not.
   */
  isBroadcast(ipv4: number): boolean {
    return ipv4 >>> 28 === 14 || ipv4 >>> 0 === 0xffffffff || ipv4 >>> 0 === this.#broadcast;
  }

  rebuild(own: OwnAddresses, others: readonly AddressClaim[]): void {
    const ownSubnet = networkOf(own.ipv4, own.networkLength);
    const hasSubnet = own.ipv4 !== 0;
    this.#broadcast =
      hasSubnet && own.networkLength < 31 ? (own.ipv4 | ~prefixMask(own.networkLength)) >>> 0 : 0xffffffff;

    const exported = new ClaimMap();
    for (const prefix of own.exports) exported.claim(prefix, own.peerId, 0);
    for (const { peerId, pathLength, exports } of others) {
      for (const prefix of exports) {
        if (!own.exports.some((mine) => covers(mine, prefix))) exported.claim(prefix, peerId, pathLength);
      }
    }
    const prefixes = exported.entries().filter((prefix) => !hasSubnet || !covers(ownSubnet, prefix));
    this.#routedPrefixes = prefixes.filter(({ peerId }) => peerId !== own.peerId);

    const addresses = new ClaimMap();
    if (hasSubnet) addresses.claim({ network: own.ipv4, prefixLength: 32 }, own.peerId, 0);
    for (const { peerId, pathLength, ipv4 } of others) {
      if (ipv4 !== 0) addresses.claim({ network: ipv4, prefixLength: 32 }, peerId, pathLength);
    }
    this.#broadcastPeers = others.filter(({ ipv4 }) => ipv4 !== 0).map(({ peerId }) => peerId);

    const table = new Map<string, RoutedPrefix>();
    const add = (prefix: RoutedPrefix): unknown =>
      table.set(`${prefix.network}/${prefix.prefixLength}`, prefix);
    prefixes.forEach(add);
    if (hasSubnet) add({ ...ownSubnet, peerId: 0 });
    addresses.entries().forEach(add);
    this.#flatten([...table.values()]);
  }

  #flatten(prefixes: RoutedPrefix[]): void {
    // Outer prefixes before those inside them.
    prefixes.sort((a, b) => a.network - b.network || a.prefixLength - b.prefixLength);
    const starts: number[] = [];
    const owners: number[] = [];
    const begin = (start: number, owner: number): void => {
      // A run that goes on is not begun again. Of several that begin at one address the look-up finds the last.
      if (owners[owners.length - 1] === owner || start > 0xffffffff) return;
      starts.push(start);
      owners.push(owner);
    };
    begin(0, 0);
    const open: { readonly end: number; readonly owner: number }[] = [];
    const closeUntil = (address: number): void => {
      for (
        let top = open[open.length - 1];
        top !== undefined && top.end <= address;
        top = open[open.length - 1]
      ) {
        open.pop();
        begin(top.end, open[open.length - 1]?.owner ?? 0);
      }
    };
    for (const { network, prefixLength, peerId } of prefixes) {
      closeUntil(network);
      begin(network, peerId);
      open.push({ end: network + 2 ** (32 - prefixLength), owner: peerId });
    }
    closeUntil(2 ** 32);
    this.#starts = Uint32Array.from(starts);
    this.#owners = Uint32Array.from(owners);
    this.#lastAddress = 0;
    this.#lastOwner = this.isBroadcast(0) ? 0 : this.#find(0);
  }
}

/** One owner per prefix: the nearest, then the one with the smaller peer id. */
class ClaimMap {
  readonly #claims = new Map<string, RoutedPrefix & { readonly pathLength: number }>();

  claim({ network, prefixLength }: Ipv4Prefix, peerId: number, pathLength: number): void {
    const key = `${network}/${prefixLength}`;
    const held = this.#claims.get(key);
    const wins =
      held === undefined ||
      pathLength < held.pathLength ||
      (pathLength === held.pathLength && peerId < held.peerId);
    if (wins) this.#claims.set(key, { network, prefixLength, peerId, pathLength });
  }

  entries(): RoutedPrefix[] {
    return [...this.#claims.values()].map(({ network, prefixLength, peerId }) => ({
      network,
      prefixLength,
      peerId,
    }));
  }
}
