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
import type { Diagnosis, NodeInfo, StatusInfo, VersionInfo } from "../api/reports.ts";
import type { ConnectionRow, EventRow, PeerRow, RouteRow } from "../api/rows.ts";
import { VERSION } from "../api/version.ts";
import type { DaemonView, ReloadResult } from "../api/view.ts";
import { type Config, type LogLevel, tunMtu } from "../config/config.ts";
import { applyLive, diffConfig } from "../config/diff.ts";
import { formatInterfaceAddress } from "../config/ipv4.ts";
import { DataPath } from "../data-path.ts";
import type { Host, HostFailure, HostMemory, TunInfo } from "../host/host.ts";
import type { MeshEvent } from "../mesh/event.ts";
import { EntryTable } from "../proxy/entry.ts";
import { MemoryBudget } from "../proxy/memory-budget.ts";
import { PlainFlows } from "../proxy/plain-flows.ts";
import { Shedder } from "../proxy/shedder.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { AddressWatch, type OwnAddress } from "./address-watch.ts";
import type { Scene } from "./diagnosis/check.ts";
import { Diagnoser } from "./diagnosis/diagnoser.ts";
import { findTarget } from "./diagnosis/target.ts";
import { ServedAddresses } from "./dial-policy.ts";
import { type EventLevel, EventLog } from "./event-log.ts";
import { HostRandom } from "./host-random.ts";
import { InstanceMemory } from "./instance-memory.ts";
import { KernelRoutes } from "./kernel-routes.ts";
import { nodeInfo, reachablePeers, type Shown, statusInfo } from "./report.ts";
import { connectionRow, peerRow, routeRow } from "./rows.ts";
import { closeSession, openSession, reserveRegions, type Session, type SessionParts } from "./session.ts";
import { localInfo, ownNetworks, policySettings, served, toldAddresses } from "./settings.ts";
import { Sleeper } from "./sleeper.ts";
import { TransportWatch } from "./transport-watch.ts";
import { WallClock } from "./wall-clock.ts";

/** What the daemon needs of the process around it. */
export interface DaemonServices {
  readonly host: Host;
  /** Version text of the engine, for `version`. */
  readonly engine: string;
  /** Prints one line of the log. */
  print(line: string, level: EventRow["level"]): void;
  /** Resolves a host name to addresses (text); never rejects, an empty list = it could not. */
  resolve(name: string): Promise<readonly string[]>;
  /** IPv4 addresses of this machine's interfaces, the TUN device left out. */
  localAddresses(): readonly OwnAddress[];
  /** Reads the configuration again; sentences when it cannot be used. */
  loadConfig():
    | { readonly ok: true; readonly config: Config }
    | { readonly ok: false; readonly problems: readonly string[] };
  /** Resident memory of the process in bytes, or null. */
  residentBytes(): number | null;
  /** Text of a small file, or undefined; left out = no file can be read. */
  readFile?(path: string): string | undefined;
  /** Ends the process's run with a sentence. */
  fail(message: string): void;
  /** Something happened: for those who follow the daemon from outside. */
  onEvent?(row: EventRow): void;
  /** The pool over the host's slots, when it is to be another than `FixedSlotPool`: one that watches, in tests. */
  createPool?(memory: HostMemory): SlotPool;
}

export class Daemon implements DaemonView {
  readonly #services: DaemonServices;
  readonly #host: Host;
  readonly #pool: SlotPool;
  readonly #budget: MemoryBudget;
  readonly #path: DataPath;
  readonly #entries: EntryTable;
  readonly #log: EventLog;
  readonly #served: ServedAddresses;
  readonly #kernelRoutes: KernelRoutes;
  readonly #watch: AddressWatch;
  readonly #sleeper = new Sleeper();
  readonly #diagnoser = new Diagnoser();
  readonly #parts: SessionParts;
  readonly #clock: WallClock;
  readonly #startedAt: number;
  #config: Config;
  #session: Session | undefined;
  #tun: TunInfo | undefined;
  #stopping = false;
  /** A name was asked for in this wake-up. */
  #resolving = false;
  readonly #instances = new InstanceMemory();

