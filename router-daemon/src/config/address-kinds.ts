/** Addresses: of this node, of the subnets behind it, of its links. */
import { type Ipv4Prefix, networkOf } from "../wire/ipv4-prefix.ts";
import type { UdpUrl } from "../wire/udp-url.ts";
import { formatInterfaceAddress, formatPrefix, type InterfaceAddress, parseWithPrefix } from "./ipv4.ts";
import { type Kind, notAllowed } from "./kind.ts";
import { readListenerUrl, readPeerUrl } from "./url.ts";

/** EasyTier takes /24 when no prefix is written. */
const DEFAULT_PREFIX_LENGTH = 24;

export const interfaceAddressKind: Kind<InterfaceAddress> = {
  placeholder: "ADDRESS/PREFIX",
  allowed: "an IPv4 address with prefix like 10.126.126.1/24",
  shape: { type: "text", datatype: "interface_address" },
  write: formatInterfaceAddress,
  parse(value) {
    const parsed = typeof value === "string" ? parseWithPrefix(value, DEFAULT_PREFIX_LENGTH) : undefined;
    if (parsed === undefined) return notAllowed(value, this.allowed);
    const { address, prefixLength } = parsed;
    if (prefixLength < 1) return notAllowed(value, this.allowed, "The prefix is from 1 to 32.");
    const first = address >>> 24;
    if (first === 0 || first === 127 || first >= 224) {
      return notAllowed(
        value,
        this.allowed,
        "This range is not for nodes. Choose a private one like 10.126.126.0/24.",
      );
    }
    const hostBits = 32 - prefixLength;
    const host = address - networkOf(address, prefixLength).network;
    if (hostBits >= 2 && (host === 0 || host === 2 ** hostBits - 1)) {
      const what = host === 0 ? "the network itself" : "the broadcast address";
      return notAllowed(value, this.allowed, `It is ${what}. Choose an address inside the network.`);
    }
    return { ok: true, value: parsed };
  },
};

export const exportedSubnetKind: Kind<Ipv4Prefix> = {
  placeholder: "CIDR",
  allowed: "an IPv4 network like 192.168.1.0/24",
  shape: { type: "text", datatype: "exported_subnet" },
  write: formatPrefix,
  parse(value) {
    if (typeof value === "string" && value.includes("->")) {
      return notAllowed(
        value,
        this.allowed,
        "Mapping to other addresses is not supported by kcp-router. Write the network alone.",
      );
    }
    const parsed = typeof value === "string" ? parseWithPrefix(value, 32) : undefined;
    if (parsed === undefined) return notAllowed(value, this.allowed);
    const network = networkOf(parsed.address, parsed.prefixLength);
    if (parsed.prefixLength === 0) {
      return notAllowed(
        value,
        this.allowed,
        "Being an exit for the whole internet is not supported by kcp-router.",
      );
    }
    if (network.network !== parsed.address) {
      return notAllowed(
        value,
        this.allowed,
        `It names a host inside the network. Write ${formatPrefix(network)}.`,
      );
    }
    const first = network.network >>> 24;
    if (first === 0 || first === 127 || first >= 224) {
      return notAllowed(
        value,
        this.allowed,
        "This range cannot be exported: it is local to each machine or not for hosts.",
      );
    }
    return { ok: true, value: network };
  },
};

export const listenerKind: Kind<UdpUrl> = {
  placeholder: "URL",
  allowed: "an address like udp://0.0.0.0:11010, or a port",
  shape: { type: "text", datatype: "listener_url" },
  write: ({ url }) => url,
  parse: (value) =>
    typeof value === "string" ? readListenerUrl(value) : notAllowed(value, listenerKind.allowed),
};

export const peerKind: Kind<UdpUrl> = {
  placeholder: "URL",
  allowed: "a URL like udp://203.0.113.5:11010",
  shape: { type: "text", datatype: "peer_url" },
  write: ({ url }) => url,
  parse: (value) => (typeof value === "string" ? readPeerUrl(value) : notAllowed(value, peerKind.allowed)),
};
