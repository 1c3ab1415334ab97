/** What the parts are told of the configuration and of the machine's addresses. Nothing is decided here. */
import { VERSION } from "../api/version.ts";
import { parseLoopback } from "../config/api-kinds.ts";
import type { Config } from "../config/config.ts";
import { type LocalAddresses, NO_ADDRESSES } from "../mesh/ip-list.ts";
import { type LocalInfo, NO_FEATURES } from "../mesh/routes/types.ts";
import type { PolicySettings } from "../proxy/policy.ts";
import { type Ipv4Prefix, networkOf } from "../wire/ipv4-prefix.ts";
import type { OwnAddress } from "./address-watch.ts";
import type { Served } from "./dial-policy.ts";

/** What stock nodes see as our version: the protocol level we speak, and who we are. */
export const ANNOUNCED_VERSION = `2.6.4-kcp-router-${VERSION}`;

export function localInfo(config: Config): LocalInfo {
  return {
    instanceId: config.instance_id,
    hostname: config.hostname,
    ipv4: config.ipv4.address,
    networkLength: config.ipv4.prefixLength,
    exports: config.proxy_networks,
    version: ANNOUNCED_VERSION,
    featureFlags: {
      ...NO_FEATURES,
      kcpInput: !config.disable_kcp_input,
      quicInput: !config.disable_quic_input,
      supportConnListSync: true,
      // A leaf: others must not choose the way through us, where their packets would end.
      avoidRelayData: true,
    },
    natTypes: { udp: 0, tcp: 0 },
  };
}

export function policySettings(config: Config, addresses: readonly OwnAddress[]): PolicySettings {
  return {
    enableKcpProxy: config.enable_kcp_proxy,
    enableQuicProxy: config.enable_quic_proxy,
    proxyPriority: config.proxy_priority,
    rules: config.rules,
    ipv4: config.ipv4.address,
    localNetworks: addresses.map(({ address, prefixLength }) => networkOf(address, prefixLength)),
  };
}

export function served(config: Config, addresses: readonly OwnAddress[]): Served {
  return {
    ipv4: config.ipv4.address,
    exports: config.proxy_networks,
    localAddresses: addresses.map(({ address }) => address),
    // The API's port on the loopback, where connections from the network end too.
    protectedPorts: apiPorts(config),
  };
}

function apiPorts({ rpc_listen }: Config): number[] {
  const endpoint = parseLoopback(rpc_listen);
  return endpoint === undefined ? [] : [endpoint.port];
}

/** The addresses that other nodes are told to dial. */
export function toldAddresses(addresses: readonly OwnAddress[]): LocalAddresses {
  return { ...NO_ADDRESSES, interfaceIpv4s: addresses.map(({ address }) => address) };
}

/** Networks whose routes no peer may take: the virtual one, what we export, and where the machine itself is. */
export function ownNetworks(config: Config, addresses: readonly OwnAddress[]): Ipv4Prefix[] {
  return [config.ipv4, ...addresses]
    .map(({ address, prefixLength }) => networkOf(address, prefixLength))
    .concat(config.proxy_networks);
}
