/**
 * A small OpenWrt-like root: BusyBox, the stand-ins of `root/`, and nothing else, in the network namespace of a host of the
 * lab. Packages find there what they find on a router: uci, rc.common, procd, hotplug, nft.
 *
 * ```
 *   root (tmpfs)   /bin /sbin: BusyBox   /lib/functions.sh, /etc/rc.common … from root/     = the router's flash
 *     /tmp (tmpfs)   /var -> tmp, logs, procd's requests                                    = the router's memory
 *     /proc /sys     of the namespace          /dev  null, urandom, net/tun
 * ```
 * All of it is mounted in a mount namespace of its own, which ends with the process that holds it.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Lab } from "../netns/lab.ts";
import { run, until } from "../netns/namespace.ts";
import { type ExecResult, LabProcess } from "../netns/process.ts";
import { Procd, SETPRIV } from "./procd.ts";

const STAND_INS = join(import.meta.dirname, "root");
const BUSYBOX = "/bin/busybox";
const NFT = "/usr/sbin/nft";
const DEVICES = ["null", "zero", "urandom", "random", "net/tun"];

export interface RootOptions {
  /** What a second of procd's lasts; 1000 = as on a router. */
  readonly secondMs?: number;
}

export class OpenWrtRoot {
  readonly procd: Procd;
  /** The root as seen from here. */
  readonly path: string;
  readonly #host: string;
  readonly #lab: Lab;
  readonly #holder: LabProcess;
  readonly #folder: string;
  readonly #log: string[] = [];
  readonly #daemons: LabProcess[] = [];

  private constructor(lab: Lab, host: string, holder: LabProcess, folder: string, secondMs: number) {
    this.#lab = lab;
    this.#host = host;
    this.#holder = holder;
    this.#folder = folder;
    this.path = `/proc/${holder.pid}/root${folder}`;
    this.procd = new Procd({
      folder: join(this.path, "tmp/run/procd"),
      secondMs,
      spawn: (command) => this.spawn(command),
      read: (path) => this.#readIfThere(path),
      log: (line) => this.#log.push(line),
    });
  }

  static async create(lab: Lab, host: string, { secondMs = 100 }: RootOptions = {}): Promise<OpenWrtRoot> {
    const folder = join(lab.directory, `${host}.root`);
    mkdirSync(folder);
    const mounts = [
      `mount -t tmpfs -o mode=755,size=32m root ${folder}`,
      `cd ${folder}`,
      "mkdir -p tmp proc sys dev/net",
      "mount -t tmpfs -o mode=1777,size=16m tmp tmp",
      "mount -t proc proc proc",
      "mount -t sysfs sys sys",
      ...DEVICES.map((name) => `: >dev/${name}; mount --bind /dev/${name} dev/${name}`),
      "echo ready",
      "exec cat",
    ];
    const holder = new LabProcess(lab.prefix(host), ["unshare", "--mount", "sh", "-ec", mounts.join("\n")]);
    await holder.waitForLine(/^ready$/);
    const root = new OpenWrtRoot(lab, host, holder, folder, secondMs);
    root.#fill();
    root.#daemons.push(root.spawn(["/bin/syslogd", "-n", "-O", "/tmp/log"]));
    await until("syslogd", () => root.has("dev/log"));
    root.#watchLinks();
    return root;
  }

