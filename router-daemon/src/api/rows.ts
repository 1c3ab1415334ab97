import type * as v from "valibot";
import { choice, count, flag, list, number, orNull, row, share, text } from "./schema.ts";

/** Rows of the tables that the API shows. Texts that come from other nodes are as they were received. */

/** How one TCP connection crosses the virtual network. */
export const TRANSPORTS = ["tcp", "kcp", "quic"] as const;

/** `source`: a client's packets enter here. `destination`: the real connection is made here. */
export const ROLES = ["source", "destination"] as const;

/** States of an entry, in the words of EasyTier's table (proxies.md 9). */
export const ENTRY_STATES = [
  "SynReceived",
  "ConnectingDst",
  "Connected",
  "ClosingSrc",
  "ClosingDst",
  "Closed",
] as const;

export const LEVELS = ["info", "warning", "error"] as const;

const transport = choice(TRANSPORTS, "How the connection crosses the network.");
const reason = text("Code of the reason, `peer_kcp_input_disabled`.");
const reasonText = text("The reason as a sentence.");

const choiceSchema = row({ transport, reason, reasonText }, "What a new TCP connection would use, and why.");

const linkSchema = row(
  {
    type: text("`udp`"),
    remote: text("URL of the other end, `udp://203.0.113.5:11010`."),
    isClient: flag("True when this node dialled."),
    latencyMs: orNull(number("Mean of the last pings.")),
    lossShare: orNull(share("Of the last 100 pings.")),
    rxBytes: count("Received on this link."),
    txBytes: count("Sent on this link."),
  },
  "One underlay connection to a direct peer.",
);

export const peerSchema = row(
  {
    peerId: count("Its number in the network; a new one at each start."),
    hostname: text("Its name."),
    ipv4: text("Virtual address with prefix, or empty."),
    pathLength: count("Links on the way: 1 = direct, 0 = known but not reachable now."),
    nextHopPeerId: count("The direct peer that packets are handed to; 0 = none."),
    latencyMs: orNull(number("Round trip, measured or as the network knows it.")),
    lossShare: orNull(share("Of the last 100 pings on the best link.")),
    rxBytes: count("Received on its links."),
    txBytes: count("Sent on its links."),
    links: list(linkSchema, "Links to it, when it is direct."),
    version: text("As it announces it."),
    kcpInput: flag("It says that it takes TCP over KCP."),
    quicInput: flag("It says that it takes TCP over QUIC."),
    exportedSubnets: list(text("`192.168.1.0/24`"), "Subnets behind it."),
    choice: choiceSchema,
  },
  "Another node.",
);
export type PeerRow = v.InferOutput<typeof peerSchema>;

export const transportSchema = row(
  {
    peerId: count("The peer."),
    hostname: text("Its name."),
    ipv4: text("Virtual address with prefix, or empty."),
    exportedSubnets: list(text("`192.168.1.0/24`"), "Subnets behind it, for which the same holds."),
    transport,
    reason,
    reasonText,
  },
  "What a new TCP connection to a peer would use, and why: visible before there is any.",
);
export type TransportRow = v.InferOutput<typeof transportSchema>;

export const routeSchema = row(
  {
    destination: text("`10.126.126.2/32` for a node, `192.168.2.0/24` for an exported subnet."),
    kind: choice(["node", "subnet"], "What is there."),
    peerId: count("Its owner."),
    hostname: text("Name of its owner."),
    nextHopPeerId: count("The direct peer that packets are handed to; 0 = none."),
    nextHopHostname: text("Its name."),
    nextHopIpv4: text("Its virtual address without prefix, or empty."),
    pathLength: count("Links on the way; 0 = not reachable now."),
    pathLatencyMs: orNull(number("Sum of the latencies on the way.")),
    version: text("Version of the owner."),
  },
  "Where an address leads.",
);
export type RouteRow = v.InferOutput<typeof routeSchema>;

export const connectionSchema = row(
  {
    id: count("Names the entry for `close_connection`; unique while the daemon runs."),
    role: choice(ROLES, "Which end of the proxy this node is."),
    src: text("The client, `10.126.126.7:51838`."),
    dst: text("The service."),
    peerId: count("The node at the other end of the transport."),
    peerName: text("Its name."),
    transport,
    reason,
    reasonText,
    state: choice(ENTRY_STATES, "In the words of EasyTier's table."),
    startTime: count("When it began."),
    upBytes: count("From the client, at both ends."),
    downBytes: count("To the client, at both ends."),
    upRate: count("From the client."),
    downRate: count("To the client."),
    rttMs: orNull(number("Smoothed round trip of the transport.")),
    retransmittedShare: orNull(
      share(
        "Transmissions of this node that repeated a segment held for lost; null while fewer than 16 were sent.",
      ),
    ),
    ageMs: count("Since the SYN; stands still once closed."),
  },
  "One TCP connection.",
);
export type ConnectionRow = v.InferOutput<typeof connectionSchema>;

export const eventSchema = row(
  {
    sequence: count("Counts up by one per event; a gap tells a reader that it missed some."),
    time: count("When."),
    level: choice(LEVELS, "How bad."),
    code: text("Stable code, `link_up`."),
    message: text("One or two sentences."),
  },
  "Something that happened.",
);
export type EventRow = v.InferOutput<typeof eventSchema>;
