/**
 * Why a link does not come about or ends. The code is stable, the sentence is for people.
 */
export const LINK_REASONS = {
  // Dialling.
  no_answer:
    "Nothing answered. Check that the other node runs, listens on this UDP port, and that no firewall drops UDP on the way.",
  handshake_unanswered:
    "The port answered, but the node behind it did not complete the handshake. It may be full, or belong to another network.",
  name_not_resolved: "The host name could not be resolved. Check its spelling and the router's DNS.",
  send_failed: "The datagram could not be sent.",
  socket_failed: "No UDP socket could be opened.",
  // Handshake.
  wrong_network_secret:
    "Both nodes use the same network name but different secrets. Set the same network_secret on both.",
  wrong_network_name:
    "The other node belongs to another network and does not serve this one. Set the same network_name on both.",
  peer_id_conflict: "The other node has the same peer id as this one.",
  self_connection: "This address leads back to this node itself. Remove it from the peers.",
  overlay_address:
    "The address lies inside the virtual network itself. Links must go through the real network underneath.",
  not_a_handshake:
    "The first packet was not a plain handshake. Networks in secure mode cannot be joined: switch it off on the other node.",
  bad_handshake: "The handshake could not be read.",
  table_full: "The limit of links is reached.",
  // The end of a link.
  ping_timeout: "The other node stopped answering.",
  superseded: "The other node was restarted or came back on another link.",
  peer_removed: "The peer was removed from the configuration.",
  listener_removed: "The listener was removed from the configuration.",
  too_many_links: "The peer has opened more links than are kept, and this one had been silent longest.",
  closed: "This node is closing.",
} as const;

export type LinkReason = keyof typeof LINK_REASONS;
