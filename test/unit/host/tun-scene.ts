/**
 * Scenes with a real kernel; run by `namespace.ts`, prints one JSON object.
 *
 * ```
 *  this namespace                                    the far namespace
 *  client ── kernel ── kra ══ frames ══▶ forwarder ══▶ krb ── kernel ── services (tun-far.ts)
 *            10.77.0.1      two hosts, this process      10.77.0.2
 * ```
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { HostFeature } from "../../../router-daemon/src/host/features.ts";
import { PollEvent, type TunInfo, VNET_HEADER_BYTES } from "../../../router-daemon/src/host/host.ts";
import { createNodeHost } from "../../../router-daemon/src/host/node/host.ts";
import { concat, Desk, pattern, peerHeader } from "./desk.ts";
import { checksumsOk, makeFrame } from "./naive-ip.ts";

const NEAR = 0x0a4d_0001;
const FAR_TEXT = "10.77.0.2";
const MTU = 1360;

function ip(...args: string[]): string {
  return execFileSync("ip", args, { encoding: "utf8" });
}

function makeDesk(without: readonly HostFeature[] = []): Desk {
  const host = createNodeHost({ slotCount: 256, without });
  if ("error" in host) throw new Error(host.message);
  return new Desk(host);
}

function open(desk: Desk, name: string): TunInfo {
  const info = desk.host.tunOpen(name);
  if ("error" in info) throw new Error(info.message);
  return info;
}

function must(desk: Desk, result: number): number {
  if (result < 0) throw new Error(desk.host.describeError(result));
  return result;
}

// ── two TUNs with a kernel on either side ──────────────────────────────────────────────────────────────────────────

/** Carries frames from one TUN to the other and looks at them on the way. */
class Direction {
  readonly from: Desk;
  readonly to: Desk;
  readonly fromHandle: number;
  readonly toHandle: number;
  readonly cut: boolean;
  /** Where outgoing frames are put together: not the desk's scratch, which the scene uses beside. */
  readonly #place: number;
  largest = 0;
  udpTrains = 0;
  badChecksums = 0;
  readonly refused: number[] = [];

  constructor(from: Desk, fromHandle: number, to: Desk, toHandle: number, cut: boolean) {
    this.from = from;
    this.to = to;
    this.fromHandle = fromHandle;
    this.toHandle = toHandle;
    this.cut = cut;
    this.#place = to.host.memory.reserve(70_000);
    for (let i = 0; i < 100; i++) from.words[from.slots + i] = i;
    to.bytes.fill(0, this.#place, this.#place + VNET_HEADER_BYTES);
  }

  pump(): void {
    const { from } = this;
    for (;;) {
      const count = must(from, from.host.tunRead(this.fromHandle, from.out, 64));
      if (count === 0) return;
      for (let i = 0; i < count; i++)
        this.#frame(from.words[from.out + 2 * i]!, from.words[from.out + 2 * i + 1]!);
    }
  }

  #frame(offset: number, length: number): void {
    const { from, to } = this;
    this.largest = Math.max(this.largest, length - VNET_HEADER_BYTES);
    if (from.bytes[offset + 1] === 5) this.udpTrains++;
    if (!this.cut) {
      to.bytes.set(from.bytes.subarray(offset, offset + length), this.#place);
      this.#write([[this.#place, length]]);
      return;
    }
    const lengths = from.out + 1000;
    const packets = from.host.tunSplit(offset, length, MTU, from.slots, lengths, 100, 30);
    if (packets < 0) this.refused.push(packets);
    for (let i = 0; i < packets; i++) {
      const at = i * from.host.memory.slotBytes + 30;
      const packet = from.bytes.subarray(at, at + from.words[lengths + i]!);
      if (!checksumsOk(packet)) this.badChecksums++;
      // Header and packet gathered from two places.
      to.bytes.set(packet, this.#place + 1000);
      this.#write([
        [this.#place, VNET_HEADER_BYTES],
        [this.#place + 1000, 1],
        [this.#place + 1001, packet.length - 1],
      ]);
    }
  }

  #write(pairs: [number, number][]): void {
    const written = this.to.host.tunWrite(this.toHandle, this.to.iov(pairs), pairs.length);
    if (written <= 0) this.refused.push(written);
  }
}

interface Crossing {
  readonly near: Desk;
  readonly far: ChildProcess;
  readonly up: Direction;
  readonly down: Direction;
  readonly info: TunInfo;
}

async function line(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.once("data", (chunk) => resolve(String(chunk)));
    child.once("exit", () => reject(new Error("The far end ended.")));
  });
}

