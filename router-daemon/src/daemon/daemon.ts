/**
 * One node, put together: mesh, proxy, user-space stack and host. Knows no engine; `node-run.ts` gives it a process.
 *
 * ```
 *            config ─▶ Daemon ─▶ DataPath (the loop)
 *                        │          ├─ MeshNode ◀─ host UDP
 *   DaemonView ◀─────────┤          ├─ TcpStack ◀─ host TUN ─▶ PlainPath
 *   (API, CLI, page)     │          ├─ SourceProxy ⇄ KcpEndpoint(source)
 *                        │          └─ DestinationProxy ⇄ KcpEndpoint(destination) ⇄ host TCP
 *                        └─ events, kernel routes, names to be resolved
 * ```
 */
import { FixedSlotPool, type SlotPool } from "kcp-ts";
import { VERSION } from "../api/version.ts";
import type {
  ConnectionRow,
  DaemonView,
  EventRow,
  NodeInfo,
  PeerRow,
  Problem,
  ReloadResult,
  RouteRow,
  StatusInfo,
  VersionInfo,
} from "../api/view.ts";
import { type Config, flagStates, tunMtu } from "../config/config.ts";
import { applyLive, diffConfig } from "../config/diff.ts";
import { formatInterfaceAddress, formatPrefix } from "../config/ipv4.ts";
import { DataPath, RX_RESERVE_SLOTS } from "../data-path.ts";
import type { Host, HostFailure, HostMemory, TunInfo } from "../host/host.ts";
import { KcpEndpoint } from "../kcp/endpoint.ts";
import type { KcpLimits } from "../kcp/types.ts";
import type { MeshEvent } from "../mesh/event.ts";
import { type LocalAddresses, NO_ADDRESSES } from "../mesh/ip-list.ts";
import { MeshNode } from "../mesh/node.ts";
import { type LocalInfo, NO_FEATURES } from "../mesh/routes/types.ts";
import type { Underlay } from "../mesh/underlay.ts";
import { DestinationProxy, MAX_IOV_PAIRS } from "../proxy/destination.ts";
import { EntryTable, MAX_CLOSED_ENTRIES } from "../proxy/entry.ts";
import { MAX_PLAIN_FLOWS, PlainFlows } from "../proxy/plain-flows.ts";
import { PLAIN_WORDS, PlainPath } from "../proxy/plain-path.ts";
import { Policy, type PolicySettings } from "../proxy/policy.ts";
import { type Prefix, prefixMask } from "../proxy/rule.ts";
import { SourceProxy } from "../proxy/source.ts";
import { TCP_REGION_BYTES } from "../tcp/limits.ts";
import { TcpStack } from "../tcp/stack.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { VNET_BYTES } from "../wire/vnet.ts";
import { AddressWatch } from "./address-watch.ts";
import { type Served, ServedAddresses } from "./dial-policy.ts";
import { type EventLevel, EventLog } from "./event-log.ts";
import { KernelRoutes } from "./kernel-routes.ts";
import { ReservedPool } from "./reserved-pool.ts";
import { connectionRow, peerRow, routeRow } from "./rows.ts";

/** Peers whose restart is recognised by their instance id. */
const MAX_INSTANCES = 1024;
/** Carried connections that may be opening at the same time, per role. */
const MAX_HALF_OPEN = 1024;
const RANDOM_BYTES = 256;
/** What stock nodes see as our version: the protocol level we speak, and who we are. */
export const ANNOUNCED_VERSION = `2.6.4-kcp-router-${VERSION}`;

/** Bytes of the 1500-byte underlay's datagram that a KCP packet for one of our own nodes may have (links.md 1.8). */
const MAX_UDP_PAYLOAD = 1412;
const TUNNEL_AND_PEER_HEADERS = 8 + 16;
const AEAD_TAIL = 28;
const KCP_CONNECTION_HEADER = 14;

