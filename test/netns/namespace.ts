/**
 * Network namespaces that cannot be left behind.
 *
 * A namespace of the lab has no name in the file system: it is held by a process (`cat`, waiting for the end of its input)
 * and everything in it runs with "die when the parent dies". Whatever ends the lab, kill -9 included, ends these
 * processes, and with the last one the kernel removes the namespace with its devices, routes and tables. There are no
 * leftovers of dead runs to look for, and two runs cannot collide.
 *
 * Without root everything happens inside one user namespace in which we are root (`unshare -Ur`).
 */
import { readlinkSync } from "node:fs";
import { type ExecResult, LabProcess, type SpawnOptions } from "./process.ts";

const DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL", "--"];
const READY_TIMEOUT_MS = 5000;

/** Resolves when `check` holds; looks every few milliseconds, in vain until the time is up: then an error with `what`. */
export async function until(
  what: string,
  check: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
  everyMs = 5,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** Runs a command to its end. Status 124 = killed because the time was up. */
export async function run(
  prefix: readonly string[],
  argv: readonly string[],
  options: SpawnOptions & { readonly timeoutMs?: number } = {},
): Promise<ExecResult> {
  const child = new LabProcess(prefix, argv, { input: "", ...options });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, options.timeoutMs ?? 30_000);
  const status = await child.exited;
  clearTimeout(timer);
  return { status: timedOut ? 124 : status, stdout: child.stdout, stderr: child.stderr };
}

/** As `run`, but a status other than 0 is an error with the command's own words. */
export async function must(
  prefix: readonly string[],
  argv: readonly string[],
  options: SpawnOptions & { readonly timeoutMs?: number } = {},
): Promise<string> {
  const { status, stdout, stderr } = await run(prefix, argv, options);
  if (status !== 0) throw new Error(`${argv.join(" ")}: status ${status}\n${stderr || stdout}`);
  return stdout;
}

function namespaceOf(pid: number, kind: "net" | "user"): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return "";
  }
}

async function hold(prefix: readonly string[], kind: "net" | "user"): Promise<LabProcess> {
  const holder = new LabProcess(prefix, [...DIE_WITH_PARENT, "cat"]);
  const own = namespaceOf(process.pid, kind);
  const inside = (): boolean => {
    if (!holder.running) throw new Error(`no ${kind} namespace: ${holder.stderr.trim() || "unshare failed"}`);
    const current = namespaceOf(holder.pid, kind);
    return current !== "" && current !== own;
  };
  await until(`a new ${kind} namespace`, inside, READY_TIMEOUT_MS);
  return holder;
}

/** The user namespace in which the lab is root; no process at all when we are root already. */
export class Sandbox {
  readonly #holder: LabProcess | undefined;

  private constructor(holder: LabProcess | undefined) {
    this.#holder = holder;
  }

  static async create(): Promise<Sandbox> {
    if (process.getuid?.() === 0) return new Sandbox(undefined);
    return new Sandbox(await hold(["unshare", "--user", "--map-root-user", "--"], "user"));
  }

  get rootless(): boolean {
    return this.#holder !== undefined;
  }

  /** What precedes a command that is to run with the lab's rights, in the machine's own network. */
  get prefix(): readonly string[] {
    return [...this.enter(), ...DIE_WITH_PARENT];
  }

  /** `nsenter` into the user namespace (if there is one) and `net`. */
  enter(netPid?: number): readonly string[] {
    const user = this.#holder ? [`--user=/proc/${this.#holder.pid}/ns/user`, "--preserve-credentials"] : [];
    const net = netPid === undefined ? [] : [`--net=/proc/${netPid}/ns/net`];
    return user.length + net.length === 0 ? [] : ["nsenter", ...user, ...net, "--"];
  }

  async stop(): Promise<void> {
    await this.#holder?.stop("SIGKILL");
  }
}

/** One network namespace with its loopback up. */
export class Namespace {
  readonly name: string;
  readonly #sandbox: Sandbox;
  readonly #holder: LabProcess;

  private constructor(name: string, sandbox: Sandbox, holder: LabProcess) {
    this.name = name;
    this.#sandbox = sandbox;
    this.#holder = holder;
  }

  static async create(name: string, sandbox: Sandbox): Promise<Namespace> {
    const holder = await hold([...sandbox.enter(), "unshare", "--net", "--"], "net");
    return new Namespace(name, sandbox, holder);
  }

  /** The process that holds it; its death is the namespace's end. */
  get holderPid(): number {
    return this.#holder.pid;
  }

  /** For setns() and `ip link set … netns`. */
  get path(): string {
    return `/proc/${this.holderPid}/ns/net`;
  }

  get prefix(): readonly string[] {
    return [...this.#sandbox.enter(this.holderPid), ...DIE_WITH_PARENT];
  }

  /** A command line for a person who wants to look around. */
  get shell(): string {
    return this.#sandbox.enter(this.holderPid).join(" ");
  }

  async stop(): Promise<void> {
    await this.#holder.stop("SIGKILL");
  }
}