async function makeCrossing(
  nearWithout: HostFeature[],
  farWithout: HostFeature[],
  cut: boolean,
): Promise<Crossing> {
  ip("link", "set", "lo", "up");
  const script = fileURLToPath(new URL("tun-far.ts", import.meta.url));
  const far = spawn("unshare", ["-n", process.execPath, "--import=tsx", script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await line(far);
  const near = makeDesk(nearWithout);
  const other = makeDesk(farWithout);
  const a = open(near, "kra");
  const b = open(other, "krb");
  must(near, near.host.tunConfigure(a.handle, NEAR, 24, MTU));
  ip("-6", "addr", "add", "fd77::1/64", "dev", "kra", "nodad");
  // The far device is configured by the far namespace; its descriptor stays here.
  ip("link", "set", "krb", "netns", String(far.pid));
  const inFar = (...args: string[]) => execFileSync("nsenter", ["-t", String(far.pid), "-n", "ip", ...args]);
  inFar("link", "set", "lo", "up");
  inFar("addr", "add", `${FAR_TEXT}/24`, "dev", "krb");
  inFar("link", "set", "krb", "up", "mtu", String(MTU), "txqueuelen", "4096");
  inFar("-6", "addr", "add", "fd77::2/64", "dev", "krb", "nodad");
  const up = new Direction(near, a.handle, other, b.handle, cut);
  const down = new Direction(other, b.handle, near, a.handle, cut);
  near.host.onReady(() => {
    near.look();
    up.pump();
  });
  other.host.onReady(() => {
    other.look();
    down.pump();
  });
  return { near, far, up, down, info: a };
}

function exchange(host: string, port: number, send: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host, port, allowHalfOpen: true }, () => socket.end(send));
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("end", () => resolve(Buffer.concat(chunks)));
    socket.on("error", reject);
  });
}

/** Checksum errors that a kernel has counted: /proc/net/snmp of this namespace, or of the one of a process. */
function checksumErrors(pid: number | "self"): number {
  const lines = readFileSync(`/proc/${pid}/net/snmp`, "utf8")
    .split("\n")
    .map((text) => text.split(" "));
  let errors = 0;
  for (let i = 0; i + 1 < lines.length; i += 2) {
    lines[i]!.forEach((name, column) => {
      if (name === "InCsumErrors" || name === "InHdrErrors") errors += Number(lines[i + 1]![column]);
    });
  }
  return errors;
}

async function crossing(options: string[]): Promise<Record<string, unknown>> {
  const [nearWithout, farWithout, mode] = options;
  const features = (list: string | undefined) =>
    (list ?? "").split(",").filter((name) => name !== "") as HostFeature[];
  const scene = await makeCrossing(features(nearWithout), features(farWithout), mode === "cut");
  const bytes = 3_000_001;
  const sent = pattern(bytes, 9);
  const hash = createHash("sha256").update(sent).digest("hex");
  const wanted = pattern(bytes, 5);
  const results: Record<string, unknown> = { offload: scene.info.offload, udpOffload: scene.info.udpOffload };
  for (const address of [FAR_TEXT, "fd77::2"]) {
    const family = address.includes(":") ? "v6" : "v4";
    results[`${family}Up`] = (await exchange(address, 7001, sent)).toString() === hash;
    results[`${family}Down`] =
      Buffer.compare(await exchange(address, 7002, Buffer.from(String(bytes))), wanted) === 0;
  }
  results.upLargest = scene.up.largest;
  results.downLargest = scene.down.largest;
  results.datagrams = await datagrams(scene);
  results.udpTrains = scene.up.udpTrains;
  results.badChecksums = scene.up.badChecksums + scene.down.badChecksums;
  results.checksumErrors = checksumErrors("self") + checksumErrors(scene.far.pid!);
  results.refused = [...scene.up.refused, ...scene.down.refused];
  scene.far.stdin?.end();
  return results;
}

