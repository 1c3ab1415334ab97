import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");
const MAX_OUTPUT_BYTES = 64 << 20;

/** A processor that test programs are compiled for, and what runs them here. */
export interface Machine {
  readonly name: string;
  /** The suffix of the programs in out/test-native. */
  readonly build: string;
  /** Program and arguments in front of the test program's path; [] = this machine runs it. */
  readonly emulator: readonly string[];
}

const HOST: Machine = { name: "this machine", build: "host", emulator: [] };
export const SANITIZED: Machine = { name: "this machine with sanitizers", build: "host-asan", emulator: [] };

function emulated(build: string, ...options: string[]): Machine {
  const name = ["emulated", build, ...options.slice(1)].join(" ");
  return { name, build, emulator: [`qemu-${build}-static`, ...options] };
}

/** One for each code: x86 with all, with narrow and without AES, ARMv8, and plain C on 32 bits, big-endian. */
const SOME = [
  emulated("x86_64"),
  emulated("x86_64", "-cpu", "Westmere"),
  emulated("x86_64", "-cpu", "qemu64"),
  emulated("aarch64"),
  emulated("mips"),
];
/** The other processors that are built for: with `make test-quickjs`. */
const OTHERS = [emulated("arm"), emulated("arm", "-cpu", "max,neon=off"), emulated("mipsel")];

export const MACHINES: readonly Machine[] = [
  HOST,
  SANITIZED,
  ...SOME,
  ...(process.env.QUICKJS === "all" ? OTHERS : []),
];

/** Why programs of this machine cannot be made or run here; undefined = they can. */
export function lacks(machine: Machine): string | undefined {
  if (machine.build !== "host" && !existsSync(join(ROOT, "out/sources/mbedtls"))) {
    return "no sources of mbedTLS: tools/sources.sh";
  }
  const [emulator] = machine.emulator;
  if (emulator === undefined) return undefined;
  if (!existsSync(join(ROOT, "out/zig/bin/zig"))) return "no cross compiler: tools/sources.sh compiler";
  if (spawnSync(emulator, ["--version"]).status !== 0) return `no ${emulator}: package qemu-user-static`;
  return undefined;
}

/** Compiles what is not up to date; throws what the compiler said. */
export function compile(program: string, machine: Machine): void {
  const target = join(ROOT, "out/test-native", `${program}-${machine.build}`);
  execFileSync("make", ["-s", "-C", join(ROOT, "test/native"), target], {
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Runs the program with these lines as its input; returns the lines of its output. Throws when it ends badly. */
export function run(program: string, machine: Machine, lines: readonly string[]): readonly string[] {
  const [command = "", ...args] = [
    ...machine.emulator,
    join(ROOT, "out/test-native", `${program}-${machine.build}`),
  ];
  const { status, signal, stdout, stderr } = spawnSync(command, args, {
    input: `${lines.join("\n")}\n`,
    encoding: "utf8",
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  if (status !== 0) throw new Error(`${command} ended with ${signal ?? status}: ${stderr.slice(-4000)}`);
  return stdout.trimEnd().split("\n");
}
