import type { ConnectionRow, EventRow } from "../../router-daemon/src/api/rows.ts";
import { type Config, DEFAULTS } from "../../router-daemon/src/config/config.ts";
import { type InterfaceAddress, parseIpv4, parseWithPrefix } from "../../router-daemon/src/config/ipv4.ts";
import { Secret } from "../../router-daemon/src/config/secret.ts";
import { Daemon } from "../../router-daemon/src/daemon/daemon.ts";
import type { Ipv4Prefix } from "../../router-daemon/src/wire/ipv4-prefix.ts";
import { parseListenerUrl, parsePeerUrl, type UdpUrl } from "../../router-daemon/src/wire/udp-url.ts";
import { Kernel } from "./kernel.ts";
import type { Seat } from "./lan.ts";
import type { PathOptions } from "./path.ts";
import type { Random } from "./random.ts";
import { SimHost } from "./sim-host.ts";
import type { Station } from "./station.ts";
import { WatchedPool } from "./watched-pool.ts";
import type { World } from "./world.ts";

/** Slots of a router unless told otherwise: about 6 MiB. */
const SLOTS = 4096;

export interface RouterOptions {
  /** Underlay address, e.g. `203.0.113.1`. */
  readonly wan: string;
  /** Virtual address with prefix, e.g. `10.126.126.1/24`. */
  readonly ipv4: string;
  /** Networks behind it; the gateway has host number 1. */
  readonly lans?: readonly string[];
  /** Underlay addresses of the peers to dial, port 11010. */
  readonly peers?: readonly string[];
  /** Beyond what follows from the above. */
  readonly config?: Partial<Config>;
  readonly slots?: number;
  readonly cipher?: "aes-gcm" | "stand-in";
  /** Two nodes with the same one choose the same peer id. */
  readonly random?: Random;
  readonly instanceId?: string;
  /** Remembers where each slot was taken, for the search after a leak. Slow. */
  readonly traces?: boolean;
}

/** One router: the very daemon, its host and its kernel. */
export class Router {
  readonly name: string;
  readonly kernel: Kernel;
  host!: SimHost;
  daemon!: Daemon;
  pool!: WatchedPool;
  /** Lines of its log. */
  readonly log: string[] = [];
  /** Sentences with which it gave up. */
  readonly failures: string[] = [];
  isRunning = false;
  /** What `reload` will read. */
  config: Config;
  /** Answers of the name server. */
  readonly names = new Map<string, readonly string[]>();
  readonly #world: World;
  readonly #options: RouterOptions;
  #random: Random;

  constructor(world: World, name: string, options: RouterOptions) {
    this.name = name;
    this.#world = world;
    this.#options = options;
    this.#random = options.random ?? world.random.fork();
    this.kernel = new Kernel(world.clock, world.random.fork(), world.network, [options.wan]);
    this.config = makeConfig(name, options);
    for (const lan of options.lans ?? []) {
      const prefix = prefixOf(lan);
      this.kernel.addLan(prefix, prefix.network + 1);
    }
    this.#boot();
  }

  /** A fresh process. */
  #boot(): void {
    const { slots = SLOTS, cipher = "aes-gcm", traces } = this.#options;
    this.host = new SimHost(this.kernel, this.#random, { slotCount: slots, cipher });
    this.#random = this.#world.random.fork();
    this.daemon = new Daemon(this.config, {
      host: this.host,
      engine: "simulation",
      print: (line) => this.log.push(line),
      fail: (message) => this.failures.push(message),
      resolve: async (name) => this.names.get(name) ?? [],
      localAddresses: () => this.#localAddresses(),
      loadConfig: () => ({ ok: true, config: this.config }),
      residentBytes: () => null,
      createPool: (memory) => {
        this.pool = new WatchedPool(memory, traces);
        return this.pool;
      },
    });
  }

