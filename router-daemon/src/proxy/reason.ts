/**
 * Why a TCP connection crosses the network the way it does, or why it ended. Every observable decision of the proxy has one
 * of these codes; the sentence is what people read in the CLI, the API and the page.
 */
export const REASONS = {
  // Carried over KCP or QUIC.
  kcp_allowed: "The peer takes KCP, so the connection is carried over KCP.",
  quic_allowed: "The peer takes QUIC, so the connection is carried over QUIC.",
  rule_force: "A rule of this router asks for the proxy.",
  // Plain TCP, decided at the SYN.
  kcp_proxy_disabled: "enable_kcp_proxy is off on this node.",
  peer_kcp_input_disabled: "The peer has disable_kcp_input set, so plain TCP is used.",
  peer_without_kcp: "The peer's version does not know the KCP proxy, so plain TCP is used.",
  peer_quic_input_disabled: "The peer has disable_quic_input set, so plain TCP is used.",
  peer_without_quic: "The peer's version does not know the QUIC proxy, so plain TCP is used.",
  peer_unknown: "Nothing is known about the peer yet, so plain TCP is used.",
  relay_forbids_kcp:
    "The relay towards the peer does not carry KCP (disable_relay_kcp), so plain TCP is used.",
  relay_forbids_quic:
    "The relay towards the peer does not carry QUIC (disable_relay_quic), so plain TCP is used.",
  no_route: "No reachable peer owns the destination address.",
  own_address: "The destination is this router or its own LAN, which never crosses the network.",
  not_unicast: "Broadcast and multicast are never proxied.",
  rule_bypass: "A rule of this router keeps the connection off the proxy.",
  connection_limit: "The limit of proxied connections is reached, so new ones use plain TCP.",
  memory_limit: "The memory budget is nearly used up, so new connections use plain TCP.",
  peer_memory_limit: "The peer's connections use up their part of the memory, so new ones use plain TCP.",
  // Plain TCP, after the proxy was tried.
  kcp_timeout: "The peer did not take the KCP connection in time, so the connection went on as plain TCP.",
  kcp_refused_by_peer: "The peer refused the KCP connection, so the connection went on as plain TCP.",
  quic_timeout: "The peer did not take the QUIC connection in time, so the connection went on as plain TCP.",
  quic_refused_by_peer: "The peer refused the QUIC connection, so the connection went on as plain TCP.",
  peer_failing: "The proxy to this peer failed a moment ago, so plain TCP is used for a while.",
  // Refused.
  destination_refused: "The service refused the connection.",
  destination_unreachable: "The peer could not reach the service.",
  destination_not_exported: "The address is neither this node's own nor in a subnet it exports.",
  destination_quic_disabled: "This node has disable_quic_input set.",
  destination_protected: "The address belongs to this daemon itself.",
  // How it ended.
  finished: "Both sides closed the connection.",
  client_reset: "The client reset the connection.",
  client_gone: "The client stopped answering.",
  service_reset: "The service reset the connection.",
  peer_reset: "The peer reset the connection between the nodes.",
  peer_silent: "The peer stopped answering.",
  peer_gone: "The peer left the network.",
  memory_shed: "The connection was idle and held memory that was used up, so it was closed.",
  closed_by_user: "The connection was closed by request.",
  shutting_down: "The daemon is shutting down.",
} as const;

export type ReasonCode = keyof typeof REASONS;