/** What the daemon needs of the process around it. */
export interface DaemonServices {
  readonly host: Host;
  /** Version text of the engine, for `version`. */
  readonly engine: string;
  /** Prints one line of the log. */
  print(line: string): void;
  /** Resolves a host name to addresses (text); never rejects, an empty list = it could not. */
  resolve(name: string): Promise<readonly string[]>;
  /** IPv4 addresses of this machine's interfaces, the TUN device left out. */
  localAddresses(): readonly { readonly address: number; readonly prefixLength: number }[];
  /** Reads the configuration again; sentences when it cannot be used. */
  loadConfig():
    | { readonly ok: true; readonly config: Config }
    | { readonly ok: false; readonly problems: readonly string[] };
  /** Resident memory of the process in bytes, or null. */
  residentBytes(): number | null;
  /** Ends the process's run with a sentence. */
  fail(message: string): void;
  /** The pool over the host's slots, when it is to be another than `FixedSlotPool`: one that watches, in tests. */
  createPool?(memory: HostMemory): SlotPool;
}

/** What lives and dies with one peer id. */
interface Session {
  readonly mesh: MeshNode;
  readonly stack: TcpStack;
  readonly source: SourceProxy;
  readonly destination: DestinationProxy;
  readonly sourceEndpoint: KcpEndpoint<unknown>;
  readonly destinationEndpoint: KcpEndpoint<unknown>;
  readonly policy: Policy;
  readonly plain: PlainPath;
}

/** Regions of the arena that are used again by every session. */
interface Regions {
  readonly plainWord: number;
  readonly iovWord: number;
  readonly zeroVnet: number;
  readonly tcp: number;
  readonly random: number;
}

export class Daemon implements DaemonView {
  readonly #services: DaemonServices;
  readonly #host: Host;
  readonly #pool: SlotPool;
  readonly #path: DataPath;
  readonly #entries: EntryTable;
  readonly #plainFlows: PlainFlows;
  readonly #log: EventLog;
  readonly #served: ServedAddresses;
  readonly #kernelRoutes: KernelRoutes;
  readonly #watch: AddressWatch;
  readonly #regions: Regions;
  readonly #startTime: number;
  #config: Config;
  #session: Session | undefined;
  #tun: TunInfo | undefined;
  #stopping = false;
  /** Instance id → peer id last seen with it: a restarted peer's connections are ended at once. */
  readonly #instances = new Map<string, number>();