  #localAddresses(): InterfaceAddress[] {
    const lans = this.kernel.lans.map(({ gateway, prefix }) => ({
      address: gateway,
      prefixLength: prefix.prefixLength,
    }));
    // Point to point, as PPPoE gives it.
    const wans = this.kernel.addresses.map((address) => ({ address: ip(address), prefixLength: 32 }));
    return [...wans, ...lans];
  }

  /** Starts the daemon; throws when it does not. */
  start(): this {
    const failure = this.daemon.start();
    if (failure !== undefined) throw new Error(`${this.name}: ${failure.message}`);
    this.isRunning = true;
    return this;
  }

  /** The daemon ends as on SIGTERM. */
  stop(): void {
    this.isRunning = false;
    this.daemon.stop();
    const { host, pool, kernel, name } = this;
    if (pool.usedSlots > 0 || host.openHandles > 0 || kernel.tunRoutes.length > 0) {
      throw new Error(
        `${name} has stopped and left ${pool.usedSlots} slots, ${host.openHandles} handles, ${kernel.tunRoutes.length} routes.`,
      );
    }
    host.dispose();
  }

  /** The process is gone from one moment to the next: nobody is told. */
  crash(): void {
    this.isRunning = false;
    this.host.dispose();
  }

  /** A new process after `stop` or `crash`. */
  restart(): void {
    this.#boot();
    this.start();
  }

  /** Changes the configuration as an administrator does. */
  reconfigure(changes: Partial<Config>): void {
    this.config = Object.freeze({ ...this.config, ...changes });
    void this.daemon.reload();
  }

  // ── its network ───────────────────────────────────────────────────────────────────────────────────────────────

  get virtualAddress(): number {
    return this.config.ipv4.address;
  }

  get peerId(): number {
    return this.daemon.node().peerId;
  }

  /** A machine in the first LAN that the address belongs to. */
  station(address: string, options: Partial<PathOptions> = {}): Station {
    return this.seat(address, options).station;
  }

  seat(address: string, options: Partial<PathOptions> = {}): Seat {
    const number = ip(address);
    const lan = this.kernel.lans.find(
      ({ prefix }) => (number & mask(prefix.prefixLength)) >>> 0 === prefix.network,
    );
    if (lan === undefined) throw new Error(`${this.name} has no LAN with ${address}.`);
    return lan.seats.get(number) ?? this.kernel.addStation(lan, number, options);
  }

  // ── what it shows ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Rows of its table, newest last; of one destination when it is named. */
  rows(destination?: string): readonly ConnectionRow[] {
    const rows = [...this.daemon.connections()].sort((a, b) => a.id - b.id);
    return destination === undefined ? rows : rows.filter(({ dst }) => dst === destination);
  }

  /** The newest row for a destination. */
  row(destination: string): ConnectionRow {
    const row = this.rows(destination).at(-1);
    if (row === undefined) throw new Error(`${this.name} lists no connection to ${destination}.`);
    return row;
  }

  /** It knows this peer and its networks, and a way to it. */
  reaches(other: { readonly peerId: number }): boolean {
    return this.daemon.routes().some((route) => route.peerId === other.peerId && route.pathLength > 0);
  }

  events(code: string): EventRow[] {
    return this.daemon.events().filter((event) => event.code === code);
  }

  counter(name: string): number {
    const value = this.daemon.status().counters[name];
    if (value === undefined) throw new Error(`There is no counter ${name}.`);
    return value;
  }
}

/** Dotted quad to number. */
export function ip(text: string): number {
  const address = parseIpv4(text);
  if (address === undefined) throw new Error(`${text} is no IPv4 address.`);
  return address;
}

export function prefixOf(text: string): Ipv4Prefix {
  const parsed = parseWithPrefix(text, 32);
  if (parsed === undefined) throw new Error(`${text} is no prefix.`);
  return { network: parsed.address, prefixLength: parsed.prefixLength };
}

export function peerUrl(address: string): UdpUrl {
  return urlOf(parsePeerUrl(`udp://${address}:11010`));
}

function urlOf(parsed: UdpUrl | string): UdpUrl {
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

function mask(prefixLength: number): number {
  return prefixLength === 0 ? 0 : (-1 << (32 - prefixLength)) >>> 0;
}

function makeConfig(name: string, options: RouterOptions): Config {
  const ipv4 = parseWithPrefix(options.ipv4, 24);
  if (ipv4 === undefined) throw new Error(`${options.ipv4} is no address.`);
  return Object.freeze({
    ...DEFAULTS,
    network_name: "lab",
    network_secret: new Secret("lab-secret"),
    instance_id: options.instanceId ?? instanceOf(name),
    hostname: name,
    ipv4,
    listeners: [urlOf(parseListenerUrl("udp://0.0.0.0:11010"))],
    peers: (options.peers ?? []).map(peerUrl),
    proxy_networks: (options.lans ?? []).map(prefixOf),
    enable_kcp_proxy: true,
    ...options.config,
  });
}

/** A UUID that follows from a name. */
function instanceOf(name: string): string {
  const hex = [...name].map((letter) => (letter.charCodeAt(0) & 255).toString(16)).join("");
  return `00000000-0000-4000-8000-${hex.slice(0, 12).padStart(12, "0")}`;
}
