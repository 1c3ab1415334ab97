/**
 * One node of a virtual network: a leaf. It keeps links to others, knows through route sync who else is there and by which
 * next hop, and hands packets for this node to their consumer. It relays for nobody: what is not for us is dropped.
 *
 * ```
 *  host ─▶ handleReceived ─┬─ data 1, KCP 11/12 ───────────────▶ PacketConsumer
 *                          ├─ RPC 8/9 ─▶ RpcEndpoint ─▶ RouteSync, PeerCenter, GetIpList
 *                          └─ handshake, ping, SYN … ─▶ LinkLayer
 *  proxy ─▶ route(peer, type) ─▶ route number ─▶ host.send
 * ```
 */
import type { SlotPool } from "kcp-ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { networkDigest, networkKey128 } from "../wire/network-key.ts";
import { AEAD_TAIL_BYTES, PacketFlag, PacketType, PEER_HEADER_BYTES, readU32 } from "../wire/peer-header.ts";
import { TUNNEL_HEADER_BYTES } from "../wire/udp-tunnel.ts";
import type { Listener, ListenerFailure } from "./acceptor.ts";
import { ControlIo } from "./control-io.ts";
import { Drops } from "./drops.ts";
import { EventQueue, type MeshEvent } from "./event.ts";
import { ipListResponse, type LocalAddresses, NO_ADDRESSES } from "./ip-list.ts";
import { MAX_LINKS } from "./limits.ts";
import { LinkLayer } from "./link-layer.ts";
import { LinkState } from "./link-table.ts";
import { type DirectLatency, PeerCenter } from "./peer-center/peer-center.ts";
import { RouteTable } from "./route-table.ts";
import { RouteSync } from "./routes/route-sync.ts";
import type { LocalInfo, PeerInfo, RoutedPrefix } from "./routes/types.ts";
import { RpcEndpoint } from "./rpc/endpoint.ts";
import { GET_IP_LIST, handler } from "./rpc/service.ts";
import { type PeerSnapshot, peerSnapshots, type RouteSnapshot, routeSnapshots } from "./snapshot.ts";
import { NO_PEER, type PacketConsumer, type Random32 } from "./types.ts";
import { ENDPOINT_BYTES, RxFlag, TX_WORDS, type Underlay } from "./underlay.ts";

export interface MeshConfig {
  readonly networkName: string;
  readonly networkSecret: string;
  /** `enable_encryption`: AES-128-GCM. All nodes of a network must agree. */
  readonly encryption: boolean;
  readonly local: LocalInfo;
  /** For tests; otherwise random, as it must be new at every start (routes-rpc.md 3.12). */
  readonly peerId?: number;
}

export interface MeshNodeOptions {
  readonly config: MeshConfig;
  readonly underlay: Underlay;
  readonly pool: SlotPool;
  /** The whole arena as 32-bit words. */
  readonly words: Int32Array;
  readonly random: Random32;
  readonly consumer: PacketConsumer;
  /** When it begins. */
  readonly now: number;
}

/** links.md 5.5. */
const NEVER_ENCRYPTED = new Set<number>([PacketType.handshake, PacketType.ping, PacketType.pong]);

export class MeshNode {
  readonly peerId: number;
  /** Packets not handed on, by reason. */
  readonly drops = new Drops();
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #slotBytes: number;
  readonly #consumer: PacketConsumer;
  readonly #encryption: boolean;
  readonly #io: ControlIo;
  readonly #events = new EventQueue();
  readonly #links: LinkLayer;
  readonly #rpc: RpcEndpoint;
  readonly #routes: RouteSync;
  readonly #center: PeerCenter;
  readonly #routeTable: RouteTable;
  #local: LocalInfo;
  #addresses: LocalAddresses = NO_ADDRESSES;
  #toldCompressed = false;
  /** What of links and routes has been taken note of. */
  #seenMembership = 0;
  #seenLinks = 0;
  #seenRoutes = 0;

