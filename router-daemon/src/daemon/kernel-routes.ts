import { formatPrefix } from "../config/ipv4.ts";
import { covers, type Ipv4Prefix } from "../wire/ipv4-prefix.ts";

/** Routes the daemon asks the kernel for at most: a hostile peer cannot fill the router's table. */
export const MAX_KERNEL_ROUTES = 512;

/** Adds or removes one route through the device; 0 or a negative error. */
export type RouteChange = (add: boolean, network: number, prefixLength: number) => number;

/**
 * Keeps the kernel's routes through the TUN equal to the subnets that peers export (routes-rpc.md 5.7). The device's own
 * network is not among them: the kernel makes that route from the address.
 */
export class KernelRoutes {
  readonly #change: RouteChange;
  readonly #installed = new Map<string, Ipv4Prefix>();
  /** Asked for beyond `MAX_KERNEL_ROUTES`. */
  leftOut = 0;

  constructor(change: RouteChange) {
    this.#change = change;
  }

  get installed(): readonly Ipv4Prefix[] {
    return [...this.#installed.values()];
  }

  /**
   * Makes exactly `wanted` installed, except what collides with `own` networks (a peer that exports our LAN must not take it
   * from us) and what would take everything (a default route). Returns a sentence for each route the kernel refused.
   */
  sync(wanted: Iterable<Ipv4Prefix>, own: readonly Ipv4Prefix[]): string[] {
    const next = new Map<string, Ipv4Prefix>();
    this.leftOut = 0;
    for (const prefix of wanted) {
      // A wider network around ours stays: the kernel prefers the longer prefix, ours.
      if (prefix.prefixLength === 0 || own.some((mine) => covers(mine, prefix))) continue;
      if (next.size < MAX_KERNEL_ROUTES) next.set(formatPrefix(prefix), prefix);
      else this.leftOut++;
    }
    const problems: string[] = [];
    for (const [key, prefix] of this.#installed) {
      if (next.has(key)) continue;
      this.#installed.delete(key);
      this.#change(false, prefix.network, prefix.prefixLength);
    }
    for (const [key, prefix] of next) {
      if (this.#installed.has(key)) continue;
      const result = this.#change(true, prefix.network, prefix.prefixLength);
      if (result < 0) problems.push(key);
      else this.#installed.set(key, prefix);
    }
    return problems;
  }
}
