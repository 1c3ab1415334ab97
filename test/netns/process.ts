/** A child process of the lab: its output by lines, its end, its cost. It never outlives the lab. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

/** Lines of output kept per process; older ones are forgotten. */
export const MAX_KEPT_LINES = 5000;
/** The system's programs, also those of root, and none of npm's: node_modules/.bin has an `nft` that is something else. */
const SYSTEM_PATH = [
  ...(process.env.PATH ?? "").split(":").filter((folder) => !folder.includes("node_modules")),
  "/usr/sbin",
  "/sbin",
].join(":");
const CLOCK_TICKS_PER_SECOND = 100;

export interface SpawnOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Written to standard input at once, which is then closed. Without it standard input stays open (`write`). */
  readonly input?: string;
}

export interface ExecResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const alive = new Set<LabProcess>();

/** Kills everything that is left; synchronous, for exit paths. */
export function killAll(): void {
  for (const child of alive) child.kill("SIGKILL");
}

let handlersInstalled = false;
/** From here on the lab is torn down however this process ends: exit, exception, SIGINT, SIGTERM, SIGHUP (SIGKILL: by the kernel, see namespace.ts). */
function installExitHandlers(): void {
  if (handlersInstalled) return;
  handlersInstalled = true;
  process.on("exit", killAll);
  const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
  for (const [signal, number] of Object.entries(signals)) {
    process.on(signal, () => {
      killAll();
      process.exit(128 + number);
    });
  }
}

export class LabProcess {
  readonly argv: readonly string[];
  /** Resolves with the exit status; 128 + signal number when killed. */
  readonly exited: Promise<number>;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #waiters = new Set<(line: string | undefined) => void>();
  #status: number | undefined;
  #stdout = "";
  #stderr = "";

  /** @param prefix what enters the namespace; not part of `argv`. */
  constructor(prefix: readonly string[], argv: readonly string[], options: SpawnOptions = {}) {
    installExitHandlers();
    this.argv = argv;
    const [command, ...rest] = [...prefix, ...argv];
    this.#child = spawn(command as string, rest, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, PATH: SYSTEM_PATH, ...options.env },
      ...(options.cwd !== undefined && { cwd: options.cwd }),
    });
    alive.add(this);
    this.#child.stdin?.on("error", () => {});
    if (options.input !== undefined) this.#child.stdin?.end(options.input);
    this.#collect("stdout");
    this.#collect("stderr");
    this.exited = new Promise((resolve) => {
      const ended = (status: number): void => {
        if (this.#status !== undefined) return;
        this.#status = status;
        alive.delete(this);
        for (const waiter of [...this.#waiters]) waiter(undefined);
        resolve(status);
      };
      this.#child.on("error", (error) => {
        this.#stderr += `${error.message}\n`;
        ended(127);
      });
      this.#child.on("close", (code, signal) => ended(code ?? 128 + (signal === "SIGKILL" ? 9 : 15)));
    });
  }

  #collect(stream: "stdout" | "stderr"): void {
    let partial = "";
    this.#child[stream]?.setEncoding("utf8").on("data", (text: string) => {
      if (stream === "stdout") this.#stdout = (this.#stdout + text).slice(-4_000_000);
      else this.#stderr = (this.#stderr + text).slice(-400_000);
      const parts = (partial + text).split("\n");
      partial = parts.pop() as string;
      for (const line of parts) {
        this.#lines.push(line);
        if (this.#lines.length > MAX_KEPT_LINES) this.#lines.shift();
        for (const waiter of [...this.#waiters]) waiter(line);
      }
    });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get running(): boolean {
    return this.#status === undefined;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Lines of both outputs, in the order in which they came. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  kill(signal: NodeJS.Signals): void {
    if (this.running && this.pid > 0) this.#child.kill(signal);
  }

  /** Asks it to end, insists after `graceMs`; resolves with the status. */
  async stop(signal: NodeJS.Signals = "SIGTERM", graceMs = 5000): Promise<number> {
    this.kill(signal);
    const timer = setTimeout(() => this.kill("SIGKILL"), graceMs);
    const status = await this.exited;
    clearTimeout(timer);
    return status;
  }

  /** The first line, already printed or still to come, that matches. Throws with the output when it ends or the time is up. */
  async waitForLine(pattern: RegExp, timeoutMs = 10_000): Promise<string> {
    const earlier = this.#lines.find((line) => pattern.test(line));
    if (earlier !== undefined) return earlier;
    return this.nextLine(pattern, timeoutMs);
  }

  /** As `waitForLine`, but only lines still to come. */
  nextLine(pattern: RegExp, timeoutMs = 10_000): Promise<string> {
    return new Promise((resolve, reject) => {
      const finish = (line: string | undefined, why: string): void => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        if (line !== undefined) resolve(line);
        else reject(new Error(`${this.argv.join(" ")}: ${why} before ${pattern}\n${this.#tail()}`));
      };
      const waiter = (line: string | undefined): void => {
        if (line === undefined) finish(undefined, `ended with status ${this.#status}`);
        else if (pattern.test(line)) finish(line, "");
      };
      const timer = setTimeout(() => finish(undefined, `${timeoutMs} ms passed`), timeoutMs);
      this.#waiters.add(waiter);
      if (!this.running) waiter(undefined);
    });
  }

  /** CPU seconds used so far, user and system, all threads. */
  cpuSeconds(): number {
    return cpuSeconds(this.pid);
  }

  /** Peak resident set in MB since the start or the last `resetPeakRss`. */
  peakRssMB(): number {
    return peakRssMB(this.pid);
  }

  resetPeakRss(): void {
    resetPeakRss(this.pid);
  }

  #tail(): string {
    return this.#lines.slice(-30).join("\n");
  }
}

/** CPU seconds of a process, user and system, all threads; 0 when it is gone. */
export function cpuSeconds(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
  } catch {
    return 0;
  }
}

function statusMB(pid: number, field: "VmHWM" | "VmRSS"): number {
  try {
    const match = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(
      readFileSync(`/proc/${pid}/status`, "utf8"),
    );
    return Number(match?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** Peak resident set in MB since the start or the last `resetPeakRss`. */
export function peakRssMB(pid: number): number {
  return statusMB(pid, "VmHWM");
}

/** Resident set in MB now. */
export function rssMB(pid: number): number {
  return statusMB(pid, "VmRSS");
}

export function resetPeakRss(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, "5");
  } catch {
    // Gone, or not ours: the peak since its start is then what is reported.
  }
}
