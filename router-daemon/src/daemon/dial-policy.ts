import type { DialPolicy } from "../proxy/destination.ts";
import { isUnicastAddress } from "../wire/ipv4.ts";
import { type Ipv4Prefix, inPrefix, prefixMask } from "../wire/ipv4-prefix.ts";

/** What this node serves, and what it keeps to itself. */
export interface Served {
  /** Our virtual address; 0 = none. */
  readonly ipv4: number;
  readonly exports: readonly Ipv4Prefix[];
  /** Every address of this machine, so that its own services are recognised whatever address they are asked by. */
  readonly localAddresses: readonly number[];
  /** TCP ports of the daemon itself. */
  readonly protectedPorts: readonly number[];
}

/**
 * What peers may have dialled: our virtual address and the hosts of the subnets we export (proxies.md 5: stock nodes do not
 * look; honest sources never ask for anything else). Never the daemon's own ports, and never network or broadcast addresses.
 */
export class ServedAddresses implements DialPolicy {
  #served: Served;

  constructor(served: Served) {
    this.#served = served;
  }

  configure(served: Served): void {
    this.#served = served;
  }

  mayDial(ipv4: number, port: number): "yes" | "destination_not_exported" | "destination_protected" {
    const { ipv4: own, exports, localAddresses, protectedPorts } = this.#served;
    if (port === 0 || !isUnicastAddress(ipv4)) return "destination_not_exported";
    const isOwn = own !== 0 && ipv4 === own;
    if (!isOwn && !exports.some((prefix) => inPrefix(ipv4, prefix) && isHost(ipv4, prefix))) {
      return "destination_not_exported";
    }
    if (protectedPorts.includes(port) && (isOwn || localAddresses.includes(ipv4)))
      return "destination_protected";
    return "yes";
  }
}

/** Neither the network's own address nor its broadcast address; /31 and /32 have hosts only. */
function isHost(ipv4: number, { network, prefixLength }: Ipv4Prefix): boolean {
  if (prefixLength >= 31) return true;
  return ipv4 !== network && ipv4 !== (network | ~prefixMask(prefixLength)) >>> 0;
}
