/**
 * A node of the network that is not our daemon: a relay, a peer that does not do what it announces, or one that asks for what
 * an honest one never would. It has links, routes and a TUN like ours; what it does with KCP is up to the story.
 */
import { FixedSlotPool } from "../../router-daemon/kcp-ts/src/pool.ts";
import { parseWithPrefix } from "../../router-daemon/src/config/ipv4.ts";
import {
  EVENT_WORDS,
  PollEvent,
  RX_WORDS,
  RxFlag,
  TUN_READ_WORDS,
} from "../../router-daemon/src/host/host.ts";
import { KcpEndpoint } from "../../router-daemon/src/kcp/endpoint.ts";
import { MeshNode } from "../../router-daemon/src/mesh/node.ts";
import { type FeatureFlags, type LocalInfo, NO_FEATURES } from "../../router-daemon/src/mesh/routes/types.ts";
import type { PacketConsumer } from "../../router-daemon/src/mesh/types.ts";
import { EntryTable } from "../../router-daemon/src/proxy/entry.ts";
import { BATCH_WORDS, TransmitBatch } from "../../router-daemon/src/proxy/packet-batch.ts";
import { PlainFlows } from "../../router-daemon/src/proxy/plain-flows.ts";
import { PLAIN_WORDS, PlainPath } from "../../router-daemon/src/proxy/plain-path.ts";
import { PacketType, readU32 } from "../../router-daemon/src/wire/peer-header.ts";
import { Kernel } from "./kernel.ts";
import { prefixOf } from "./router.ts";
import { SimHost } from "./sim-host.ts";
import type { World } from "./world.ts";

const SLOTS = 1024;
const RX_BATCH = 64;
const MTU = 1360;
/** A packet that was handed on so often goes in circles (links.md 1.7). */
const MAX_FORWARDS = 7;

/** What came to the node as KCP: `role` is this node's. */
export type KcpScript = (role: "source" | "destination", from: number, packet: Uint8Array) => void;

export interface ScriptedNodeOptions {
  readonly wan: string;
  /** Virtual address with prefix; absent = it has none and no TUN. */
  readonly ipv4?: string;
  readonly lans?: readonly string[];
  /** Underlay addresses to dial. */
  readonly peers?: readonly string[];
  readonly features?: Partial<FeatureFlags>;
  /** Hands packets for others on. */
  readonly isRelay?: boolean;
  readonly kcp?: KcpScript;
}

export class ScriptedNode implements PacketConsumer {
  readonly kernel: Kernel;
  readonly host: SimHost;
  readonly node: MeshNode;
  /** Opens KCP connections to whatever the story says. */
  readonly source: KcpEndpoint;
  relayed = 0;
  /** Packets not handed on although they were for others. */
  readonly relayFilter: ((type: number) => boolean)[] = [];
  readonly #pool: FixedSlotPool;
  readonly #batch: TransmitBatch;
  readonly #plain: PlainPath;
  readonly #sockets = new Set<number>();
  readonly #script: KcpScript | undefined;
  readonly #isRelay: boolean;
  readonly #word: number;
  readonly #scratch: number;
  readonly #tun: number;

