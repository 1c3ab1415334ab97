/**
 * What lives and dies with one peer id: mesh, stack, endpoints and proxies, made and joined to the loop.
 */
import type { SlotPool } from "kcp-ts";
import { type Config, tunMtu } from "../config/config.ts";
import type { DataPath, Timed } from "../data-path.ts";
import type { Host } from "../host/host.ts";
import { KcpEndpoint } from "../kcp/endpoint.ts";
import { KCP_HEADER_BYTES } from "../kcp/packet.ts";
import type { KcpLimits } from "../kcp/types.ts";
import { MeshNode } from "../mesh/node.ts";
import type { Underlay } from "../mesh/underlay.ts";
import { DestinationProxy, MAX_IOV_PAIRS } from "../proxy/destination.ts";
import type { EntryTable } from "../proxy/entry.ts";
import type { MemoryBudget } from "../proxy/memory-budget.ts";
import type { PlainFlows } from "../proxy/plain-flows.ts";
import { PLAIN_WORDS, PlainPath } from "../proxy/plain-path.ts";
import { Policy } from "../proxy/policy.ts";
import { SourceProxy } from "../proxy/source.ts";
import { HASH_REGION_BYTES, type HashPort } from "../quic/checksum.ts";
import { QuicEndpoint } from "../quic/endpoint.ts";
import type { QuicLimits } from "../quic/types.ts";
import { TCP_REGION_BYTES } from "../tcp/limits.ts";
import { TcpStack } from "../tcp/stack.ts";
import { RX_RESERVE_SLOTS } from "../udp-input.ts";
import { AEAD_TAIL_BYTES, PEER_HEADER_BYTES } from "../wire/peer-header.ts";
import { TUNNEL_HEADER_BYTES } from "../wire/udp-tunnel.ts";
import { VNET_BYTES } from "../wire/vnet.ts";
import type { OwnAddress } from "./address-watch.ts";
import type { ServedAddresses } from "./dial-policy.ts";
import type { HostRandom } from "./host-random.ts";
import { ReservedPool } from "./reserved-pool.ts";
import { localInfo, policySettings, toldAddresses } from "./settings.ts";

/** Carried connections that may be opening at the same time, per role. */
const MAX_HALF_OPEN = 1024;
/** Bytes of the 1500-byte underlay's datagram that a packet for one of our own nodes may have (links.md 1.8). */
const MAX_UDP_PAYLOAD = 1412;
/** What of them is left to QUIC, and to KCP. */
const QUIC_DATAGRAM_BYTES = MAX_UDP_PAYLOAD - TUNNEL_HEADER_BYTES - PEER_HEADER_BYTES - AEAD_TAIL_BYTES;
const KCP_MTU = QUIC_DATAGRAM_BYTES - KCP_HEADER_BYTES;

export interface Session {
  readonly mesh: MeshNode;
  readonly stack: TcpStack;
  readonly source: SourceProxy;
  readonly destination: DestinationProxy;
  readonly sourceEndpoint: KcpEndpoint<unknown>;
  readonly destinationEndpoint: KcpEndpoint<unknown>;
  readonly quicSource: QuicEndpoint<unknown>;
  readonly quicDestination: QuicEndpoint<unknown>;
  readonly policy: Policy;
  readonly plain: PlainPath;
}

/** Regions of the arena that are used again by every session. */
export interface Regions {
  readonly plainWord: number;
  readonly iovWord: number;
  readonly zeroVnet: number;
  readonly tcp: number;
  readonly quicHash: number;
}

export function reserveRegions({ memory }: Host): Regions {
  const regions = {
    plainWord: memory.reserve(PLAIN_WORDS * 4) / 4,
    iovWord: memory.reserve(MAX_IOV_PAIRS * 8) / 4,
    zeroVnet: memory.reserve(VNET_BYTES),
    tcp: memory.reserve(TCP_REGION_BYTES),
    quicHash: memory.reserve(HASH_REGION_BYTES),
  };
  memory.bytes.fill(0, regions.zeroVnet, regions.zeroVnet + VNET_BYTES);
  return regions;
}

/** What outlives a session and is lent to it. */
export interface SessionParts {
  readonly host: Host;
  readonly pool: SlotPool;
  readonly budget: MemoryBudget;
  readonly path: DataPath;
  readonly entries: EntryTable;
  readonly plainFlows: PlainFlows;
  readonly served: ServedAddresses;
  readonly regions: Regions;
  readonly random: HostRandom;
  readonly timed: readonly Timed[];
  readonly kcpInput: () => boolean;
  readonly quicInput: () => boolean;
}

