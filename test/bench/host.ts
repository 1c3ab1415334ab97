/**
 * What the native I/O core costs, beside what Node has built in: CPU microseconds per datagram of 1400 bytes, and per
 * sealed packet.
 *
 *   npx tsx test/bench/host.ts [seconds per run] [runs]
 *
 * ```
 *  namespace A: this process, sender   10.88.0.1 ══ veth ══ 10.88.0.2   namespace B: receiver
 * ```
 * The veth is made like a plain network card (no UDP segmentation offload: the kernel cuts trains in software) except in
 * the rows that say so. CPU is what the process was charged, kernel included; a datagram's way through the veth is charged
 * to the sender.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { fileURLToPath } from "node:url";
import type { HostFeature } from "../../router-daemon/src/host/features.ts";
import { TX_WORDS } from "../../router-daemon/src/host/host.ts";
import { createNodeHost } from "../../router-daemon/src/host/node/host.ts";
import { Desk, peerHeader } from "../unit/host/desk.ts";

const NEAR = "10.88.0.1";
const FAR = "10.88.0.2";
const PORT = 9000;
/** Such that the datagram has 1400 bytes: tunnel and peer header 24, tag and nonce 28. */
const DATAGRAM_BYTES = 1400;
const HEADER_BYTES = 24;
const TAIL_BYTES = 28;
const BATCH = 64;
const PEER = 77;

interface Variant {
  readonly name: string;
  /** Node's own dgram instead of the core. */
  readonly dgram?: boolean;
  readonly sealed?: boolean;
  /** The veth carries trains as they are. */
  readonly segmenting?: boolean;
  readonly sender?: readonly HostFeature[];
  readonly receiver?: readonly HostFeature[];
}

const VARIANTS: readonly Variant[] = [
  { name: "node:dgram", dgram: true },
  { name: "sendmmsg, recvmmsg", sender: ["udp-segment"], receiver: ["udp-gro"] },
  { name: "UDP_SEGMENT, recvmmsg", receiver: ["udp-gro"] },
  { name: "UDP_SEGMENT, UDP_GRO" },
  { name: "UDP_SEGMENT, UDP_GRO, sealed", sealed: true },
  { name: "sendmmsg, recvmmsg, sealed", sealed: true, sender: ["udp-segment"], receiver: ["udp-gro"] },
  { name: "UDP_SEGMENT, UDP_GRO, veth carries trains", segmenting: true },
  { name: "UDP_SEGMENT, UDP_GRO, veth carries trains, sealed", segmenting: true, sealed: true },
];

interface Count {
  readonly datagrams: number;
  readonly cpuUs: number;
  readonly seconds: number;
}

function makeDesk(without: readonly HostFeature[]): Desk {
  const host = createNodeHost({ slotCount: 1024, without });
  if ("error" in host) throw new Error(host.message);
  const desk = new Desk(host);
  desk.identity(PEER, new Uint8Array(16).fill(7));
  return desk;
}

