/** Runs a module of `inside/` in the executable with QuickJS, from outside: what it prints, and how it ends. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { OUT } from "../netns/paths.ts";

/** `make -C router-daemon/native quickjs-sanitize` names the one with sanitizers. */
const INTERPRETER = process.env.KCP_ROUTER_SCRIPT ?? join(OUT, "bin/host/kcp-router-script");

export interface Ending {
  /** -1 when a signal ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ScriptOptions {
  readonly args?: readonly string[];
  /** Sent when it has printed its first line. */
  readonly signal?: NodeJS.Signals;
}

/** The working folder is a new one, removed at the end. */
export async function runInside(name: string, options: ScriptOptions = {}): Promise<Ending> {
  if (!existsSync(INTERPRETER)) throw new Error(`${INTERPRETER} is missing. Build it with \`make quickjs\`.`);
  const folder = mkdtempSync(join(tmpdir(), "kcp-native-"));
  try {
    const outfile = join(folder, "script.js");
    await build({
      entryPoints: [join(import.meta.dirname, "inside", `${name}.ts`)],
      outfile,
      bundle: true,
      format: "esm",
      platform: "neutral",
      external: ["kcp-router:native"],
      logLevel: "warning",
    });
    return await ending([outfile, ...(options.args ?? [])], folder, options.signal);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function ending(args: readonly string[], cwd: string, signal: NodeJS.Signals | undefined): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const child = spawn(INTERPRETER, args, { cwd, stdio: ["ignore", "pipe", "pipe"], timeout: 60_000 });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
      if (signal !== undefined && stdout === chunk) child.kill(signal);
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ status: code ?? -1, stdout, stderr }));
  });
}