  constructor({ config, underlay, pool, words, random, consumer, now }: MeshNodeOptions) {
    // The upper half makes us an unlikely peer centre (routes-rpc.md 3.12, 8).
    this.peerId = config.peerId ?? (random() | 0x8000_0000) >>> 0;
    this.#bytes = pool.bytes;
    this.#words = words;
    this.#slotBytes = pool.slotBytes;
    this.#consumer = consumer;
    this.#encryption = config.encryption;
    this.#local = config.local;
    const { networkName, networkSecret } = config;
    const digest = networkDigest(networkName, networkSecret);
    this.#io = new ControlIo(underlay, pool, words);
    this.#io.setIdentity(this.peerId, config.encryption ? networkKey128(networkSecret) : undefined);
    this.#links = new LinkLayer({
      identity: { peerId: this.peerId, networkName, digest },
      io: this.#io,
      random,
      bytes: pool.bytes,
      events: this.#events,
      drops: this.drops,
      overlay: () => this.#local,
    });
    this.#rpc = new RpcEndpoint({
      localPeerId: this.peerId,
      networkName,
      random,
      send: (toPeerId, packetType, bytes) => this.#sendRpc(toPeerId, packetType, bytes),
    });
    this.#rpc.register(GET_IP_LIST.service, [
      handler(GET_IP_LIST, () => ipListResponse(this.#links.listeners, this.#addresses)),
    ]);
    this.#routes = new RouteSync({
      localPeerId: this.peerId,
      localInfo: config.local,
      rpc: this.#rpc,
      random,
      now,
    });
    this.#center = new PeerCenter({ localPeerId: this.peerId, rpc: this.#rpc, routes: this.#routes, now });
    this.#routeTable = new RouteTable({
      linkTo: (peerId) => this.#linkTo(peerId),
      setRoute: (route, link, peerId, packetType) => {
        const encrypted = this.#isSealed(peerId, packetType);
        const flags = encrypted ? PacketFlag.encrypted : 0;
        return this.#io.setRoute(route, link, this.peerId, peerId, packetType, flags);
      },
      clearRoute: (route) => underlay.routeClear(route),
    });
  }

  // ── input ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * One entry of the host's `udpReceive` on `socket`: the packet (or, with `RxFlag.datagram`, the whole datagram) at
   * `offset` in `slot`. True = the slot was taken.
   */
  handleReceived(
    slot: number,
    offset: number,
    length: number,
    link: number,
    flags: number,
    now: number,
    socket: number,
  ): boolean {
    if ((flags & RxFlag.datagram) !== 0) return this.#handleDatagram(slot, offset, length, now, socket);
    return this.#handlePacket(slot, offset, length, link, flags, now);
  }

  #handleDatagram(slot: number, offset: number, length: number, now: number, socket: number): boolean {
    const endpointOffset = (slot + 1) * this.#slotBytes - ENDPOINT_BYTES;
    const link = this.#links.handleDatagram(socket, offset, length, endpointOffset, now);
    if (link < 0) {
      this.#settle(now);
      return false;
    }
    const packet = offset + TUNNEL_HEADER_BYTES;
    return this.#handlePacket(slot, packet, length - TUNNEL_HEADER_BYTES, link, RxFlag.untouched, now);
  }

  /** The order of the checks is that of links.md 1.6. */
  #handlePacket(
    slot: number,
    offset: number,
    length: number,
    link: number,
    rxFlags: number,
    now: number,
  ): boolean {
    const { table } = this.#links;
    if (link < 0 || link >= MAX_LINKS || table.state[link] === LinkState.free) {
      this.drops.unknown_link++;
      return false;
    }
    if (length < PEER_HEADER_BYTES) {
      this.drops.short_packet++;
      return false;
    }
    table.rxPackets[link] = table.rxPackets[link]! + 1;
    const cutOff =
      (rxFlags & RxFlag.opened) !== 0 ? TUNNEL_HEADER_BYTES + AEAD_TAIL_BYTES : TUNNEL_HEADER_BYTES;
    table.rxBytes[link] = table.rxBytes[link]! + length + cutOff;
    table.lastRxMs[link] = now;
    const bytes = this.#bytes;
    const type = bytes[offset + 8]!;
    if (type === PacketType.handshake) {
      this.#links.handleHandshake(link, offset, length, now);
      this.#settle(now);
      return false;
    }
    if (table.state[link] !== LinkState.up) {
      this.drops.before_handshake++;
      return false;
    }
    if (type === PacketType.ping) {
      this.#links.handlePing(link, offset, length);
      return false;
    }
    if (type === PacketType.pong) {
      this.#links.handlePong(link, offset, length, now);
      return false;
    }
    if (readU32(bytes, offset + 4) !== this.peerId) {
      this.drops.not_for_us++;
      return false;
    }
    const from = readU32(bytes, offset);
    if (from === this.peerId || from === NO_PEER) {
      this.drops.from_ourselves++;
      return false;
    }
    const flags = bytes[offset + 9]!;
    if ((flags & (PacketFlag.encrypted | PacketFlag.compressed)) !== 0) {
      this.#dropUnreadable(from, flags);
      return false;
    }
    const payload = offset + PEER_HEADER_BYTES;
    const payloadLength = length - PEER_HEADER_BYTES;
    switch (type) {
      case PacketType.data:
        if (this.#isForged(rxFlags)) return false;
        if ((flags & (PacketFlag.notSendToTun | PacketFlag.exitNode)) !== 0) {
          if ((flags & PacketFlag.notSendToTun) !== 0) this.drops.not_for_tun++;
          else this.drops.exit_node++;
          return false;
        }
        return this.#consumer.data(from, slot, payload, payloadLength, now);
      case PacketType.kcpSource:
        if (this.#isForged(rxFlags)) return false;
        return this.#consumer.kcp("destination", from, slot, payload, payloadLength, now);
      case PacketType.kcpDestination:
        if (this.#isForged(rxFlags)) return false;
        return this.#consumer.kcp("source", from, slot, payload, payloadLength, now);
      case PacketType.rpcRequest:
      case PacketType.rpcResponse:
        if ((rxFlags & RxFlag.opened) === 0 && !this.#mayRpcBeClear(link, from)) {
          this.drops.clear_rpc++;
          return false;
        }
        this.#rpc.handlePacket(type, from, bytes.slice(payload, payload + payloadLength), now);
        this.#settle(now);
        return false;
      default:
        this.drops.countType(type);
        return false;
    }
  }

  /**
   * Payload in clear text although this network encrypts: anybody on the way could have made it. Stock nodes that do not
   * encrypt cannot read us either (links.md 5.6), so nothing is lost by not reading them.
   */
  #isForged(rxFlags: number): boolean {
    if (!this.#encryption || (rxFlags & RxFlag.opened) !== 0) return false;
    this.drops.clear_data++;
    return true;
  }

  /**
   * Only shared nodes have no key (links.md 5.5). From anybody else a call in clear text would let everybody on the way
   * announce routes.
   */
  #mayRpcBeClear(link: number, from: number): boolean {
    if (!this.#encryption || this.#links.table.at(link)?.shared === true) return true;
    return this.#routes.peer(from)?.featureFlags.isPublicServer === true;
  }

  #dropUnreadable(from: number, flags: number): void {
    if ((flags & PacketFlag.encrypted) !== 0) {
      this.drops.unreadable_encryption++;
      return;
    }
    this.drops.compressed++;
    if (this.#toldCompressed) return;
    this.#toldCompressed = true;
    this.#events.push(
      "warning",
      `Peer ${from} sends compressed packets, which this node cannot read. Switch data_compress_algo off on that node.`,
      { type: "compressed_packets", peerId: from },
    );
  }

  // ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  get nextTimeout(): number {
    return Math.min(this.#links.nextTimeout, this.#rpc.nextTimeout, this.#routes.nextTimeout);
  }

  handleTimeout(now: number): void {
    if (now >= this.#links.nextTimeout) this.#links.handleTimeout(now);
    this.#settle(now);
    if (now >= this.#rpc.nextTimeout) this.#rpc.handleTimeout(now);
    if (now >= this.#routes.nextTimeout) this.#routes.handleTimeout(now);
    if (now >= this.#center.nextTimeout) {
      this.#center.setDirectLatencies(this.#measuredLatencies());
      this.#center.handleTimeout(now);
    }
    this.#settle(now);
  }

  pollEvent(): MeshEvent | undefined {
    return this.#events.poll();
  }

  // ── commands ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Listens on exactly these URLs (`udp://0.0.0.0:11010`). Those that could not be opened are returned. */
  setListeners(urls: readonly string[], now: number): ListenerFailure[] {
    return this.#links.setListeners(urls, now);
  }

  /** Keeps links to exactly these URLs. Returns a sentence for each one that cannot be dialled. */
  setPeers(urls: readonly string[], now: number): string[] {
    const problems = this.#links.setPeers(urls, now);
    this.#settle(now);
    return problems;
  }

  /** Answers a `resolve` event; an empty list = the name could not be resolved. */
  handleResolved(url: string, endpoints: readonly Endpoint[], now: number): void {
    this.#links.handleResolved(url, endpoints, now);
  }

  /** Changes what this node announces. */
  setLocalInfo(changes: Partial<LocalInfo>, now: number): void {
    this.#local = { ...this.#local, ...changes };
    this.#routes.setLocalInfo(changes, now);
    this.#settle(now);
  }

  /** Tells the wall clock, for the time stamps that others see. */
  setClock(unixMs: number, now: number): void {
    this.#routes.setClock(unixMs, now);
  }

  /** Addresses told to those who want to dial us. */
  setLocalAddresses(addresses: LocalAddresses): void {
    this.#addresses = addresses;
  }

  /** The router's own connection changed (a new PPPoE session, another address): links are tried at once. */
  handleNetworkChange(now: number): void {
    this.#links.probe(now);
  }

  /**
   * Counts what is handed to the host's `send` (the same list): bytes per link, and how often to ping depend on it.
   */
  noteSent(list: number, count: number): void {
    const added = TUNNEL_HEADER_BYTES + PEER_HEADER_BYTES + (this.#encryption ? AEAD_TAIL_BYTES : 0);
    for (let at = list; at < list + count * TX_WORDS; at += TX_WORDS) {
      const link = this.#routeTable.linkOf(this.#words[at + 2]!);
      if (link >= 0) this.#links.table.countSent(link, 1, this.#words[at + 1]! + added);
    }
  }

  /** Ends all links and closes all sockets. The node must not be used afterwards. */
  dispose(now: number): void {
    this.#links.dispose(now);
    this.#routeTable.clear();
    this.#io.dispose();
  }

  // ── look-ups ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The peer that owns an address (big-endian value): its own, or in a subnet it exports; 0 = nobody (routes-rpc.md 5.2). */
  ownerOf(ipv4: number): number {
    return this.#routes.ownerOf(ipv4);
  }

  /** True for addresses whose packets go to all of `broadcastPeers`. */
  isBroadcast(ipv4: number): boolean {
    return this.#routes.isBroadcast(ipv4);
  }

  get broadcastPeers(): readonly number[] {
    return this.#routes.broadcastPeers;
  }

  /** Exported subnets of other nodes that are in use: the kernel's routes into the network. */
  get routedPrefixes(): readonly RoutedPrefix[] {
    return this.#routes.routedPrefixes;
  }

  peer(peerId: number): PeerInfo | undefined {
    return this.#routes.peer(peerId);
  }

  /**
   * The host's route number for packets of this type to this peer, or -1 while there is no way to it. Good until the next
   * input to the node.
   */
  route(peerId: number, packetType: number): number {
    return this.#routeTable.find(peerId, packetType);
  }

  /** Round trip to a peer: measured on the link to a direct one, else the sum on the way as far as known. */
  latencyMs(peerId: number): number | null {
    const measured = this.#links.peers.find(peerId)?.best.pinger?.latencyMs;
    return measured ?? this.#routes.peer(peerId)?.pathLatencyMs ?? null;
  }

  get routeRevision(): number {
    return this.#routes.revision;
  }

  /** True for every socket of this node. */
  hasSocket(handle: number): boolean {
    return this.#links.hasSocket(handle);
  }

  get listeners(): readonly Listener[] {
    return this.#links.listeners;
  }

  peerSnapshots(): PeerSnapshot[] {
    return peerSnapshots(this.#routes, this.#links);
  }

  routeSnapshots(): RouteSnapshot[] {
    return routeSnapshots(this.#routes);
  }

  /** Drop counters, table sizes and what else is worth a number. */
  counters(): Record<string, number> {
    return {
      ...this.drops.snapshot(),
      links: this.#links.table.size,
      half_open: this.#links.halfOpen,
      direct_peers: this.#links.peers.size,
      routes: this.#routeTable.size,
      route_evictions: this.#routeTable.evictions,
      events_dropped: this.#events.dropped,
    };
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Number of the link that packets to this peer take first, or -1 (routes-rpc.md 5.4). */
  #linkTo(peerId: number): number {
    const direct = this.#links.peers.find(peerId);
    if (direct !== undefined) return direct.best.number;
    const nextHop = this.#routes.nextHop(peerId);
    return this.#links.peers.find(nextHop)?.best.number ?? -1;
  }

  /** Whether a packet of ours to this peer is encrypted (links.md 5.5): RPC to a shared node must not be. */
  #isSealed(peerId: number, packetType: number): boolean {
    if (!this.#encryption || NEVER_ENCRYPTED.has(packetType)) return false;
    if (packetType !== PacketType.rpcRequest && packetType !== PacketType.rpcResponse) return true;
    const info = this.#routes.peer(peerId);
    if (info !== undefined) return !info.featureFlags.isPublicServer;
    const direct = this.#links.peers.find(peerId);
    return direct !== undefined && !direct.shared;
  }

  #sendRpc(toPeerId: number, packetType: number, bytes: Uint8Array): void {
    if (bytes.length > this.#io.maxRpcBytes) {
      this.drops.rpc_too_long++;
      return;
    }
    const link = this.#linkTo(toPeerId);
    if (link < 0) {
      this.drops.rpc_no_route++;
      return;
    }
    const sealed = this.#isSealed(toPeerId, packetType);
    const sent = this.#io.sendRpc(link, this.peerId, toPeerId, packetType, sealed, bytes);
    if (sent < 0) this.drops.rpc_send_failed++;
    else this.#links.table.countSent(link, 1, sent);
  }

  #measuredLatencies(): DirectLatency[] {
    return [...this.#links.peers.values()].map(({ peerId, best }) => ({
      peerId,
      latencyMs: best.pinger?.latencyMs ?? undefined,
    }));
  }

  /** Brings the parts into step after anything that may have changed links or routes. */
  #settle(now: number): void {
    const { peers } = this.#links;
    if (peers.membership !== this.#seenMembership) {
      this.#seenMembership = peers.membership;
      const direct = [...peers.values()].map(({ peerId, shared }) => ({ peerId, shared }));
      this.#routes.setDirectPeers(direct, now);
    }
    this.#takeRouteEvents();
    const linksMoved = peers.revision !== this.#seenLinks;
    const routesMoved = this.#routes.revision !== this.#seenRoutes;
    if (!linksMoved && !routesMoved) return;
    this.#seenLinks = peers.revision;
    this.#seenRoutes = this.#routes.revision;
    this.#routeTable.refresh();
    if (!routesMoved) return;
    this.#suspectForerunners(now);
    const revision = this.#routes.revision;
    this.#events.push("info", "The routes have changed.", { type: "routes_changed", revision });
  }

  #takeRouteEvents(): void {
    for (let event = this.#routes.pollEvent(); event !== undefined; event = this.#routes.pollEvent()) {
      if (event.type === "duplicate_peer_id") {
        const message = `Another node uses our peer id ${this.peerId}; starting over with a new one.`;
        this.#events.push("error", message, { type: "duplicate_peer_id" });
      } else if (event.type === "peer_joined") {
        const info = this.#routes.peer(event.peerId);
        const name = info?.hostname || `peer ${event.peerId}`;
        this.#events.push("info", `${name} is reachable.`, { type: "peer_joined", peerId: event.peerId });
      } else {
        const hostname = this.#routes.peer(event.peerId)?.hostname ?? "";
        const name = hostname || `Peer ${event.peerId}`;
        const message = `${name} is no longer reachable.`;
        this.#events.push("info", message, { type: "peer_left", peerId: event.peerId, hostname });
      }
    }
  }

  /**
   * Two direct peers that are the same installation: the one whose link is older was the process before. It has until a few
   * pings to prove that it still exists, instead of the 40 s that an idle link may take to be found dead.
   */
  #suspectForerunners(now: number): void {
    const newest = new Map<string, { peerId: number; upAtMs: number }>();
    for (const { peerId, links } of this.#links.peers.values()) {
      const instanceId = this.#routes.peer(peerId)?.instanceId ?? "";
      if (instanceId === "") continue;
      const upAtMs = Math.max(...links.map((link) => link.upAtMs));
      const other = newest.get(instanceId);
      if (other === undefined) newest.set(instanceId, { peerId, upAtMs });
      else if (other.upAtMs < upAtMs) {
        newest.set(instanceId, { peerId, upAtMs });
        this.#links.suspectPeer(other.peerId, now);
      } else this.#links.suspectPeer(peerId, now);
    }
  }
}