  constructor(config: Config, services: DaemonServices) {
    this.#config = config;
    this.#services = services;
    this.#host = services.host;
    const { memory } = services.host;
    this.#pool =
      services.createPool?.(memory) ??
      new FixedSlotPool(memory.slotCount, { arena: memory.arena, slotBytes: memory.slotBytes });
    this.#startTime = this.#host.unixTime();
    this.#log = new EventLog(services.print, () => this.#host.unixTime(), config.log_level);
    this.#entries = new EntryTable(() => this.#host.unixTime());
    this.#regions = {
      plainWord: memory.reserve(PLAIN_WORDS * 4) / 4,
      iovWord: memory.reserve(MAX_IOV_PAIRS * 8) / 4,
      zeroVnet: memory.reserve(VNET_BYTES),
      tcp: memory.reserve(TCP_REGION_BYTES),
      random: memory.reserve(RANDOM_BYTES),
    };
    memory.bytes.fill(0, this.#regions.zeroVnet, this.#regions.zeroVnet + VNET_BYTES);
    this.#plainFlows = new PlainFlows(this.#entries, this.#random32());
    this.#path = new DataPath(this.#host, this.#pool);
    this.#served = new ServedAddresses(this.#servedBy(config));
    this.#watch = new AddressWatch(() => this.#services.localAddresses(), this.#host.now());
    this.#kernelRoutes = new KernelRoutes((add, network, length) =>
      this.#tun === undefined ? -1 : this.#host.tunRoute(this.#tun.handle, add, network, length),
    );
  }

  /** Opens the device and joins the network. A failure is one sentence; nothing is left behind then. */
  start(): HostFailure | undefined {
    const config = this.#config;
    const tun = this.#host.tunOpen(config.dev_name);
    if ("error" in tun) return tun;
    this.#tun = tun;
    const { address, prefixLength } = config.ipv4;
    const configured = this.#host.tunConfigure(tun.handle, address, prefixLength, tunMtu(config));
    if (configured < 0) {
      this.stop();
      const why = this.#host.describeError(configured);
      return { error: configured, message: `The device ${tun.name} cannot be set up: ${why}` };
    }
    this.#session = this.#openSession();
    this.#path.setTun(tun.handle);
    const now = this.#host.now();
    const [failure] = this.#session.mesh.setListeners(
      config.listeners.map((l) => l.url),
      now,
    );
    if (failure !== undefined) {
      this.stop();
      return failure;
    }
    this.#session.mesh.setPeers(
      config.peers.map((p) => p.url),
      now,
    );
    if (!tun.offload) {
      this.#event(
        "warning",
        "no_offload",
        `The kernel gives ${tun.name} no offloads: everything works, more slowly.`,
      );
    }
    this.#event(
      "info",
      "started",
      `kcp-router ${VERSION} runs as ${formatInterfaceAddress(config.ipv4)} on ${tun.name}.`,
    );
    this.#host.onReady(() => this.#wake());
    this.#wake();
    return undefined;
  }

  /** Leaves nothing behind: connections are reset, the device and its routes go, sockets close. */
  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    if (this.#session !== undefined) this.#closeSession(this.#session);
    this.#session = undefined;
    this.#path.dispose();
    if (this.#tun !== undefined) this.#host.close(this.#tun.handle);
    this.#tun = undefined;
    this.#host.setTimer(Number.POSITIVE_INFINITY);
  }

  // ── the loop ──────────────────────────────────────────────────────────────────────────────────────────────────

  #wake(): void {
    if (this.#stopping) return;
    this.#path.run();
    this.#handleMeshEvents();
    if (this.#watch.takeChange()) this.#handleAddressChange();
  }

  /** The router's own addresses changed, as after a PPPoE redial: links are put to the proof, networks are learned anew. */
  #handleAddressChange(): void {
    const session = this.#session;
    if (session === undefined) return;
    this.#event("info", "addresses_changed", "The addresses of this machine have changed.");
    session.mesh.handleNetworkChange(this.#host.now());
    session.mesh.setLocalAddresses(this.#toldAddresses());
    session.policy.configure(this.#policySettings(this.#config));
    this.#served.configure(this.#servedBy(this.#config));
    this.#syncKernelRoutes(session);
    this.#wakeSoon();
  }

  #toldAddresses(): LocalAddresses {
    return { ...NO_ADDRESSES, interfaceIpv4s: this.#services.localAddresses().map(({ address }) => address) };
  }

  #openSession(): Session {
    const config = this.#config;
    const { words } = this.#host.memory;
    const path = this.#path;
    const random32 = () => this.#random32();
    const mesh = new MeshNode({
      config: {
        networkName: config.network_name,
        networkSecret: config.network_secret.reveal(),
        encryption: config.enable_encryption,
        local: this.#localInfo(config),
      },
      underlay: this.#underlay(),
      pool: this.#pool,
      words,
      random: random32,
      consumer: path,
      now: this.#host.now(),
    });
    mesh.setClock(this.#host.unixTime() * 1000, this.#host.now());
    mesh.setLocalAddresses(this.#toldAddresses());
    path.batch.setObserver((list, count) => mesh.noteSent(list, count));
    const policy = new Policy(
      { localPeerId: mesh.peerId, ownerOf: (ip) => mesh.ownerOf(ip), peer: (id) => mesh.peer(id) },
      this.#policySettings(config),
    );
    const plain = new PlainPath({
      host: this.#host,
      mesh,
      pool: this.#pool,
      batch: path.batch,
      flows: this.#plainFlows,
      words,
      word: this.#regions.plainWord,
      zeroVnet: this.#regions.zeroVnet,
      seed: this.#random32(),
    });
    plain.configure(this.#tun?.handle ?? -1, tunMtu(config));
    const source = new SourceProxy({
      policy,
      entries: this.#entries,
      plainFlows: this.#plainFlows,
      pool: this.#pool,
      sendPlain: (offset, length, at) => plain.handleFrame(offset, length, at),
      rttMs: (peerId) => mesh.latencyMs(peerId) ?? 0,
      maxConnections: config.max_connections,
    });
    const stack = new TcpStack({
      // What a client sends faster than KCP takes it must not keep others from receiving.
      pool: new ReservedPool(this.#pool, Math.min(RX_RESERVE_SLOTS, this.#pool.slotCount >>> 3)),
      words,
      regionOffset: this.#regions.tcp,
      random: random32,
      mtu: tunMtu(config),
      events: source,
    });
    const random = (bytes: Uint8Array) => this.#fillRandom(bytes);
    // All of a network's peers know its secret: one of them may be a router whose whole LAN connects at once.
    const limits: Partial<KcpLimits> = {
      maxConnections: config.max_connections,
      maxConnectionsPerPeer: config.max_connections,
      maxHalfOpen: Math.min(config.max_connections, MAX_HALF_OPEN),
      maxHalfOpenPerPeer: Math.min(config.max_connections, MAX_HALF_OPEN),
      extendedMtu: MAX_UDP_PAYLOAD - TUNNEL_AND_PEER_HEADERS - AEAD_TAIL - KCP_CONNECTION_HEADER,
      spareSlots: RX_RESERVE_SLOTS,
    };
    const localPeerId = mesh.peerId;
    const sourceEndpoint = new KcpEndpoint({ role: "source", localPeerId, pool: this.#pool, random, limits });
    const destinationEndpoint = new KcpEndpoint({
      role: "destination",
      localPeerId,
      pool: this.#pool,
      random,
      limits,
    });
    source.attach(stack, sourceEndpoint);
    const destination = new DestinationProxy({
      sockets: this.#host,
      dialPolicy: this.#served,
      entries: this.#entries,
      freeShare: () => this.#pool.freeSlots / this.#pool.slotCount,
      words,
      iovWord: this.#regions.iovWord,
    });
    path.attach({
      mesh,
      stack,
      source,
      destination,
      sourceEndpoint,
      destinationEndpoint,
      plain,
      timed: [this.#entries, this.#plainFlows, this.#watch],
      kcpInput: () => !this.#config.disable_kcp_input,
    });
    return { mesh, stack, source, destination, sourceEndpoint, destinationEndpoint, policy, plain };
  }

  #closeSession(session: Session): void {
    const now = this.#host.now();
    session.source.closeAll(now, "shutting_down");
    session.destination.closeAll(now, "shutting_down");
    // The resets are on their way before the links go.
    this.#path.flush(now);
    session.mesh.dispose(now);
    session.stack.dispose();
    session.sourceEndpoint.dispose(now);
    session.destinationEndpoint.dispose(now);
  }

  /** The host as the mesh sees it: sockets it opens are read by the loop. */
  #underlay(): Underlay {
    const host = this.#host;
    const path = this.#path;
    return {
      udpOpen: (offset) => path.udpOpen(offset),
      close: (handle) => path.udpClose(handle),
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

  // ── events of the mesh ────────────────────────────────────────────────────────────────────────────────────────

  #handleMeshEvents(): void {
    const session = this.#session;
    if (session === undefined) return;
    let routesChanged = false;
    for (let event = session.mesh.pollEvent(); event !== undefined; event = session.mesh.pollEvent()) {
      switch (event.type) {
        case "resolve":
          this.#resolve(session, event);
          continue;
        case "routes_changed":
          routesChanged = true;
          continue;
        case "duplicate_peer_id":
          this.#event(event.level, event.type, event.message);
          this.#startOver();
          return;
        case "peer_joined":
          this.#noteInstance(session, event.peerId);
          break;
        default:
      }
      this.#event(event.level, event.type, event.message);
    }
    if (routesChanged) this.#syncKernelRoutes(session);
  }

  /** A peer that was restarted has a new id: what hung on the old one is over. */
  #noteInstance(session: Session, peerId: number): void {
    const instanceId = session.mesh.peer(peerId)?.instanceId ?? "";
    if (instanceId === "") return;
    const before = this.#instances.get(instanceId);
    if (this.#instances.size >= MAX_INSTANCES && before === undefined) {
      for (const oldest of this.#instances.keys()) {
        this.#instances.delete(oldest);
        break;
      }
    }
    this.#instances.set(instanceId, peerId);
    if (before === undefined || before === peerId) return;
    const now = this.#host.now();
    session.sourceEndpoint.forgetPeer(before, now);
    session.destinationEndpoint.forgetPeer(before, now);
    this.#wakeSoon();
  }

  #resolve(session: Session, event: Extract<MeshEvent, { type: "resolve" }>): void {
    void this.#services.resolve(event.host).then((addresses) => {
      if (this.#session !== session) return;
      const endpoints: Endpoint[] = addresses.map((address) => ({ address, port: event.port }));
      session.mesh.handleResolved(event.url, endpoints, this.#host.now());
      this.#wakeSoon();
    });
  }

  /** Our peer id is taken: everything that knows it is made anew (links.md 12). */
  #startOver(): void {
    if (this.#session !== undefined) this.#closeSession(this.#session);
    this.#session = this.#openSession();
    const now = this.#host.now();
    const { mesh } = this.#session;
    const [failure] = mesh.setListeners(
      this.#config.listeners.map((l) => l.url),
      now,
    );
    if (failure !== undefined) this.#services.fail(failure.message);
    mesh.setPeers(
      this.#config.peers.map((p) => p.url),
      now,
    );
    this.#wakeSoon();
  }

  #syncKernelRoutes(session: Session): void {
    const { ipv4, proxy_networks } = this.#config;
    const virtual = {
      network: (ipv4.address & prefixMask(ipv4.prefixLength)) >>> 0,
      prefixLength: ipv4.prefixLength,
    };
    const own = [virtual, ...proxy_networks, ...this.#localNetworks()];
    for (const refused of this.#kernelRoutes.sync(session.mesh.routedPrefixes, own)) {
      this.#event("warning", "route_refused", `The kernel refused the route to ${refused}.`);
    }
  }

  #wakeSoon(): void {
    if (!this.#stopping) this.#path.wakeAt(this.#host.now());
  }

  #event(level: EventLevel, code: string, message: string): void {
    this.#log.add(level, code, message, this.#host.now());
  }

  // ── what follows from the configuration ───────────────────────────────────────────────────────────────────────

  #localInfo(config: Config): LocalInfo {
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
        supportConnListSync: true,
        // A leaf: others must not choose the way through us, where their packets would end.
        avoidRelayData: true,
      },
      natTypes: { udp: 0, tcp: 0 },
    };
  }

  #policySettings(config: Config): PolicySettings {
    return {
      enableKcpProxy: config.enable_kcp_proxy,
      rules: config.rules,
      ipv4: config.ipv4.address,
      networkLength: config.ipv4.prefixLength,
      localNetworks: this.#localNetworks(),
    };
  }

  #servedBy(config: Config): Served {
    return {
      ipv4: config.ipv4.address,
      exports: config.proxy_networks,
      localAddresses: this.#services.localAddresses().map(({ address }) => address),
      // The API lies on a unix socket: no TCP port of the daemon can be reached.
      protectedPorts: [],
    };
  }

  #localNetworks(): Prefix[] {
    return this.#services.localAddresses().map(({ address, prefixLength }) => ({
      network: (address & prefixMask(prefixLength)) >>> 0,
      prefixLength,
    }));
  }

  #random32(): number {
    const { memory } = this.#host;
    this.#host.random(this.#regions.random, 4);
    return memory.words[this.#regions.random / 4]! >>> 0;
  }

  #fillRandom(bytes: Uint8Array): void {
    const { memory } = this.#host;
    for (let at = 0; at < bytes.length; at += RANDOM_BYTES) {
      const part = Math.min(RANDOM_BYTES, bytes.length - at);
      this.#host.random(this.#regions.random, part);
      bytes.set(memory.bytes.subarray(this.#regions.random, this.#regions.random + part), at);
    }
  }

  // ── DaemonView ────────────────────────────────────────────────────────────────────────────────────────────────

  version(): VersionInfo {
    return { version: VERSION, engine: this.#services.engine };
  }

  node(): NodeInfo {
    const config = this.#config;
    return {
      peerId: this.#session?.mesh.peerId ?? 0,
      hostname: config.hostname,
      networkName: config.network_name,
      ipv4: formatInterfaceAddress(config.ipv4),
      announcedVersion: ANNOUNCED_VERSION,
      device: this.#tun?.name ?? "",
      mtu: tunMtu(config),
      listeners: this.#session?.mesh.listeners.map((listener) => listener.url) ?? [],
      exportedSubnets: config.proxy_networks.map(formatPrefix),
      startTime: this.#startTime,
    };
  }

  peers(): readonly PeerRow[] {
    const session = this.#session;
    if (session === undefined) return [];
    const now = this.#host.now();
    return session.mesh
      .peerSnapshots()
      .map((peer) => peerRow(peer, session.policy.preview(peer.peerId, now)));
  }

  routes(): readonly RouteRow[] {
    const mesh = this.#session?.mesh;
    return mesh?.routeSnapshots().map((route) => routeRow(route, (id) => mesh.peer(id))) ?? [];
  }

  connections(): readonly ConnectionRow[] {
    const now = this.#host.now();
    const mesh = this.#session?.mesh;
    const rows: ConnectionRow[] = [];
    for (const entry of this.#entries.list()) rows.push(connectionRow(entry, now, (id) => mesh?.peer(id)));
    return rows;
  }

  status(): StatusInfo {
    const config = this.#config;
    const reachable = this.#reachablePeers();
    const { upRate, downRate } = this.#entries.totals();
    const state = this.#stopping ? "stopping" : reachable > 0 ? "joined" : "alone";
    const peersText = reachable === 1 ? "1 peer is reachable" : `${reachable} peers are reachable`;
    const address = formatInterfaceAddress(config.ipv4);
    return {
      state,
      summary:
        reachable > 0
          ? `Joined network ${config.network_name} as ${address}; ${peersText}.`
          : `Running as ${address} in network ${config.network_name}, but no peer is reachable.`,
      problems: this.#problems(reachable),
      startTime: this.#startTime,
      memory: {
        budgetBytes: this.#pool.slotCount * this.#pool.slotBytes,
        usedBytes: (this.#pool.slotCount - this.#pool.freeSlots) * this.#pool.slotBytes,
        residentBytes: this.#services.residentBytes(),
      },
      connections: {
        live: this.#entries.liveCount,
        limit: config.max_connections,
        remembered: this.#entries.closedCount,
      },
      upRate: Math.round(upRate),
      downRate: Math.round(downRate),
      flags: flagStates(config),
      limits: {
        max_connections: config.max_connections,
        memory_limit_mib: config.memory_limit_mib,
        max_plain_flows: MAX_PLAIN_FLOWS,
        max_closed_entries: MAX_CLOSED_ENTRIES,
      },
      counters: this.#counters(),
    };
  }

  events(): readonly EventRow[] {
    return this.#log.rows;
  }

  closeConnection(id: number): boolean {
    const close = this.#entries.get(id)?.close;
    if (close === undefined) return false;
    close(this.#host.now());
    this.#wakeSoon();
    return true;
  }

  /** Also what SIGHUP does. */
  async reload(): Promise<ReloadResult> {
    const loaded = this.#services.loadConfig();
    if (!loaded.ok) {
      this.#event("error", "reload_refused", `The configuration was not taken: ${loaded.problems.join(" ")}`);
      return { ok: false, problems: loaded.problems };
    }
    const diff = diffConfig(this.#config, loaded.config);
    this.#config = applyLive(this.#config, loaded.config);
    this.#applyLive();
    const restart =
      diff.needsRestart.length === 0 ? "" : ` Waiting for a restart: ${diff.needsRestart.join(", ")}.`;
    const applied = diff.live.length === 0 ? "nothing changed" : diff.live.join(", ");
    this.#event("info", "reloaded", `The configuration was read again: ${applied}.${restart}`);
    return { ok: true, applied: diff.live, needsRestart: diff.needsRestart };
  }

  /** Puts what can change while running into force; all of it is idempotent. */
  #applyLive(): void {
    const config = this.#config;
    const session = this.#session;
    this.#log.level = config.log_level;
    this.#served.configure(this.#servedBy(config));
    if (session === undefined) return;
    const now = this.#host.now();
    session.policy.configure(this.#policySettings(config));
    session.mesh.setLocalInfo(this.#localInfo(config), now);
    for (const problem of session.mesh.setPeers(
      config.peers.map(({ url }) => url),
      now,
    )) {
      this.#event("warning", "peer_refused", problem);
    }
    this.#syncKernelRoutes(session);
    this.#wakeSoon();
  }

  #reachablePeers(): number {
    let count = 0;
    for (const peer of this.#session?.mesh.peerSnapshots() ?? []) {
      if (!peer.shared && (peer.info?.pathLength ?? 0) > 0) count++;
    }
    return count;
  }

  #problems(reachable: number): Problem[] {
    const problems: Problem[] = [];
    const config = this.#config;
    if (reachable === 0) {
      problems.push(
        config.peers.length === 0
          ? {
              code: "no_peer_configured",
              message: "No peer is reachable, and none is configured to be dialled.",
              remedy: "Name a peer, or let another node dial this one.",
            }
          : {
              code: "no_peer_reachable",
              message: `None of the ${config.peers.length} configured peers is reachable.`,
              remedy:
                "The events say why. Check the peers' addresses, the network secret, and that UDP passes.",
            },
      );
    }
    if (this.#tun !== undefined && !this.#tun.offload) {
      problems.push({
        code: "no_offload",
        message: "The kernel gives the TUN device no offloads, so throughput is lower.",
        remedy: "Use a kernel with TUN offloads (any since 2.6.27 with virtio support).",
      });
    }
    if (this.#pool.freeSlots < this.#pool.slotCount * 0.2) {
      problems.push({
        code: "memory_low",
        message: "The memory for connections is nearly used up: new connections use plain TCP.",
        remedy: "Raise memory_limit_mib if the router has memory to spare.",
      });
    }
    return problems;
  }

  #counters(): Record<string, number> {
    const session = this.#session;
    const counters: Record<string, number> = {
      ...this.#path.counters,
      packetsSent: this.#path.batch.sent,
      packetsDropped: this.#path.batch.dropped,
      unlistedConnections: this.#entries.unlisted,
      freeSlots: this.#pool.freeSlots,
    };
    const add = (prefix: string, values: object) => {
      for (const [name, value] of Object.entries(values)) counters[`${prefix}_${name}`] = value as number;
    };
    add("host", this.#host.counters());
    if (session !== undefined) {
      add("mesh", session.mesh.counters());
      add("plain", session.plain.counters);
      add("tcp", session.stack.counters);
      add("kcp_source", session.sourceEndpoint.counters);
      add("kcp_destination", session.destinationEndpoint.counters);
    }
    return counters;
  }
}