/** Trains of UDP datagrams of several sizes, over the kernel and the TUN to the far end, which looks into them. */
async function datagrams({ near, far }: Crossing): Promise<unknown> {
  const socket = near.udp("10.77.0.1");
  must(near, near.link(1, socket, 7003, 1, FAR_TEXT));
  near.route(1, 1, peerHeader({ to: 1 }));
  let seed = 0;
  for (const [length, count] of [
    [1000, 40],
    [1001, 13],
    [500, 64],
    [3, 5],
  ] as const) {
    const list = Array.from({ length: count }, () => {
      seed++;
      return {
        bytes: concat(Uint8Array.of(length >> 8, length & 255, seed & 255), pattern(length - 3, seed & 255)),
        route: 1,
      };
    });
    if (near.send(list) !== count) throw new Error("Not all datagrams were sent.");
    await sleep(20);
  }
  await sleep(100);
  const answer = line(far);
  far.stdin?.write("?");
  return JSON.parse(await answer);
}

// ── the device by itself ───────────────────────────────────────────────────────────────────────────────────────────

interface Address {
  readonly local: string;
  readonly prefixlen: number;
}

function device(name: string): { mtu: number; txqlen: number; flags: string[]; addr_info: Address[] } {
  return JSON.parse(ip("-j", "-4", "addr", "show", "dev", name))[0];
}

function routes(name: string): string[] {
  return (JSON.parse(ip("-j", "route", "show", "dev", name)) as { dst: string }[])
    .map(({ dst }) => dst)
    .sort();
}

function configure(): Record<string, unknown> {
  const desk = makeDesk();
  const { host } = desk;
  const { handle, name } = open(desk, "kr0");
  must(desk, host.tunConfigure(handle, NEAR, 24, 1360));
  const first = device(name);
  const results: Record<string, unknown> = { first, firstRoutes: routes(name) };
  for (const [network, prefix] of [
    [0xc0a8_6400, 24],
    [0x0a80_0000, 9],
    [0xc0a8_0105, 32],
  ] as const) {
    must(desk, host.tunRoute(handle, true, network, prefix));
    // Once more is no error.
    must(desk, host.tunRoute(handle, true, network, prefix));
  }
  results.added = routes(name);
  must(desk, host.tunRoute(handle, false, 0x0a80_0000, 9));
  must(desk, host.tunRoute(handle, false, 0x0a80_0000, 9));
  results.removed = routes(name);
  must(desk, host.tunConfigure(handle, 0x0a4e_0009, 16, 1300));
  results.second = device(name);
  results.wrong = [
    host.tunRoute(handle, true, 0xc0a8_6401, 24),
    host.tunRoute(handle, true, 0, 33),
    host.tunRoute(handle, true, 0, -1),
    host.tunConfigure(handle, NEAR, 33, 1360),
    host.tunConfigure(handle, NEAR, 24, 67),
    host.tunConfigure(handle, NEAR, 24, 65_536),
  ];
  host.close(handle);
  try {
    device(name);
    results.gone = false;
  } catch {
    results.gone = true;
  }
  return results;
}

function names(): Record<string, unknown> {
  const desk = makeDesk();
  const other = makeDesk();
  const failure = (which: Desk, name: string) => {
    const info = which.host.tunOpen(name);
    return "error" in info ? info : { error: 0, message: "" };
  };
  const bad = ["", "x".repeat(16), "a/b", "a b", "a%d", "..", ".", "a:1", "ä", "a\0b", "y".repeat(100)];
  const results: Record<string, unknown> = { bad: bad.map((name) => failure(desk, name)) };
  open(desk, "kr0");
  results.twice = failure(other, "kr0");
  results.loopback = failure(desk, "lo");
  results.longest = failure(desk, "x".repeat(15));
  execFileSync("mount", ["--bind", mkdtempSync(join(tmpdir(), "empty-")), "/dev/net"]);
  results.noDevice = failure(desk, "kr2");
  execFileSync("umount", ["/dev/net"]);
  try {
    process.seteuid?.(65_534);
    results.noPermission = failure(desk, "kr1");
  } catch {
    // In a user namespace with one user there is nobody else to become.
    results.noPermission = "not tried";
  }
  return results;
}

