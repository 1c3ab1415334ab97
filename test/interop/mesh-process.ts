/**
 * Our mesh node alone, on the real host and without a TUN device, as a process for tests of links against real peers.
 *
 * Standard input: one line of JSON (`MeshProcessConfig`), then commands, one per line: `status`, `peers <json list>`,
 * `send <peer id> <type> <hex>`. Standard output: `{"ready":…}`, then one line per command, event and received payload.
 */
import { lookup } from "node:dns/promises";
import { createInterface } from "node:readline";
import { FixedSlotPool } from "../../router-daemon/kcp-ts/src/pool.ts";
import { PollEvent, RX_WORDS } from "../../router-daemon/src/host/host.ts";
import { createNodeHost } from "../../router-daemon/src/host/node/host.ts";
import { MeshNode } from "../../router-daemon/src/mesh/node.ts";
import { type FeatureFlags, NO_FEATURES } from "../../router-daemon/src/mesh/routes/types.ts";

export interface MeshProcessConfig {
  readonly networkName: string;
  readonly networkSecret: string;
  readonly encryption?: boolean;
  readonly hostname: string;
  /** Virtual address as a big-endian number. */
  readonly ipv4: number;
  readonly instanceId: string;
  readonly listeners: readonly string[];
  readonly peers: readonly string[];
  readonly interfaceIpv4s?: readonly number[];
  readonly featureFlags?: Partial<FeatureFlags>;
}

const SLOTS = 512;
const BATCH = 64;

const say = (message: object): void => {
  process.stdout.write(
    `${JSON.stringify(message, (_key, value) => (typeof value === "bigint" ? `${value}` : value))}\n`,
  );
};

function run(config: MeshProcessConfig, commands: AsyncIterable<string>): void {
  const made = createNodeHost({ slotCount: SLOTS });
  if ("error" in made) throw new Error(made.message);
  const host = made;
  const { memory } = host;
  const { words } = memory;
  const pool = new FixedSlotPool(SLOTS, { arena: memory.arena, slotBytes: memory.slotBytes });
  const eventsAt = memory.reserve(64 * 8) >> 2;
  const slotsAt = memory.reserve(BATCH * 4) >> 2;
  const entriesAt = memory.reserve(BATCH * RX_WORDS * 4) >> 2;
  const randomAt = memory.reserve(64);
  const readable = new Set<number>();
  const offered: number[] = [];

  const node = new MeshNode({
    config: {
      networkName: config.networkName,
      networkSecret: config.networkSecret,
      encryption: config.encryption ?? true,
      local: {
        instanceId: config.instanceId,
        hostname: config.hostname,
        ipv4: config.ipv4,
        networkLength: 24,
        exports: [],
        version: "kcp-router-test",
        featureFlags: { ...NO_FEATURES, supportConnListSync: true, ...config.featureFlags },
        natTypes: { udp: 0, tcp: 0 },
      },
    },
    underlay: host,
    pool,
    words,
    random: () => {
      host.random(randomAt, 4);
      return words[randomAt >> 2]! >>> 0;
    },
    consumer: {
      data: (from, _slot, offset, length) => receive("data", from, offset, length),
      kcp: (role, from, _slot, offset, length) => receive(role, from, offset, length),
      quic: (role, from, _slot, offset, length) => receive(`quic-${role}`, from, offset, length),
    },
    now: host.now(),
  });

  function receive(kind: string, from: number, offset: number, length: number): boolean {
    say({
      received: {
        kind,
        from,
        payload: Buffer.from(memory.bytes.slice(offset, offset + length)).toString("hex"),
      },
    });
    return false;
  }

  function receiveFrom(socket: number): void {
    for (;;) {
      while (offered.length < BATCH) {
        const slot = pool.alloc();
        if (slot < 0) break;
        offered.push(slot);
      }
      for (const [at, slot] of offered.entries()) words[slotsAt + at] = slot;
      const count = host.udpReceive(socket, slotsAt, offered.length, entriesAt);
      if (count <= 0) return;
      const used = offered.splice(0, count);
      for (const [at, slot] of used.entries()) {
        const entry = entriesAt + at * RX_WORDS;
        const [offset, length, link, flags] = [
          words[entry]!,
          words[entry + 1]!,
          words[entry + 2]!,
          words[entry + 3]!,
        ];
        if (!node.handleReceived(slot, offset, length, link, flags, host.now(), socket)) offered.push(slot);
      }
      if (!node.hasSocket(socket)) return;
    }
  }

  function turn(): void {
    for (let count = 1; count > 0; ) {
      count = host.poll(eventsAt, 64);
      for (let at = 0; at < count; at++) {
        if ((words[eventsAt + at * 2 + 1]! & PollEvent.readable) !== 0)
          readable.add(words[eventsAt + at * 2]!);
      }
    }
    for (const socket of readable) if (node.hasSocket(socket)) receiveFrom(socket);
    readable.clear();
    if (node.nextTimeout <= host.now()) node.handleTimeout(host.now());
    for (let event = node.pollEvent(); event !== undefined; event = node.pollEvent()) {
      say({ event });
      if (event.type === "resolve") void resolve(event.url, event.host, event.port);
    }
    host.setTimer(node.nextTimeout);
  }

  async function resolve(url: string, name: string, port: number): Promise<void> {
    const found = await lookup(name, { all: true }).catch(() => []);
    node.handleResolved(
      url,
      found.map(({ address }) => ({ address, port })),
      host.now(),
    );
    turn();
  }

  function send(peerId: number, type: number, payload: Uint8Array): void {
    const route = node.route(peerId, type);
    if (route < 0) {
      say({ sent: 0 });
      return;
    }
    const slot = pool.alloc();
    memory.bytes.set(payload, slot * memory.slotBytes);
    words.set([slot * memory.slotBytes, payload.length, route, 0], entriesAt);
    node.noteSent(entriesAt, 1);
    say({ sent: host.send(entriesAt, 1) });
    pool.free(slot);
  }

  async function obey(): Promise<void> {
    for await (const line of commands) {
      const [command, ...rest] = line.split(" ");
      if (command === "status") {
        say({
          status: { peers: node.peerSnapshots(), routes: node.routeSnapshots(), counters: node.counters() },
        });
      } else if (command === "peers") node.setPeers(JSON.parse(rest.join(" ")), host.now());
      else if (command === "send") send(Number(rest[0]), Number(rest[1]), Buffer.from(rest[2] ?? "", "hex"));
      turn();
    }
    node.dispose(host.now());
    process.exit(0);
  }

  host.onReady(turn);
  node.setClock(Date.now(), host.now());
  node.setLocalAddresses({
    interfaceIpv4s: config.interfaceIpv4s ?? [],
    interfaceIpv6s: [],
    publicIpv4: 0,
    mappedListeners: [],
  });
  const failures = node.setListeners(config.listeners, host.now());
  const problems = node.setPeers(config.peers, host.now());
  say({ ready: { peerId: node.peerId, failures, problems } });
  turn();
  void obey();
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const first = await lines.next();
if (first.done !== true) run(JSON.parse(first.value), { [Symbol.asyncIterator]: () => lines });
