/**
 * The stack against the real kernel's TCP; run by `kernel.test.ts` in a network namespace of its own, prints one JSON object.
 *
 * ```
 *  node:net client ── kernel ── TUN kr0 10.78.0.1 ══ frames ══▶ host ── TcpStack, which answers for 10.78.0.0/24
 * ```
 *
 * What the stack does depends on the port that the client connects to.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { FixedSlotPool } from "kcp-ts";
import type { HostFeature } from "../../../router-daemon/src/host/features.ts";
import { PollEvent, TUN_READ_WORDS } from "../../../router-daemon/src/host/host.ts";
import { createNodeHost } from "../../../router-daemon/src/host/node/host.ts";
import { TCP_REGION_BYTES } from "../../../router-daemon/src/tcp/limits.ts";
import { TcpStack } from "../../../router-daemon/src/tcp/stack.ts";
import type { CloseReason, Flow, FlowReceiver } from "../../../router-daemon/src/tcp/types.ts";
import { pattern, Random } from "./world.ts";

const ROUTER = 0x0a4e_0001;
const TARGET = "10.78.0.2";
const MTU = 1400;
const SLOT_PAYLOAD = 1376;
const READS = 16;

const Port = { echo: 7, sink: 9, source: 19, refuse: 22, abort: 23, late: 24 } as const;
const SOURCE_BYTES = 24_000_000;
const SOURCE = pattern(SOURCE_BYTES);
const LATE_BYTES = 300_000;

/** Takes what comes and, for some ports, sends. */
class Service implements FlowReceiver {
  readonly flow: Flow;
  readonly hash = createHash("sha256");
  received = 0;
  finished = false;
  reason: CloseReason | undefined;
  /** Bytes of `source` that were handed over. */
  sent = 0;
  readonly #scene: Scene;
  /** What it sends, then its FIN. */
  source: Uint8Array | undefined;

  constructor(scene: Scene, flow: Flow) {
    this.#scene = scene;
    this.flow = flow;
    if (flow.targetPort === Port.source) this.source = SOURCE;
  }

  get echoes(): boolean {
    return this.flow.targetPort === Port.echo;
  }

  get space(): number {
    return this.echoes ? this.flow.sendSpace : 512 * 1024;
  }

  receive(offset: number, length: number): number {
    const { pool } = this.#scene;
    let taken = 0;
    while (taken < length) {
      const piece = Math.min(SLOT_PAYLOAD, length - taken);
      if (this.echoes) {
        const slot = pool.alloc();
        if (slot < 0) break;
        const to = slot * pool.slotBytes;
        pool.bytes.copyWithin(to, offset + taken, offset + taken + piece);
        if (!this.flow.send(slot, to, piece)) {
          pool.free(slot);
          break;
        }
      }
      this.hash.update(pool.bytes.subarray(offset + taken, offset + taken + piece));
      taken += piece;
    }
    this.received += taken;
    return taken;
  }

  push(): void {
    const { pool } = this.#scene;
    const { source } = this;
    if (source === undefined) return;
    while (this.sent < source.length) {
      const length = Math.min(SLOT_PAYLOAD, source.length - this.sent);
      if (this.flow.sendSpace < length) return;
      const slot = pool.alloc();
      if (slot < 0) return;
      pool.bytes.set(source.subarray(this.sent, this.sent + length), slot * pool.slotBytes);
      if (!this.flow.send(slot, slot * pool.slotBytes, length)) throw new Error("not taken");
      this.sent += length;
    }
    this.flow.shutdown();
  }
}

class Scene {
  readonly pool: FixedSlotPool;
  readonly stack: TcpStack;
  readonly services: Service[] = [];
  readonly offload: boolean;
  loss = 0;
  framesIn = 0;
  framesOut = 0;
  bytesIn = 0;
  largestIn = 0;
  largestOut = 0;
  readonly #host;
  readonly #tun: number;
  readonly #words: Int32Array;
  readonly #list: number;
  readonly #random = new Random(7);