  #fill(): void {
    const at = (path: string) => join(this.path, path);
    for (const name of [
      "bin",
      "sbin",
      "usr/bin",
      "usr/sbin",
      "usr/lib/opkg/info",
      "etc/config",
      "etc/rc.d",
      "tmp/run/procd",
    ])
      mkdirSync(at(name), { recursive: true });
    execFileSync("ln", ["-s", "tmp", at("var")]);
    cpSync(BUSYBOX, at("bin/busybox"));
    execFileSync("chroot", [this.path, "/bin/busybox", "--install", "-s", "/bin"]);
    this.#copyProgram(NFT);
    this.#copyProgram(SETPRIV);
    // Last, so that they take the place of BusyBox's applets of the same name.
    for (const part of ["bin", "sbin", "lib", "etc"]) {
      execFileSync("cp", ["-a", "--remove-destination", `${STAND_INS}/${part}/.`, at(part)]);
    }
    for (const name of ["network", "firewall"]) writeFileSync(at(`etc/config/${name}`), "");
  }

  /** A program of this machine with the libraries it is linked with. */
  #copyProgram(program: string): void {
    const listed = execFileSync("ldd", [program], { encoding: "utf8" });
    const libraries = [...listed.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path as string);
    for (const path of [program, ...libraries]) {
      const target = join(this.path, path);
      mkdirSync(dirname(target), { recursive: true });
      cpSync(path, target, { dereference: true });
    }
  }

  /** The kernel's events about network devices, as hotplug scripts get them: one after the other, as procd has it. */
  #watchLinks(): void {
    let handled: Promise<unknown> = Promise.resolve();
    const known = new Set<string>();
    const watcher = this.#lab.spawn(this.#host, ["ip", "-o", "monitor", "link"]);
    this.#daemons.push(watcher);
    let seen = 0;
    const handle = (): void => {
      for (; seen < watcher.lines.length; seen++) {
        const match = /^(Deleted )?\d+: ([^:@]+)[:@]/.exec(watcher.lines[seen] ?? "");
        if (match === null) continue;
        const [, deleted, device = ""] = match;
        const action = deleted === undefined ? "add" : "remove";
        if (action === "add" && known.has(device)) continue;
        if (action === "add") known.add(device);
        else known.delete(device);
        const event = { ACTION: action, INTERFACE: device };
        handled = handled.then(() => this.spawn(["/sbin/hotplug-call", "net"], event).exited);
      }
    };
    const timer = setInterval(handle, 5);
    void watcher.exited.then(() => clearInterval(timer));
  }

  /** Enters the root with a router's environment, and nothing of this machine's. */
  #prefix(env: Readonly<Record<string, string>> = {}): readonly string[] {
    const variables = Object.entries({ PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...env });
    return [
      ...this.#lab.prefix(this.#host),
      ...["nsenter", `--mount=/proc/${this.#holder.pid}/ns/mnt`, "--", "chroot", this.#folder],
      ...["/bin/busybox", "env", "-i", ...variables.map(([name, value]) => `${name}=${value}`)],
    ];
  }

  spawn(command: readonly string[], env: Readonly<Record<string, string>> = {}): LabProcess {
    return new LabProcess(this.#prefix(env), command);
  }

  /** Runs shell lines inside. */
  shell(script: string, env: Readonly<Record<string, string>> = {}): Promise<ExecResult> {
    return run(this.#prefix(env), ["/bin/sh", "-c", script]);
  }

  /** As `shell`, but a status other than 0 is an error with all that was printed. */
  async must(script: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    const { status, stdout, stderr } = await this.shell(script, env);
    if (status !== 0) throw new Error(`${script}: status ${status}\n${stdout}${stderr}\n${this.log}`);
    return stdout;
  }

  /** `uci set` for each, then `uci commit`. */
  async uci(...settings: readonly string[]): Promise<void> {
    const lines = settings.map((setting) => `uci set '${setting.replaceAll("'", "'\\''")}'`);
    await this.must(["set -e", ...lines, "uci commit"].join("\n"));
  }

  read(path: string): string {
    return readFileSync(join(this.path, path), "utf8");
  }

  write(path: string, text: string): void {
    writeFileSync(join(this.path, path), text);
  }

  has(path: string): boolean {
    return existsSync(join(this.path, path));
  }

  #readIfThere(path: string): Uint8Array | undefined {
    return path !== "" && this.has(path) ? readFileSync(join(this.path, path)) : undefined;
  }

  /** What was said to syslog: by scripts, and by ended instances. */
  get log(): string {
    return `${this.has("tmp/log") ? this.read("tmp/log") : ""}${this.#log.join("\n")}`;
  }

  /** Everything on the router's flash, with times: two equal answers mean that nothing was written between them. */
  async flash(): Promise<string> {
    const skipped = ["tmp", "proc", "sys", "dev"].map((name) => `-path ./${name} -prune`).join(" -o ");
    const format = "%p %y %m %s %T@ %C@ %l\\n";
    return execFileSync("sh", ["-c", `find . ${skipped} -o -printf '${format}' | sort`], {
      cwd: this.path,
      encoding: "utf8",
    });
  }

  /** The names on the router's flash. */
  async fileNames(): Promise<readonly string[]> {
    return (await this.flash())
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0] ?? "");
  }

  /** What of the network may not change: links, addresses, routes, rules, sockets, processes of ours. */
  async networkState(): Promise<string> {
    const parts = [
      "ip -o link show | sed 's/@.*//; s/state .*//'",
      "ip -o -4 address show | sed 's/valid_lft.*//'",
      "ip route show table all | grep -v -e '^local' -e '^broadcast'",
      "ss -Hlnptu | wc -l",
    ];
    return this.#lab.shell(this.#host, parts.map((part) => `${part} || true`).join("\n"));
  }

  /** The ruleset without our table, and without counters and handles. */
  async otherRules(): Promise<string> {
    const ruleset = await this.ruleset();
    return ruleset.replace(/^table inet kcp_router \{\n[\s\S]*?^\}\n/m, "");
  }

  ruleset(): Promise<string> {
    return this.#lab.must(this.#host, ["nft", "-s", "list", "ruleset"]);
  }

  async untilDevice(there: boolean, timeoutMs = 10_000): Promise<void> {
    const present = () => this.has("sys/class/net/kcp0") === there;
    await this.#until(there ? "the device" : "the device's end", present, timeoutMs);
  }

  async untilTable(there: boolean, timeoutMs = 10_000): Promise<void> {
    const present = async () => (await this.ruleset()).includes("table inet kcp_router") === there;
    await this.#until(there ? "our table" : "our table's end", present, timeoutMs);
  }

  /** In vain, it tells what the router's log had to say. */
  async #until(what: string, check: () => boolean | Promise<boolean>, timeoutMs: number): Promise<void> {
    try {
      await until(what, check, timeoutMs, 20);
    } catch (error) {
      throw new Error(`${String(error)}\n${this.log}`);
    }
  }

  async stop(): Promise<void> {
    await this.procd.stop();
    for (const daemon of this.#daemons) daemon.kill("SIGKILL");
    await this.#holder.stop("SIGKILL");
  }
}
