/** Runs test files inside the executable with QuickJS, of this machine or of another one under qemu. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OUT } from "../netns/paths.ts";
import { bundleTest } from "./bundle.ts";

/** `host` is this machine with its own compiler. */
export type Machine = "host" | "aarch64" | "arm" | "mipsel" | "mips";

/** One line of what the program prints (`inside/ava.ts`). */
export interface TestResult {
  readonly title: string;
  readonly error?: string;
  readonly skipped?: true;
}

export interface FileResult {
  readonly tests: readonly TestResult[];
  /** Why the program ended, when not in good order. */
  readonly failure: string | undefined;
}

export interface RunOptions {
  readonly machine: Machine;
  /** Of fast-check's runs, 0 to 1. */
  readonly shareOfRuns: number;
  readonly timeoutMs: number;
}

/** The interpreter for development, which `make -C router-daemon/native/quickjs script` builds. */
export function interpreter(machine: Machine): string {
  return join(OUT, "bin", machine, "kcp-router-script");
}

export async function runFile(file: string, options: RunOptions): Promise<FileResult> {
  const folder = mkdtempSync(join(tmpdir(), "kcp-router-quickjs-"));
  try {
    const bundle = join(folder, "test.js");
    await bundleTest(file, bundle);
    return await run(bundle, folder, options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(
  bundle: string,
  folder: string,
  { machine, shareOfRuns, timeoutMs }: RunOptions,
): Promise<FileResult> {
  if (!existsSync(interpreter(machine))) {
    const failure = `${interpreter(machine)} is missing. Build it with \`make quickjs\`.`;
    return Promise.resolve({ tests: [], failure });
  }
  const emulator = machine === "host" ? [] : [`qemu-${machine}-static`];
  const [program = "", ...args] = [...emulator, interpreter(machine), bundle];
  const env = { ...process.env, TMPDIR: folder, SHARE_OF_RUNS: String(shareOfRuns) };
  return new Promise((resolve) => {
    const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr = (stderr + chunk).slice(-5000);
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
    child.on("error", (error) => resolve({ tests: [], failure: error.message }));
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      const tests = stdout
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as TestResult);
      const ended = signal === null ? `status ${status}` : `${signal} after ${timeoutMs} ms`;
      resolve({ tests, failure: status === 0 ? undefined : `It ended with ${ended}.\n${stderr}` });
    });
  });
}