  constructor(config: Config, services: DaemonServices) {
    this.#config = config;
    this.#services = services;
    this.#host = services.host;
    const { memory } = services.host;
    this.#pool =
      services.createPool?.(memory) ??
      new FixedSlotPool(memory.slotCount, { arena: memory.arena, slotBytes: memory.slotBytes });
    this.#budget = new MemoryBudget(this.#pool);
    this.#clock = new WallClock(
      () => this.#host.unixTime(),
      () => this.#host.now(),
    );
    this.#startedAt = this.#host.now();
    this.#log = new EventLog(
      services.print,
      () => this.#host.unixTime(),
      config.log_level,
      (row) => services.onEvent?.(row),
    );
    this.#entries = new EntryTable();
    const regions = reserveRegions(this.#host);
    const random = new HostRandom(this.#host);
    const plainFlows = new PlainFlows(this.#entries, random.word());
    this.#path = new DataPath(this.#host, this.#pool);
    this.#served = new ServedAddresses(served(config, services.localAddresses()));
    this.#watch = new AddressWatch(() => this.#services.localAddresses(), this.#host.now());
    const transports = new TransportWatch(
      () => this.peers(),
      (message) => this.#event("info", "transport_changed", message),
    );
    this.#kernelRoutes = new KernelRoutes((add, network, length) =>
      this.#tun === undefined ? -1 : this.#host.tunRoute(this.#tun.handle, add, network, length),
    );
    this.#parts = {
      host: this.#host,
      pool: this.#pool,
      budget: this.#budget,
      path: this.#path,
      entries: this.#entries,
      plainFlows,
      served: this.#served,
      regions,
      random,
      timed: [
        this.#entries,
        new Shedder(this.#budget, this.#entries),
        plainFlows,
        this.#watch,
        this.#sleeper,
        transports,
      ],
      kcpInput: () => !this.#config.disable_kcp_input,
      quicInput: () => !this.#config.disable_quic_input,
    };
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
    const failure = this.#joinNetwork(this.#session);
    if (failure !== undefined) {
      this.stop();
      return failure;
    }
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
    this.#sleeper.stop();
    if (this.#session !== undefined) closeSession(this.#session, this.#path, this.#host.now());
    this.#session = undefined;
    this.#path.dispose();
    if (this.#tun !== undefined) this.#host.close(this.#tun.handle);
    this.#tun = undefined;
    this.#host.setTimer(Number.POSITIVE_INFINITY);
  }

  // ── the loop ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** True when nothing was put off: see `Host.onReady`. */
  #wake(): boolean {
    if (this.#stopping) return false;
    this.#resolving = false;
    this.#path.run();
    this.#handleMeshEvents();
    if (this.#watch.takeChange()) this.#handleAddressChange();
    return !this.#resolving;
  }

  /** The router's own addresses changed, as after a PPPoE redial: links are put to the proof, networks are learned anew. */
  #handleAddressChange(): void {
    const session = this.#session;
    if (session === undefined) return;
    this.#event("info", "addresses_changed", "The addresses of this machine have changed.");
    session.mesh.handleNetworkChange(this.#host.now());
    const addresses = this.#services.localAddresses();
    session.mesh.setLocalAddresses(toldAddresses(addresses));
    session.policy.configure(policySettings(this.#config, addresses));
    this.#served.configure(served(this.#config, addresses));
    this.#syncKernelRoutes(session);
    this.#wakeSoon();
  }

  #openSession(): Session {
    return openSession(this.#parts, this.#config, this.#services.localAddresses(), this.#tun?.handle ?? -1);
  }

  /** Listens and dials as configured. A listener that cannot be opened is a failure. */
  #joinNetwork({ mesh }: Session): HostFailure | undefined {
    const now = this.#host.now();
    const { listeners, peers } = this.#config;
    const urls = (list: Config["listeners"]) => list.map(({ url }) => url);
    const [failure] = mesh.setListeners(urls(listeners), now);
    if (failure === undefined) mesh.setPeers(urls(peers), now);
    return failure;
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
    const before = this.#instances.note(session.mesh.peer(peerId)?.instanceId ?? "", peerId);
    if (before === undefined) return;
    const now = this.#host.now();
    session.sourceEndpoint.forgetPeer(before, now);
    session.destinationEndpoint.forgetPeer(before, now);
    session.quicSource.forgetPeer(before, now);
    session.quicDestination.forgetPeer(before, now);
    this.#wakeSoon();
  }

  #resolve(session: Session, event: Extract<MeshEvent, { type: "resolve" }>): void {
    this.#resolving = true;
    void this.#services.resolve(event.host).then((addresses) => {
      if (this.#session !== session) return;
      const endpoints: Endpoint[] = addresses.map((address) => ({ address, port: event.port }));
      session.mesh.handleResolved(event.url, endpoints, this.#host.now());
      this.#wakeSoon();
    });
  }

  /** Our peer id is taken: everything that knows it is made anew (links.md 12). */
  #startOver(): void {
    if (this.#session !== undefined) closeSession(this.#session, this.#path, this.#host.now());
    this.#session = this.#openSession();
    const failure = this.#joinNetwork(this.#session);
    if (failure !== undefined) this.#services.fail(failure.message);
    this.#wakeSoon();
  }

  #syncKernelRoutes(session: Session): void {
    const own = ownNetworks(this.#config, this.#services.localAddresses());
    for (const refused of this.#kernelRoutes.sync(session.mesh.routedPrefixes, own)) {
      this.#event("warning", "route_refused", `The kernel refused the route to ${refused}.`);
    }
  }

  #wakeSoon(): void {
    if (!this.#stopping) this.#path.wakeAt(this.#host.now());
  }

  /** Somebody says that the machine's addresses may have changed: no need to wait for the next look. */
  lookAtAddresses(): void {
    this.#watch.lookAt(this.#host.now());
    this.#wakeSoon();
  }

  /** Something that those around the daemon have to say. */
  tell(level: EventLevel, code: string, message: string): void {
    this.#event(level, code, message);
  }

  #event(level: EventLevel, code: string, message: string): void {
    this.#log.add(level, code, message, this.#host.now());
  }

  /** Of the data path's loop, since the start: how much it is at work. */
  get turns(): number {
    return this.#path.counters.turns;
  }

  // ── DaemonView ────────────────────────────────────────────────────────────────────────────────────────────────

  version(): VersionInfo {
    return { version: VERSION, engine: this.#services.engine };
  }

  clock() {
    return { time: this.#host.unixTime(), uptimeMs: Math.floor(this.#host.now() - this.#startedAt) };
  }

  node(): NodeInfo {
    return nodeInfo(this.#shown());
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
    for (const entry of this.#entries.list())
      rows.push(connectionRow(entry, now, this.#clock, (id) => mesh?.peer(id)));
    return rows;
  }

  status(): StatusInfo {
    return statusInfo(this.#shown());
  }

  #shown(): Shown {
    return {
      config: this.#config,
      host: this.#host,
      path: this.#path,
      pool: this.#pool,
      budget: this.#budget,
      entries: this.#entries,
      session: this.#session,
      tun: this.#tun,
      startTime: this.#clock.timeOf(this.#startedAt),
      stopping: this.#stopping,
      residentBytes: this.#services.residentBytes(),
    };
  }

  events(): readonly EventRow[] {
    return this.#log.rows;
  }

  closeConnection(id: number): boolean {
    const close = this.#entries.get(id)?.close;
    if (close === undefined) return false;
    close(this.#host.now(), "closed_by_user");
    this.#wakeSoon();
    return true;
  }

  configuration(): Config {
    return this.#config;
  }

  setLogLevel(level: LogLevel): void {
    this.#log.level = level;
  }

  diagnose(peerId: number): Promise<Diagnosis> {
    return this.#diagnoser.run(this.#scene(peerId));
  }

  get lastDiagnosis(): Diagnosis | null {
    return this.#diagnoser.last;
  }

  #scene(peerId: number): Scene {
    const now = () => this.#host.now();
    const session = this.#session;
    const wake = () => this.#wakeSoon();
    return {
      config: this.#config,
      tun: this.#tun,
      unixTime: this.#host.unixTime(),
      budget: this.#budget,
      residentBytes: this.#services.residentBytes(),
      missingRoutes: this.#kernelRoutes.leftOut,
      reachablePeers: reachablePeers(session),
      listening: session?.mesh.listeners.map(({ url }) => url) ?? [],
      target: session && findTarget(session, peerId, this.#config.ipv4.address, now, wake),
      now,
      readFile: (path) => this.#services.readFile?.(path),
      sleep: (until) => {
        wake();
        return this.#sleeper.sleep(until);
      },
    };
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
    const addresses = this.#services.localAddresses();
    this.#served.configure(served(config, addresses));
    if (session === undefined) return;
    const now = this.#host.now();
    session.policy.configure(policySettings(config, addresses));
    session.mesh.setLocalInfo(localInfo(config), now);
    for (const problem of session.mesh.setPeers(
      config.peers.map(({ url }) => url),
      now,
    )) {
      this.#event("warning", "peer_refused", problem);
    }
    this.#syncKernelRoutes(session);
    this.#wakeSoon();
  }
}
