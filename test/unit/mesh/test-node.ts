/** A `MeshNode` on the fake network, with what it told and delivered written down. */
import type { MeshEvent } from "../../../router-daemon/src/mesh/event.ts";
import { type MeshConfig, MeshNode } from "../../../router-daemon/src/mesh/node.ts";
import { type LocalInfo, NO_FEATURES } from "../../../router-daemon/src/mesh/routes/types.ts";
import type { PacketConsumer } from "../../../router-daemon/src/mesh/types.ts";
import { type Datagram, type FakeHost, type FakeNetwork, FakeUnderlay } from "./fake-underlay.ts";

export interface Delivered {
  readonly kind: "data" | "source" | "destination" | "quic-source" | "quic-destination";
  readonly from: number;
  readonly payload: Uint8Array;
}

export interface TestNodeOptions {
  readonly address: string;
  readonly peerId?: number;
  readonly networkName?: string;
  readonly networkSecret?: string;
  readonly encryption?: boolean;
  readonly local?: Partial<LocalInfo>;
  readonly listen?: boolean;
  readonly peers?: readonly string[];
  readonly slots?: number;
}

export class TestNode implements FakeHost, PacketConsumer {
  readonly network: FakeNetwork;
  readonly underlay: FakeUnderlay;
  readonly node: MeshNode;
  readonly events: MeshEvent[] = [];
  readonly delivered: Delivered[] = [];

  constructor(network: FakeNetwork, options: TestNodeOptions) {
    this.network = network;
    this.underlay = new FakeUnderlay(network, options.address, options.slots);
    const config: MeshConfig = {
      networkName: options.networkName ?? "lab",
      networkSecret: options.networkSecret ?? "lab-secret",
      encryption: options.encryption ?? true,
      local: { ...localInfo(options.address), ...options.local },
      ...(options.peerId === undefined ? {} : { peerId: options.peerId }),
    };
    this.node = new MeshNode({
      config,
      underlay: this.underlay,
      pool: this.underlay.pool,
      words: this.underlay.words,
      random: network.random.u32,
      consumer: this,
      now: network.now,
    });
    this.underlay.receiver = (slot, offset, length, link, flags, now, socket) => {
      const taken = this.node.handleReceived(slot, offset, length, link, flags, now, socket);
      this.#takeEvents();
      return taken;
    };
    network.hosts.set(options.address, this);
    if (options.listen ?? true) this.node.setListeners(["udp://0.0.0.0:11010"], network.now);
    this.node.setPeers(options.peers ?? [], network.now);
  }

  get peerId(): number {
    return this.node.peerId;
  }

  get nextTimeout(): number {
    return this.node.nextTimeout;
  }

  deliver(datagram: Datagram, now: number): void {
    this.underlay.deliver(datagram, now);
  }

  handleTimeout(now: number): void {
    this.node.handleTimeout(now);
    this.#takeEvents();
  }

  data(from: number, _slot: number, offset: number, length: number): boolean {
    this.#deliver("data", from, offset, length);
    return false;
  }

  kcp(role: "source" | "destination", from: number, _slot: number, offset: number, length: number): boolean {
    this.#deliver(role, from, offset, length);
    return false;
  }

  quic(role: "source" | "destination", from: number, _slot: number, offset: number, length: number): boolean {
    this.#deliver(`quic-${role}`, from, offset, length);
    return false;
  }

  /** Sends a payload to a peer as the proxy would. False = there is no way. */
  send(peerId: number, packetType: number, payload: Uint8Array): boolean {
    const route = this.node.route(peerId, packetType);
    if (route < 0) return false;
    const slot = this.underlay.pool.alloc();
    const list = this.underlay.pool.alloc();
    const { slotBytes, bytes } = this.underlay.pool;
    const { words } = this.underlay;
    bytes.set(payload, slot * slotBytes);
    const word = (list * slotBytes) >> 2;
    words.set([slot * slotBytes, payload.length, route, 0], word);
    this.node.noteSent(word, 1);
    this.underlay.send(word, 1);
    this.underlay.pool.free(slot);
    this.underlay.pool.free(list);
    return true;
  }

  /** Peer ids of live direct peers. */
  get direct(): number[] {
    return this.node
      .peerSnapshots()
      .filter(({ links }) => links.length > 0)
      .map(({ peerId }) => peerId);
  }

  /** Peer ids that can be reached by any way. */
  get reachable(): number[] {
    return this.node
      .peerSnapshots()
      .filter(({ info }) => (info?.pathLength ?? 0) > 0)
      .map(({ peerId }) => peerId);
  }

  eventsOf<T extends MeshEvent["type"]>(type: T): Extract<MeshEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<MeshEvent, { type: T }> => event.type === type);
  }

  /** The process dies without a word: no more input, no more output. */
  crash(): void {
    if (this.network.hosts.get(this.underlay.address) === this)
      this.network.hosts.delete(this.underlay.address);
  }

  #deliver(kind: Delivered["kind"], from: number, offset: number, length: number): void {
    this.delivered.push({ kind, from, payload: this.underlay.pool.bytes.slice(offset, offset + length) });
  }

  #takeEvents(): void {
    for (let event = this.node.pollEvent(); event !== undefined; event = this.node.pollEvent()) {
      this.events.push(event);
    }
  }
}

/** A virtual address 10.144.x.y that follows from the underlay address, so that names, ids and addresses differ. */
export function localInfo(address: string): LocalInfo {
  const last = Number(address.split(".")[3]);
  return {
    instanceId: `00000000-0000-4000-8000-${last.toString(16).padStart(12, "0")}`,
    hostname: `node-${last}`,
    ipv4: ((10 << 24) | (144 << 16) | (1 << 8) | last) >>> 0,
    networkLength: 24,
    exports: [],
    version: "0.1.0-test",
    featureFlags: { ...NO_FEATURES, kcpInput: true, supportConnListSync: true },
    natTypes: { udp: 0, tcp: 0 },
  };
}