  constructor(without: readonly HostFeature[]) {
    const host = createNodeHost({ slotCount: 4096, without });
    if ("error" in host) throw new Error(host.message);
    this.#host = host;
    const { memory } = host;
    this.#words = memory.words;
    this.pool = new FixedSlotPool(memory.slotCount, { arena: memory.arena, slotBytes: memory.slotBytes });
    this.#list = memory.reserve(4096) >> 2;
    const tun = host.tunOpen("kr0");
    if ("error" in tun) throw new Error(tun.message);
    this.#tun = tun.handle;
    this.offload = tun.offload;
    const result = host.tunConfigure(tun.handle, ROUTER, 24, MTU);
    if (result < 0) throw new Error(host.describeError(result));
    const scratch = memory.reserve(64);
    this.stack = new TcpStack({
      pool: this.pool,
      words: memory.words,
      regionOffset: memory.reserve(TCP_REGION_BYTES),
      random: () => {
        host.random(scratch, 4);
        return memory.words[scratch >> 2]!;
      },
      mtu: MTU,
      events: {
        syn: () => "hold",
        held: (flow) => this.#held(flow),
        evicting: () => undefined,
        established: (flow) => this.#service(flow)?.push(),
        writable: (flow) => {
          const service = this.#service(flow);
          service?.push();
          if (service?.echoes) flow.receiveSpaceGrew(host.now());
        },
        finished: (flow) => this.#finished(flow),
        closed: (flow, reason) => {
          const service = this.#service(flow);
          if (service !== undefined) service.reason = reason;
        },
      },
    });
    host.onReady(() => this.#turn());
  }

  #service(flow: Flow): Service | undefined {
    return this.services.find((one) => one.flow === flow);
  }

  #held(flow: Flow): void {
    const now = this.#host.now();
    if (flow.targetPort === Port.refuse) {
      this.stack.refuse(flow, now);
      return;
    }
    const service = new Service(this, flow);
    this.services.push(service);
    this.stack.accept(flow, service, now);
  }

  #finished(flow: Flow): void {
    const service = this.#service(flow)!;
    service.finished = true;
    if (flow.targetPort === Port.late) {
      // The answer comes long after the client has closed its direction.
      setTimeout(() => {
        service.source = pattern(LATE_BYTES);
        service.push();
        this.#turn();
      }, 300);
    } else if (flow.targetPort !== Port.source) {
      flow.shutdown();
    }
  }

  act(work: () => void): void {
    work();
    this.#turn();
  }

  #turn(): void {
    const host = this.#host;
    const words = this.#words;
    const list = this.#list;
    const events = host.poll(list, 8);
    for (let event = 0; event < events; event++) {
      if (words[list + 2 * event + 1]! & PollEvent.error) throw new Error("the TUN device failed");
    }
    for (let rounds = 0; rounds < 8; rounds++) {
      const frames = host.tunRead(this.#tun, list, READS);
      if (frames <= 0) break;
      for (let frame = 0; frame < frames; frame++) {
        const offset = words[list + TUN_READ_WORDS * frame]!;
        const length = words[list + TUN_READ_WORDS * frame + 1]!;
        if (this.loss > 0 && this.#random.next() < this.loss) continue;
        this.framesIn++;
        this.bytesIn += length;
        this.largestIn = Math.max(this.largestIn, length);
        this.stack.handleFrame(offset, length, host.now());
      }
      this.#poll();
    }
    this.#poll();
    host.setTimer(this.stack.nextTimeout);
  }

  #poll(): void {
    const host = this.#host;
    this.stack.poll(host.now(), {
      frame: (iov, pairs) => {
        if (this.loss > 0 && this.#random.next() < this.loss) return true;
        const written = host.tunWrite(this.#tun, iov, pairs);
        if (written < 0) throw new Error(host.describeError(written));
        if (written === 0) return false;
        this.framesOut++;
        this.largestOut = Math.max(this.largestOut, written);
        return true;
      },
    });
  }

  close(): void {
    this.#host.dispose();
  }
}

function open(port: number): Socket {
  return connect({ host: TARGET, port, allowHalfOpen: true });
}

/** Reads to the end; resolves with the number of bytes and their hash. */
function readAll(socket: Socket): Promise<{ bytes: number; hash: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  socket.on("data", (chunk: Buffer) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("end", () => resolve({ bytes, hash: hash.digest("hex") }));
  });
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function failure(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.on("error", (cause: NodeJS.ErrnoException) => resolve(cause.code ?? cause.message));
    socket.on("close", () => resolve("closed without an error"));
  });
}

async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition() && turns < 500; turns++) await sleep(10);
  if (!condition()) throw new Error(`did not happen: ${condition}`);
}