  constructor(world: World, name: string, options: ScriptedNodeOptions) {
    this.kernel = new Kernel(world.clock, world.random.fork(), world.network, [options.wan]);
    this.host = new SimHost(this.kernel, world.random.fork(), { slotCount: SLOTS });
    const { memory } = this.host;
    const { words } = memory;
    this.#pool = new FixedSlotPool(SLOTS, { arena: memory.arena });
    this.#script = options.kcp;
    this.#isRelay = options.isRelay ?? false;
    this.#word = memory.reserve((RX_BATCH * (1 + RX_WORDS) + 64 * EVENT_WORDS) * 4) / 4;
    this.#scratch = memory.reserve(2048);
    const random = world.random.fork();
    this.node = new MeshNode({
      config: {
        networkName: "lab",
        networkSecret: "lab-secret",
        encryption: true,
        local: localInfo(name, options),
      },
      underlay: this.#underlay(),
      pool: this.#pool,
      words,
      random: () => random.u32(),
      consumer: this,
      now: world.now,
    });
    this.source = new KcpEndpoint({
      role: "source",
      localPeerId: this.node.peerId,
      pool: this.#pool,
      random: (bytes) => random.bytes(bytes),
    });
    const batchWord = memory.reserve(BATCH_WORDS * 4) / 4;
    this.#batch = new TransmitBatch(
      (list, count) => this.host.send(list, count),
      this.#pool,
      words,
      batchWord,
    );
    this.#plain = new PlainPath({
      host: this.host,
      mesh: this.node,
      pool: this.#pool,
      batch: this.#batch,
      flows: new PlainFlows(new EntryTable(), random.u32()),
      words,
      word: memory.reserve(PLAIN_WORDS * 4) / 4,
      zeroVnet: memory.reserve(10),
      seed: random.u32(),
    });
    for (const lan of options.lans ?? []) {
      const prefix = prefixOf(lan);
      this.kernel.addLan(prefix, prefix.network + 1);
    }
    this.#tun = this.#openTun(options);
    this.node.setListeners(["udp://0.0.0.0:11010"], world.now);
    this.node.setPeers(
      (options.peers ?? []).map((address) => `udp://${address}:11010`),
      world.now,
    );
    this.host.onReady(() => this.#wake());
    this.wakeSoon();
  }

  get peerId(): number {
    return this.node.peerId;
  }

  /** Sends the body of a packet to a peer, as any type. */
  sendPacket(peerId: number, packetType: number, body: Uint8Array): void {
    const { bytes } = this.host.memory;
    const route = this.node.route(peerId, packetType);
    if (route < 0) throw new Error(`There is no way to peer ${peerId}.`);
    bytes.set(body, this.#scratch);
    this.#batch.add(this.#scratch, body.length, route, -1);
    this.#batch.flush();
  }

  /** After a command from outside. */
  wakeSoon(): void {
    this.host.setTimer(this.host.now());
  }

  // ── what the mesh hands over ──────────────────────────────────────────────────────────────────────────────────

  data(_from: number, _slot: number, offset: number, length: number, now: number): boolean {
    this.#plain.handlePacket(offset, length, now);
    return false;
  }

  kcp(
    role: "source" | "destination",
    from: number,
    slot: number,
    offset: number,
    length: number,
    now: number,
  ): boolean {
    this.#script?.(role, from, this.#pool.bytes.slice(offset, offset + length));
    return role === "source" && this.source.handlePacket(from, slot, offset, length, now);
  }

  quic(): boolean {
    return false;
  }

  // ── one turn ──────────────────────────────────────────────────────────────────────────────────────────────────

  #wake(): void {
    const { words } = this.host.memory;
    const now = this.host.now();
    const count = this.host.poll(this.#word, 64);
    for (let i = 0; i < count; i++) {
      const handle = words[this.#word + EVENT_WORDS * i]!;
      const events = words[this.#word + EVENT_WORDS * i + 1]!;
      if ((events & PollEvent.readable) === 0) continue;
      if (handle === this.#tun) this.#readTun(now);
      else if (this.#sockets.has(handle)) this.#receive(handle, now);
    }
    if (this.node.nextTimeout <= now) this.node.handleTimeout(now);
    while (this.node.pollEvent() !== undefined);
    this.#syncRoutes();
    for (let conn = this.source.pollReady(); conn !== undefined; conn = this.source.pollReady())
      conn.takeReady();
    this.source.poll(now, {
      packet: (peerId, offset, length) => {
        const route = this.node.route(peerId, PacketType.kcpSource);
        if (route >= 0) this.#batch.add(offset, length, route, -1);
        return true;
      },
    });
    this.#batch.flush();
    this.host.setTimer(Math.min(this.node.nextTimeout, this.source.nextTimeout));
  }

  #receive(socket: number, now: number): void {
    const { words } = this.host.memory;
    const [slots, out] = [this.#word, this.#word + RX_BATCH];
    for (;;) {
      let offered = 0;
      while (offered < RX_BATCH) {
        const slot = this.#pool.alloc();
        if (slot < 0) break;
        words[slots + offered++] = slot;
      }
      const numbers = words.slice(slots, slots + offered);
      const count = this.host.udpReceive(socket, slots, offered, out);
      const entries = words.slice(out, out + Math.max(0, count) * RX_WORDS);
      for (const [i, slot] of numbers.entries()) {
        const [offset, length, link, flags] = entries.subarray(i * RX_WORDS);
        const isTaken = i < count && this.#handleReceived(slot, offset!, length!, link!, flags!, now, socket);
        if (!isTaken) this.#pool.free(slot);
      }
      if (count <= 0) return;
    }
  }

  #handleReceived(
    slot: number,
    offset: number,
    length: number,
    link: number,
    flags: number,
    now: number,
    socket: number,
  ): boolean {
    const { bytes } = this.#pool;
    const to = length >= 16 ? readU32(bytes, offset + 4) : 0;
    const type = bytes[offset + 8]!;
    const isOfLink = type === PacketType.handshake || type === PacketType.ping || type === PacketType.pong;
    if (!this.#isRelay || flags !== RxFlag.untouched || to === 0 || to === this.peerId || isOfLink) {
      return this.node.handleReceived(slot, offset, length, link, flags, now, socket);
    }
    const hop = this.node.peer(to)?.nextHop ?? 0;
    const links = this.node.peerSnapshots().find(({ peerId }) => peerId === hop)?.links ?? [];
    if (links.length === 0 || bytes[offset + 10]! > MAX_FORWARDS) return false;
    if (this.relayFilter.some((passes) => !passes(type))) return false;
    bytes[offset + 10]!++;
    this.relayed++;
    this.#forward(hop, offset, length);
    return false;
  }

  /** The link to a direct peer is what its route leads to. */
  #forward(hop: number, offset: number, length: number): void {
    const route = this.node.route(hop, PacketType.data);
    const link = this.#linkOfRoute.get(route);
    if (link !== undefined) this.host.sendOnLink(link, offset, length);
  }

  readonly #linkOfRoute = new Map<number, number>();

  #readTun(now: number): void {
    const { words } = this.host.memory;
    const out = this.#word + RX_BATCH;
    for (;;) {
      const count = this.host.tunRead(this.#tun, out, 4);
      if (count <= 0) break;
      for (const [offset, length] of pairs(words.slice(out, out + count * TUN_READ_WORDS))) {
        this.#plain.handleFrame(offset, length, now);
      }
    }
    this.#batch.flush();
  }

  // ── set-up ────────────────────────────────────────────────────────────────────────────────────────────────────

  #openTun(options: ScriptedNodeOptions): number {
    if (options.ipv4 === undefined) return -1;
    const { address, prefixLength } = parseWithPrefix(options.ipv4, 24)!;
    const tun = this.host.tunOpen("tun0");
    if ("error" in tun) throw new Error(tun.message);
    this.host.tunConfigure(tun.handle, address, prefixLength, MTU);
    this.#plain.configure(tun.handle, MTU);
    return tun.handle;
  }

  /** Routes through the TUN for everything others export. */
  #syncRoutes(): void {
    if (this.#tun < 0) return;
    for (const { network, prefixLength } of this.node.routedPrefixes) {
      this.host.tunRoute(this.#tun, true, network, prefixLength);
    }
  }

  #underlay() {
    const { host } = this;
    return {
      udpOpen: (offset: number) => {
        const socket = host.udpOpen(offset);
        if ("handle" in socket) this.#sockets.add(socket.handle);
        return socket;
      },
      close: (handle: number) => {
        this.#sockets.delete(handle);
        host.close(handle);
      },
      linkSet: (link: number, socket: number, offset: number, connId: number) =>
        host.linkSet(link, socket, offset, connId),
      linkClear: (link: number) => host.linkClear(link),
      identitySet: (peerId: number, offset: number) => host.identitySet(peerId, offset),
      routeSet: (route: number, link: number, offset: number) => {
        this.#linkOfRoute.set(route, link);
        return host.routeSet(route, link, offset);
      },
      routeClear: (route: number) => host.routeClear(route),
      send: (list: number, count: number) => host.send(list, count),
      sendOnLink: (link: number, offset: number, length: number) => host.sendOnLink(link, offset, length),
      sendDatagram: (socket: number, endpoint: number, offset: number, length: number) =>
        host.sendDatagram(socket, endpoint, offset, length),
      describeError: (code: number) => host.describeError(code),
    };
  }
}

function localInfo(name: string, options: ScriptedNodeOptions): LocalInfo {
  const own = options.ipv4 === undefined ? undefined : parseWithPrefix(options.ipv4, 24);
  const code = [...name].map((letter) => (letter.charCodeAt(0) & 255).toString(16)).join("");
  return {
    instanceId: `00000000-0000-4000-9000-${code.slice(0, 12).padStart(12, "0")}`,
    hostname: name,
    ipv4: own?.address ?? 0,
    networkLength: own?.prefixLength ?? 24,
    exports: (options.lans ?? []).map(prefixOf),
    version: "2.6.4-scripted",
    featureFlags: { ...NO_FEATURES, supportConnListSync: true, ...options.features },
    natTypes: { udp: 0, tcp: 0 },
  };
}

function pairs(words: Int32Array): [number, number][] {
  return Array.from({ length: words.length / 2 }, (_, i) => [words[2 * i]!, words[2 * i + 1]!]);
}
