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
import { TUNNEL_HEADER_BYTES } from "../wire/udp-tunnel.ts";
import type { Listener, ListenerFailure } from "./acceptor.ts";
import { ControlIo } from "./control-io.ts";
import { Drops } from "./drops.ts";
import { EventQueue, type MeshEvent, quoted } from "./event.ts";
import { ipListResponse, type LocalAddresses, NO_ADDRESSES } from "./ip-list.ts";
import { LinkLayer } from "./link-layer.ts";
import { PacketInput } from "./packet-input.ts";
import { PacketOutput } from "./packet-output.ts";
import { type DirectLatency, PeerCenter } from "./peer-center/peer-center.ts";
import { RouteSync } from "./routes/route-sync.ts";
import type { LocalInfo, PeerInfo, RoutedPrefix } from "./routes/types.ts";
import { RpcEndpoint } from "./rpc/endpoint.ts";
import type { RpcFailureCode } from "./rpc/failure.ts";
import { callMethod, GET_IP_LIST, handler } from "./rpc/service.ts";
import { type PeerSnapshot, peerSnapshots, type RouteSnapshot, routeSnapshots } from "./snapshot.ts";
import type { PacketConsumer, Random32 } from "./types.ts";
import { ENDPOINT_BYTES, RxFlag, type Underlay } from "./underlay.ts";

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

/** Failures of a call that are no answer of the peer. */
const UNANSWERED: ReadonlySet<RpcFailureCode> = new Set(["timeout", "cancelled", "too_many_calls"]);

export class MeshNode {
  readonly peerId: number;
  /** Packets not handed on, by reason. */
  readonly drops = new Drops();
  readonly #slotBytes: number;
  readonly #io: ControlIo;
  readonly #events = new EventQueue();
  readonly #links: LinkLayer;
  readonly #rpc: RpcEndpoint;
  readonly #routes: RouteSync;
  readonly #center: PeerCenter;
  readonly #input: PacketInput;
  readonly #output: PacketOutput;
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
    this.#slotBytes = pool.slotBytes;
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
    this.#output = new PacketOutput({
      localPeerId: this.peerId,
      encryption: config.encryption,
      words,
      io: this.#io,
      links: this.#links,
      drops: this.drops,
      guide: {
        nextHop: (peerId) => this.#routes.nextHop(peerId),
        isPublicServer: (peerId) => this.#routes.peer(peerId)?.featureFlags.isPublicServer,
      },
    });
    this.#rpc = new RpcEndpoint({
      localPeerId: this.peerId,
      networkName,
      random,
      send: (toPeerId, packetType, bytes) => this.#output.sendRpc(toPeerId, packetType, bytes),
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
    this.#input = new PacketInput({
      localPeerId: this.peerId,
      encryption: config.encryption,
      bytes: pool.bytes,
      links: this.#links,
      drops: this.drops,
      consumer,
      control: {
        rpc: (packetType, from, payload, at) => {
          this.#rpc.handlePacket(packetType, from, payload, at);
          this.#settle(at);
        },
        isKeyless: (peerId) => this.#routes.peer(peerId)?.featureFlags.isPublicServer === true,
        compressed: (from) => this.#tellCompressed(from),
        linksTouched: (at) => this.#settle(at),
      },
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
    return this.#input.handle(slot, offset, length, link, flags, now);
  }

  /** Counts packets of a link that were taken as followers of one that `handleReceived` took (`Host.udpFollowers`). */
  noteFollowers(link: number, rxFlags: number, count: number, bytes: number): void {
    this.#input.noteFollowers(link, rxFlags, count, bytes);
  }

  #handleDatagram(slot: number, offset: number, length: number, now: number, socket: number): boolean {
    const endpointOffset = (slot + 1) * this.#slotBytes - ENDPOINT_BYTES;
    const link = this.#links.handleDatagram(socket, offset, length, endpointOffset, now);
    if (link < 0) {
      this.#settle(now);
      return false;
    }
    const packet = offset + TUNNEL_HEADER_BYTES;
    return this.#input.handle(slot, packet, length - TUNNEL_HEADER_BYTES, link, RxFlag.untouched, now);
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
   * Asks a peer something small that every node answers, over whatever way packets take. `done` gets the round trip, or null
   * when no answer came in time: one datagram each way, never repeated, so that losses show.
   */
  probe(peerId: number, timeoutMs: number, now: number, done: (rttMs: number | null) => void): void {
    callMethod(this.#rpc, peerId, GET_IP_LIST, {}, timeoutMs, now, (result, at) =>
      done(result.ok || !UNANSWERED.has(result.failure.code) ? Math.max(0, at - now) : null),
    );
  }

  /**
   * Counts what is handed to the host's `send` (the same list): bytes per link, and how often to ping depend on it.
   */
  noteSent(list: number, count: number): void {
    this.#output.noteSent(list, count);
  }

  /** Ends all links and closes all sockets. The node must not be used afterwards. */
  dispose(now: number): void {
    this.#links.dispose(now);
    this.#output.routes.clear();
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
   * input to the node. `flags` are header flags (`PacketFlag`) beside ENCRYPTED, which is set as the network has it.
   */
  route(peerId: number, packetType: number, flags = 0): number {
    return this.#output.routes.find(peerId, packetType, flags);
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
      routes: this.#output.routes.size,
      route_evictions: this.#output.routes.evictions,
      events_dropped: this.#events.dropped,
    };
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #tellCompressed(from: number): void {
    if (this.#toldCompressed) return;
    this.#toldCompressed = true;
    this.#events.push(
      "warning",
      `Peer ${from} sends compressed packets, which this node cannot read. Switch data_compress_algo off on that node.`,
      { type: "compressed_packets", peerId: from },
    );
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
    this.#output.routes.refresh();
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
        const name = info?.hostname ? quoted(info.hostname) : `Peer ${event.peerId}`;
        this.#events.push("info", `${name} is reachable.`, { type: "peer_joined", peerId: event.peerId });
      } else {
        const hostname = this.#routes.peer(event.peerId)?.hostname ?? "";
        const name = hostname ? quoted(hostname) : `Peer ${event.peerId}`;
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