const scenes: Record<string, (scene: Scene) => Promise<Record<string, unknown>>> = {
  /** Megabytes there and back, then both ends. */
  async echo(scene) {
    const payload = pattern(8_000_000, 3);
    const socket = open(Port.echo);
    socket.end(payload);
    const { bytes, hash } = await readAll(socket);
    const [service] = scene.services;
    await until(() => service!.reason !== undefined);
    return { same: bytes === payload.length && hash === hashOf(payload), reason: service!.reason };
  },

  async upload(scene) {
    const payload = pattern(24_000_000, 4);
    const start = performance.now();
    const socket = open(Port.sink);
    socket.end(payload);
    await readAll(socket);
    const ms = performance.now() - start;
    const [service] = scene.services;
    await until(() => service!.reason !== undefined);
    const same = service!.received === payload.length && service!.hash.digest("hex") === hashOf(payload);
    return { same, reason: service!.reason, mbps: (payload.length * 8) / ms / 1000 };
  },

  async download(scene) {
    const start = performance.now();
    const socket = open(Port.source);
    const { bytes, hash } = await readAll(socket);
    const ms = performance.now() - start;
    socket.end();
    const [service] = scene.services;
    await until(() => service!.reason !== undefined);
    const same = bytes === SOURCE_BYTES && hash === hashOf(SOURCE);
    return { same, reason: service!.reason, mbps: (bytes * 8) / ms / 1000 };
  },

  /** The client closes its direction first; the answer comes later and whole. */
  async late(scene) {
    const socket = open(Port.late);
    socket.end("question");
    const { bytes, hash } = await readAll(socket);
    await until(() => scene.services[0]!.reason !== undefined);
    const same = bytes === LATE_BYTES && hash === hashOf(pattern(LATE_BYTES));
    return { same, reason: scene.services[0]!.reason, received: scene.services[0]!.received };
  },

  async refused() {
    return { code: await failure(open(Port.refuse)) };
  },

  async aborted(scene) {
    const socket = open(Port.abort);
    const code = failure(socket);
    socket.write("x");
    await until(() => scene.services[0]?.received === 1);
    scene.act(() => scene.services[0]!.flow.abort(performance.now()));
    return { code: await code, reason: scene.services[0]!.reason };
  },

  async reset(scene) {
    const socket = open(Port.sink);
    socket.write("x");
    await until(() => scene.services[0]?.received === 1);
    socket.resetAndDestroy();
    await until(() => scene.services[0]!.reason !== undefined);
    return { reason: scene.services[0]!.reason };
  },

  /** A client that stops reading: nothing grows, and it goes on where it stopped. */
  async stalled(scene) {
    const socket = open(Port.source);
    socket.pause();
    await until(() => (scene.services[0]?.sent ?? 0) > 0);
    await sleep(1500);
    const held = scene.pool.slotCount - scene.pool.freeSlots;
    const { sent } = scene.services[0]!;
    await sleep(500);
    const stopped = scene.services[0]!.sent === sent;
    const all = readAll(socket);
    socket.resume();
    const { bytes, hash } = await all;
    socket.end();
    await until(() => scene.services[0]!.reason !== undefined);
    return { held, stopped, same: bytes === SOURCE_BYTES && hash === hashOf(SOURCE) };
  },

  /** Many connections at once, of both kinds. */
  async many(scene) {
    const payload = pattern(200_000, 6);
    const echoes = await Promise.all(
      Array.from({ length: 60 }, () => {
        const socket = open(Port.echo);
        socket.end(payload);
        return readAll(socket);
      }),
    );
    await until(() => scene.services.every((service) => service.reason !== undefined));
    return {
      same: echoes.every((echo) => echo.bytes === payload.length && echo.hash === hashOf(payload)),
      reasons: [...new Set(scene.services.map((service) => service.reason))],
    };
  },
};

const [name = "", lossText = "0", ...without] = process.argv.slice(2);
execFileSync("ip", ["link", "set", "lo", "up"]);
const scene = new Scene(without as HostFeature[]);
scene.loss = Number(lossText);
const result = await scenes[name]!(scene);
scene.loss = 0;
await until(() => scene.pool.freeSlots === scene.pool.slotCount);
console.log(
  JSON.stringify({
    ...result,
    offload: scene.offload,
    largestIn: scene.largestIn,
    largestOut: scene.largestOut,
    framesIn: scene.framesIn,
    framesOut: scene.framesOut,
    counters: scene.stack.counters,
  }),
);
scene.close();
process.exit(0);