/** `device` is the TUN's handle. */
export function openSession(
  parts: SessionParts,
  config: Config,
  addresses: readonly OwnAddress[],
  device: number,
): Session {
  const { host, pool, budget, path, entries, plainFlows, regions } = parts;
  const { words } = host.memory;
  const now = host.now();
  const random32 = () => parts.random.word();
  const mesh = new MeshNode({
    config: {
      networkName: config.network_name,
      networkSecret: config.network_secret.reveal(),
      encryption: config.enable_encryption,
      local: localInfo(config),
    },
    underlay: underlay(host, path),
    pool,
    words,
    random: random32,
    consumer: path,
    now,
  });
  mesh.setClock(host.unixTime() * 1000, now);
  mesh.setLocalAddresses(toldAddresses(addresses));
  path.batch.setObserver((list, count) => mesh.noteSent(list, count));
  const policy = new Policy(mesh, policySettings(config, addresses));
  const plain = new PlainPath({
    host,
    mesh,
    pool,
    batch: path.batch,
    flows: plainFlows,
    words,
    word: regions.plainWord,
    zeroVnet: regions.zeroVnet,
    seed: random32(),
  });
  plain.configure(device, tunMtu(config));
  const source = new SourceProxy({
    policy,
    entries,
    plainFlows,
    pool,
    budget,
    sendPlain: (offset, length, at) => plain.handleFrame(offset, length, at),
    rttMs: (peerId) => mesh.latencyMs(peerId) ?? 0,
    maxConnections: config.max_connections,
  });
  const stack = new TcpStack({
    // What a client sends faster than KCP takes it must not keep others from receiving.
    pool: new ReservedPool(pool, Math.min(RX_RESERVE_SLOTS, pool.slotCount >>> 3)),
    quota: budget.everyone,
    words,
    regionOffset: regions.tcp,
    random: random32,
    mtu: tunMtu(config),
    events: source,
  });
  const random = (bytes: Uint8Array) => parts.random.fill(bytes);
  // All of a network's peers know its secret: one of them may be a router whose whole LAN connects at once.
  const limits: Partial<KcpLimits> = {
    maxConnections: config.max_connections,
    maxConnectionsPerPeer: config.max_connections,
    maxHalfOpen: Math.min(config.max_connections, MAX_HALF_OPEN),
    maxHalfOpenPerPeer: Math.min(config.max_connections, MAX_HALF_OPEN),
    extendedMtu: KCP_MTU,
    spareSlots: RX_RESERVE_SLOTS,
  };
  const localPeerId = mesh.peerId;
  const shared = { localPeerId, pool, random, limits, quotaOf: (peerId: number) => budget.quotaOf(peerId) };
  const sourceEndpoint = new KcpEndpoint({ role: "source", ...shared });
  const destinationEndpoint = new KcpEndpoint({ role: "destination", ...shared });
  const quic = {
    pool,
    random,
    quotaOf: shared.quotaOf,
    hash: {
      region: regions.quicHash,
      seahash: (front, frontBytes, rest, restBytes, out) =>
        host.seahash(front, frontBytes, rest, restBytes, out),
    } satisfies HashPort,
    rttMs: (peerId: number) => mesh.latencyMs(peerId) ?? 0,
    limits: {
      maxStreams: config.max_connections,
      maxStreamsPerConnection: config.max_connections,
      extendedDatagramBytes: QUIC_DATAGRAM_BYTES,
      spareSlots: RX_RESERVE_SLOTS,
    } satisfies Partial<QuicLimits>,
  };
  const quicSource = new QuicEndpoint({ role: "source", ...quic });
  const quicDestination = new QuicEndpoint({ role: "destination", ...quic });
  source.attach(stack, { kcp: sourceEndpoint, quic: quicSource });
  const destination = new DestinationProxy({
    sockets: host,
    dialPolicy: parts.served,
    entries,
    quicInput: parts.quicInput,
    budget,
    words,
    iovWord: regions.iovWord,
  });
  const session = {
    mesh,
    stack,
    source,
    destination,
    sourceEndpoint,
    destinationEndpoint,
    quicSource,
    quicDestination,
    policy,
    plain,
  };
  const { kcpInput, quicInput } = parts;
  path.attach({ ...session, timed: [...parts.timed, source], kcpInput, quicInput });
  return session;
}

/** Ends everything of a session; connections are told. */
export function closeSession(session: Session, path: DataPath, now: number): void {
  session.source.closeAll(now, "shutting_down");
  session.destination.closeAll(now, "shutting_down");
  session.quicSource.closeConnections(now);
  session.quicDestination.closeConnections(now);
  // The resets are on their way before the links go.
  path.flush(now);
  session.mesh.dispose(now);
  session.stack.dispose();
  session.sourceEndpoint.dispose(now);
  session.destinationEndpoint.dispose(now);
  session.quicSource.dispose(now);
  session.quicDestination.dispose(now);
}

/** The host as the mesh sees it: sockets it opens are read by the loop. */
function underlay(host: Host, path: DataPath): Underlay {
  return {
    udpOpen: (offset) => path.udp.open(offset),
    close: (handle) => path.udp.close(handle),
    linkSet: (link, socket, offset, connId) => host.linkSet(link, socket, offset, connId),
    linkClear: (link) => host.linkClear(link),
    identitySet: (peerId, offset) => host.identitySet(peerId, offset),
    routeSet: (route, link, offset) => host.routeSet(route, link, offset),
    routeClear: (route) => host.routeClear(route),
    send: (list, count) => host.send(list, count),
    sendOnLink: (link, offset, length) => host.sendOnLink(link, offset, length),
    sendDatagram: (socket, endpoint, offset, length) => host.sendDatagram(socket, endpoint, offset, length),
    describeError: (code) => host.describeError(code),
  };
}