/** CPU and wall time of `work`, called until `seconds` are over; it returns how many datagrams it moved. */
async function measure(seconds: number, work: () => number): Promise<Count> {
  const start = performance.now();
  const cpu = process.cpuUsage();
  let datagrams = 0;
  while (performance.now() - start < seconds * 1000) {
    for (let i = 0; i < 20; i++) datagrams += work();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { user, system } = process.cpuUsage(cpu);
  return { datagrams, cpuUs: user + system, seconds: (performance.now() - start) / 1000 };
}

async function sendFor(seconds: number, variant: Variant): Promise<Count> {
  if (variant.dgram) {
    const socket = createSocket({ type: "udp4", sendBufferSize: 4 << 20 });
    await new Promise<void>((resolve) => socket.connect(PORT, FAR, resolve));
    const payload = Buffer.alloc(DATAGRAM_BYTES, 1);
    const count = await measure(seconds, () => {
      socket.send(payload);
      return 1;
    });
    socket.close();
    return count;
  }
  const desk = makeDesk(variant.sender ?? []);
  const socket = desk.udp(NEAR, PORT);
  desk.link(1, socket, PORT, 1, FAR);
  desk.route(1, 1, peerHeader({ to: PEER, flags: variant.sealed ? 1 : 0 }));
  const length = DATAGRAM_BYTES - HEADER_BYTES - (variant.sealed ? TAIL_BYTES : 0);
  let slot = 0;
  const count = await measure(seconds, () => {
    for (let i = 0; i < BATCH; i++) {
      const at = desk.list + i * TX_WORDS;
      desk.words[at] = slot * desk.host.memory.slotBytes;
      desk.words[at + 1] = length;
      desk.words[at + 2] = 1;
      slot = (slot + 1) % desk.host.memory.slotCount;
    }
    return desk.host.send(desk.list, BATCH);
  });
  desk.host.dispose();
  return count;
}

/** Runs in namespace B: counts until its input ends. */
async function receiver(variant: Variant): Promise<void> {
  let datagrams = 0;
  if (variant.dgram) {
    const socket = createSocket({ type: "udp4", recvBufferSize: 4 << 20 });
    socket.on("message", () => {
      datagrams++;
    });
    await new Promise<void>((resolve) => socket.bind(PORT, FAR, resolve));
  } else {
    const desk = makeDesk(variant.receiver ?? []);
    const socket = desk.udp(FAR, PORT);
    desk.link(1, socket, PORT, 1, NEAR);
    for (let i = 0; i < 512; i++) desk.words[desk.slots + i] = i;
    desk.host.onReady(() => {
      desk.host.poll(desk.events, 16);
      for (;;) {
        const count = desk.host.udpReceive(socket.handle, desk.slots, 512, desk.out);
        if (count <= 0) return;
        datagrams += count;
      }
    });
  }
  const cpu = process.cpuUsage();
  const start = performance.now();
  process.stdout.write("ready\n");
  process.stdin.on("data", () => undefined);
  process.stdin.on("end", () => {
    const { user, system } = process.cpuUsage(cpu);
    const count: Count = { datagrams, cpuUs: user + system, seconds: (performance.now() - start) / 1000 };
    process.stdout.write(JSON.stringify(count), () => process.exit(0));
  });
}

// ── the namespaces ─────────────────────────────────────────────────────────────────────────────────────────────────

function inFar(holder: ChildProcess, command: string, ...args: string[]): void {
  execFileSync("nsenter", ["-t", String(holder.pid), "-n", command, ...args], { stdio: "pipe" });
}

function makeVeth(holder: ChildProcess): void {
  const ip = (...args: string[]) => execFileSync("ip", args);
  ip("link", "set", "lo", "up");
  ip("link", "add", "va", "type", "veth", "peer", "name", "vb");
  ip("link", "set", "vb", "netns", String(holder.pid));
  ip("addr", "add", `${NEAR}/24`, "dev", "va");
  ip("link", "set", "va", "up");
  inFar(holder, "ip", "addr", "add", `${FAR}/24`, "dev", "vb");
  inFar(holder, "ip", "link", "set", "vb", "up");
}

function setVeth(holder: ChildProcess, segmenting: boolean): void {
  const state = segmenting ? "on" : "off";
  const sender = ["-K", "va", "tso", state, "gso", state, "tx-udp-segmentation", state];
  execFileSync("ethtool", sender, { stdio: "pipe" });
  // A network card's driver does GRO.
  inFar(holder, "ethtool", "-K", "vb", "gro", "on");
}

async function run(
  holder: ChildProcess,
  variant: Variant,
  seconds: number,
): Promise<{ tx: Count; rx: Count }> {
  setVeth(holder, variant.segmenting ?? false);
  const self = fileURLToPath(import.meta.url);
  const args = [
    "-t",
    String(holder.pid),
    "-n",
    process.execPath,
    "--import=tsx",
    self,
    "receive",
    JSON.stringify(variant),
  ];
  const child = spawn("nsenter", args, { stdio: ["pipe", "pipe", "inherit"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const tx = await sendFor(seconds, variant);
  await new Promise((resolve) => setTimeout(resolve, 50));
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += String(chunk);
  });
  child.stdin.end();
  await new Promise((resolve) => child.once("close", resolve));
  return { tx, rx: JSON.parse(text) as Count };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

async function datagrams(seconds: number, runs: number): Promise<void> {
  const holder = spawn("unshare", ["-n", "sleep", "1000"], { stdio: "ignore" });
  await new Promise((resolve) => setTimeout(resolve, 200));
  try {
    makeVeth(holder);
    console.log("| way of a 1400-byte datagram | tx us | rx us | received Gb/s | tx+rx, node:dgram = 1 |");
    console.log("|---|---|---|---|---|");
    let base = 0;
    for (const variant of VARIANTS) {
      const all = [];
      for (let i = 0; i < runs; i++) all.push(await run(holder, variant, seconds));
      const tx = median(all.map((one) => one.tx.cpuUs / one.tx.datagrams));
      const rx = median(all.map((one) => one.rx.cpuUs / one.rx.datagrams));
      const rate = median(all.map((one) => (one.rx.datagrams * DATAGRAM_BYTES * 8) / one.tx.seconds / 1e9));
      base ||= tx + rx;
      console.log(
        `| ${variant.name} | ${tx.toFixed(2)} | ${rx.toFixed(2)} | ${rate.toFixed(1)} | ${((tx + rx) / base).toFixed(2)} |`,
      );
    }
  } finally {
    holder.kill();
  }
}

// ── AES-128-GCM by itself ──────────────────────────────────────────────────────────────────────────────────────────

/** Median CPU microseconds per call. */
function perCall(rounds: number, calls: number, work: () => void): number {
  const results = [];
  for (let round = 0; round < rounds; round++) {
    const cpu = process.cpuUsage();
    for (let i = 0; i < calls; i++) work();
    const { user, system } = process.cpuUsage(cpu);
    results.push((user + system) / calls);
  }
  return median(results);
}

/** `send` to a network without a route: all of the core's work and next to nothing of the kernel's. */
function sealing(batch: number, sealed: boolean, without: readonly HostFeature[] = []): number {
  const desk = makeDesk(without);
  const socket = desk.udp("0.0.0.0");
  desk.link(1, socket, PORT, 1, "198.51.100.1");
  desk.route(1, 1, peerHeader({ to: PEER, flags: sealed ? 1 : 0 }));
  for (let i = 0; i < batch; i++) {
    desk.words.set([i * desk.host.memory.slotBytes, DATAGRAM_BYTES, 1, 0], desk.list + i * TX_WORDS);
  }
  const us = perCall(7, Math.ceil(100_000 / batch), () => {
    desk.host.send(desk.list, batch);
  });
  desk.host.dispose();
  return us / batch;
}

function aead(): void {
  const key = randomBytes(16);
  const nonce = randomBytes(12);
  const payload = randomBytes(DATAGRAM_BYTES);
  const cipher = createCipheriv("aes-128-gcm", key, nonce);
  const text = Buffer.concat([cipher.update(payload), cipher.final()]);
  const tag = cipher.getAuthTag();
  const nodeSeal = perCall(7, 20_000, () => {
    const one = createCipheriv("aes-128-gcm", key, nonce);
    one.update(payload);
    one.final();
    one.getAuthTag();
  });
  const nodeOpen = perCall(7, 20_000, () => {
    const one = createDecipheriv("aes-128-gcm", key, nonce);
    one.setAuthTag(tag);
    one.update(text);
    one.final();
  });
  console.log("\n| AES-128-GCM, 1400-byte packet | us | node:crypto seal = 1 |");
  console.log("|---|---|---|");
  const row = (name: string, us: number) =>
    console.log(`| ${name} | ${us.toFixed(3)} | ${(us / nodeSeal).toFixed(3)} |`);
  row("node:crypto createCipheriv per packet", nodeSeal);
  row("node:crypto createDecipheriv per packet", nodeOpen);
  for (const batch of [8, 64]) {
    const plain = sealing(batch, false);
    row(`core, seal, batch of ${batch}`, sealing(batch, true) - plain);
    row(`… without VAES, batch of ${batch}`, sealing(batch, true, ["wide-cipher"]) - plain);
    row(`… with OpenSSL's EVP, batch of ${batch}`, sealing(batch, true, ["own-cipher"]) - plain);
    row(`core, headers and copy without sealing, batch of ${batch}`, plain);
  }
}

const [first, second] = process.argv.slice(2);
if (first === "receive") {
  await receiver(JSON.parse(second!) as Variant);
} else if (process.env.KCP_ROUTER_BENCH_INSIDE === undefined) {
  // In a network namespace of its own: the machine's network is not touched.
  const flags = process.getuid?.() === 0 ? ["-n"] : ["-Urn"];
  const self = fileURLToPath(import.meta.url);
  const args = [...flags, process.execPath, "--import=tsx", self, ...process.argv.slice(2)];
  const env = { ...process.env, KCP_ROUTER_BENCH_INSIDE: "1" };
  const child = spawn("unshare", args, { stdio: "inherit", env });
  child.on("close", (code) => process.exit(code ?? 1));
} else {
  await datagrams(Number(first ?? 2), Number(second ?? 3));
  aead();
  process.exit(0);
}