/** Many small frames come in one call; a device that is down, garbage, and reading nothing. */
async function frames(): Promise<Record<string, unknown>> {
  const desk = makeDesk(["udp-segment"]);
  const { host } = desk;
  const { handle } = open(desk, "kr0");
  const results: Record<string, unknown> = {};
  desk.bytes.fill(0, desk.scratch, desk.scratch + 100);
  results.garbage = host.tunWrite(handle, desk.iov([[desk.scratch, 40]]), 1);
  desk.bytes[desk.scratch + 10] = 0x45;
  results.downWrite = host.tunWrite(handle, desk.iov([[desk.scratch, 40]]), 1);
  must(desk, host.tunConfigure(handle, NEAR, 24, 1360));
  execFileSync("sysctl", ["-qw", "net.ipv6.conf.kr0.disable_ipv6=1"]);
  desk.look();
  while (must(desk, host.tunRead(handle, desk.out, 64)) > 0);
  results.nothing = host.tunRead(handle, desk.out, 64);
  const socket = desk.udp("10.77.0.1");
  for (let i = 0; i < 50; i++) desk.datagram(socket, 9, pattern(20 + i, i), "10.77.0.2");
  results.readable = desk.saw(handle, PollEvent.readable);
  results.few = host.tunRead(handle, desk.out, 3);
  const count = must(desk, host.tunRead(handle, desk.out, 64));
  results.many = count;
  results.contents = Array.from({ length: count }, (_, i) => {
    const [offset, length] = desk.words.subarray(desk.out + 2 * i);
    const body = desk.bytes.subarray(offset! + 10 + 28, offset! + length!);
    return (
      body.length === 23 + i &&
      Buffer.compare(body, pattern(23 + i, 3 + i)) === 0 &&
      (offset! + 10) % 16 === 0
    );
  }).every((good) => good);
  results.end = [host.tunRead(handle, desk.out, 64), host.tunRead(handle, desk.out, 64)];
  results.wrong = [
    host.tunRead(handle, -1, 1),
    host.tunRead(handle, desk.out, -1),
    host.tunWrite(handle, desk.iov([[desk.scratch, 10]]), 1),
    host.tunWrite(handle, desk.iov([[desk.scratch, 65_546]]), 1),
    host.tunWrite(handle, desk.iov([[-1, 100]]), 1),
    host.tunWrite(handle, desk.list, -1),
    host.tunWrite(handle, desk.list, 1025),
  ];
  ip("link", "del", "kr0");
  results.deleted =
    host.tunRead(handle, desk.out, 4) < 0 && host.tunWrite(handle, desk.iov([[desk.scratch, 40]]), 1) < 0;
  return results;
}

/** A device whose packets another CPU takes in: it falls behind, writes return 0, then `writable` comes. */
async function full(): Promise<Record<string, unknown>> {
  const desk = makeDesk(["tun-queue"]);
  const { host } = desk;
  const { handle } = open(desk, "kr0");
  must(desk, host.tunConfigure(handle, NEAR, 24, 1360));
  execFileSync("mount", ["-t", "sysfs", "sysfs", "/sys"]);
  writeFileSync("/sys/class/net/kr0/queues/rx-0/rps_cpus", "1");
  execFileSync("taskset", ["-cp", "1", String(process.pid)], { stdio: "ignore" });
  const frame = makeFrame({
    version: 4,
    protocol: "udp",
    payload: pattern(1000, 1),
    gsoSize: 0,
    partial: false,
  });
  desk.bytes.set(frame, desk.scratch);
  const iov = desk.iov([[desk.scratch, frame.length]]);
  const rounds: unknown[] = [];
  for (let round = 0; round < 5; round++) {
    let written = 0;
    while (written < 100_000 && must(desk, host.tunWrite(handle, iov, 1)) > 0) {
      written++;
      if (written % 100 === 0) desk.forget();
    }
    let waits = 0;
    while (waits < 1000 && !desk.saw(handle, PollEvent.writable)) {
      waits++;
      await sleep(1);
    }
    rounds.push({ full: written < 100_000, writable: waits < 1000 });
  }
  return { rounds, counted: desk.count("tunQueueFull") };
}

const SCENES: Readonly<
  Record<string, (options: string[]) => Record<string, unknown> | Promise<Record<string, unknown>>>
> = {
  crossing,
  configure,
  names,
  frames,
  full,
};
const [name, ...options] = process.argv.slice(2);
const deadline = setTimeout(() => {
  process.stderr.write(`The scene ${name} does not come to an end.\n`);
  process.exit(3);
}, 30_000);
const result = await SCENES[name!]!(options);
clearTimeout(deadline);
process.stdout.write(JSON.stringify(result), () => process.exit(0));
