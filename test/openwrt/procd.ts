/**
 * Stand-in for procd: keeps instances running, restarts what crashed up to a ceiling, runs reload triggers. The shell side
 * (root/lib/functions/procd.sh) leaves requests as files; times are in `secondMs`, so that tests need not wait.
 */

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { LabProcess } from "../netns/process.ts";

export interface ProcdOptions {
  /** The folder of requests, as seen from here. */
  readonly folder: string;
  /** What a second of procd's lasts here. */
  readonly secondMs: number;
  /** Starts a program inside the root. */
  spawn(command: readonly string[]): LabProcess;
  /** A file of the root, or undefined. */
  read(path: string): Uint8Array | undefined;
  /** One line for the log. */
  log(line: string): void;
}

interface Definition {
  readonly command: readonly string[];
  readonly params: ReadonlyMap<string, readonly string[]>;
  /** What, when it differs, restarts the instance. */
  readonly identity: string;
}

interface Instance {
  definition: Definition;
  process: LabProcess | undefined;
  startedAt: number;
  crashes: number;
  /** It crashed too often and is left alone. */
  gaveUp: boolean;
  timer: NodeJS.Timeout | undefined;
}

interface Service {
  readonly instances: Map<string, Instance>;
  triggers: readonly (readonly string[])[];
}

export const SETPRIV = "/usr/bin/setpriv";
const POLL_MS = 5;
const TRIGGER_DELAY_S = 1;
/** Threshold, timeout, retry (conventions: procd's own defaults). */
const RESPAWN = [3600, 5, 5];
const TERM_TIMEOUT_S = 5;

export class Procd {
  readonly #options: ProcdOptions;
  readonly #services = new Map<string, Service>();
  readonly #poll: NodeJS.Timeout;
  #triggered = 0;

  constructor(options: ProcdOptions) {
    this.#options = options;
    this.#poll = setInterval(() => this.#answerRequests(), POLL_MS);
  }

  /** Process id of a service's only instance, or undefined. */
  pid(service: string): number | undefined {
    for (const { process } of this.#services.get(service)?.instances.values() ?? []) {
      if (process?.running) return process.pid;
    }
    return undefined;
  }

  status(service: string): "inactive" | "running" | "not running" {
    const instances = [...(this.#services.get(service)?.instances.values() ?? [])];
    if (instances.length === 0) return "inactive";
    return instances.some(({ process }) => process?.running) ? "running" : "not running";
  }

  /** Scripts that ran because of an event. */
  get triggered(): number {
    return this.#triggered;
  }

  /** An event as LuCI's apply makes it: `config.change` with the package. */
  async event(type: string, value: string): Promise<void> {
    await this.#sleep(TRIGGER_DELAY_S);
    for (const { triggers } of [...this.#services.values()]) {
      for (const [name, ...script] of triggers) {
        if (type !== "config.change" || name !== value) continue;
        this.#triggered++;
        await this.#options.spawn(script).exited;
      }
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#poll);
    await Promise.all([...this.#services.keys()].map((name) => this.#delete(name)));
  }

  #sleep(seconds: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, seconds * this.#options.secondMs));
  }

  // ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #answerRequests(): void {
    const { folder } = this.#options;
    if (!existsSync(folder)) return;
    for (const name of readdirSync(folder).filter((file) => file.endsWith(".request"))) {
      const path = join(folder, name);
      const lines = readFileSync(path, "utf8")
        .split("\n")
        .filter((line) => line !== "");
      rmSync(path);
      const base = path.replace(/\.request$/, "");
      void this.#answer(lines.map((line) => line.split("\t"))).then((text) => {
        writeFileSync(`${base}.half`, `${text}\n`);
        renameSync(`${base}.half`, `${base}.answer`);
      });
    }
  }

  async #answer(lines: readonly (readonly string[])[]): Promise<string> {
    const [kind, name = ""] = lines[0] ?? [];
    switch (kind) {
      case "running":
        return String(this.status(name) === "running");
      case "status":
        return this.status(name);
      case "delete":
        await this.#delete(name);
        return "";
      default:
        this.#set(name, lines.slice(1));
        return "";
    }
  }

  /** A start or reload: what is not declared any more stops, what differs restarts, the rest is left alone. */
  #set(name: string, lines: readonly (readonly string[])[]): void {
    const service: Service = this.#services.get(name) ?? { instances: new Map(), triggers: [] };
    this.#services.set(name, service);
    service.triggers = lines.filter(([kind]) => kind === "trigger").map((line) => line.slice(1));
    const wanted = this.#definitions(lines);
    for (const [key, instance] of service.instances) {
      if (wanted.has(key)) continue;
      service.instances.delete(key);
      void this.#end(instance);
    }
    for (const [key, definition] of wanted) {
      const known = service.instances.get(key);
      if (known === undefined) {
        const fresh = {
          definition,
          process: undefined,
          startedAt: 0,
          crashes: 0,
          gaveUp: false,
          timer: undefined,
        };
        service.instances.set(key, fresh);
        this.#start(fresh);
      } else this.#update(known, definition);
    }
  }

  #update(instance: Instance, definition: Definition): void {
    const differs = instance.definition.identity !== definition.identity;
    instance.definition = definition;
    if (!instance.process?.running) {
      instance.crashes = 0;
      this.#start(instance);
      return;
    }
    const signal = definition.params.get("reload_signal")?.[0];
    if (!differs) return;
    if (signal !== undefined) instance.process.kill(`SIG${signal}` as NodeJS.Signals);
    else void this.#end(instance).then(() => this.#start(instance));
  }

  #definitions(lines: readonly (readonly string[])[]): ReadonlyMap<string, Definition> {
    const found = new Map<string, Map<string, readonly string[]>>();
    let params = new Map<string, readonly string[]>();
    for (const [kind, first = "", ...rest] of lines) {
      if (kind === "instance") {
        params = new Map();
        found.set(first, params);
      } else if (kind === "param") params.set(first, rest);
    }
    return new Map([...found].map(([name, values]) => [name, this.#definition(values)]));
  }

  #definition(params: ReadonlyMap<string, readonly string[]>): Definition {
    const files = (params.get("file") ?? []).map((path) => {
      const content = this.#options.read(path);
      return content === undefined ? "" : createHash("sha256").update(content).digest("hex");
    });
    const compared = ["command", "env", "limits", "user", "jail", "capabilities", "no_new_privs"];
    const identity = JSON.stringify([compared.map((name) => params.get(name) ?? null), files]);
    return { command: params.get("command") ?? [], params, identity };
  }

  // ── instances ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #start(instance: Instance): void {
    clearTimeout(instance.timer);
    instance.gaveUp = false;
    const child = this.#options.spawn(this.#jailed(instance.definition));
    instance.process = child;
    instance.startedAt = performance.now();
    void child.exited.then(() => {
      this.#logOutput(child, instance.definition);
      if (instance.process === child) this.#handleExit(instance);
    });
  }

  /** One level for each stream, as procd has it; what is not asked for is not logged. */
  #logOutput(child: LabProcess, { command, params }: Definition): void {
    const tag = basename(command[0] ?? "");
    for (const [stream, level] of [["stdout", "info"] as const, ["stderr", "err"] as const]) {
      if (params.get(stream)?.[0] !== "1") continue;
      for (const line of child[stream].split("\n").filter((text) => text !== ""))
        this.#options.log(`daemon.${level} ${tag}: ${line}`);
    }
  }

  /** As ujail without folders of its own does it: the capabilities of the file are all there are. */
  #jailed({ command, params }: Definition): readonly string[] {
    const file = this.#options.read(params.get("capabilities")?.[0] ?? "");
    if (file === undefined) return command;
    const { bounding } = JSON.parse(Buffer.from(file).toString()) as { readonly bounding: readonly string[] };
    const kept = bounding.map((name) => `+${name.replace(/^CAP_/, "").toLowerCase()}`);
    return [SETPRIV, `--bounding-set=-all,${kept.join(",")}`, "--no-new-privs", "--", ...command];
  }

  #handleExit(instance: Instance): void {
    instance.process = undefined;
    const given = instance.definition.params.get("respawn");
    if (given === undefined) return;
    const numbers = given.length === 0 ? RESPAWN : given.map(Number);
    const [threshold = 0, timeout = 0, retry = 0] = numbers;
    const ranMs = performance.now() - instance.startedAt;
    instance.crashes = ranMs < threshold * this.#options.secondMs ? instance.crashes + 1 : 0;
    if (instance.crashes > retry && retry > 0) {
      instance.gaveUp = true;
      this.#options.log(`in a crash loop ${instance.crashes} crashes`);
      return;
    }
    instance.timer = setTimeout(() => this.#start(instance), timeout * this.#options.secondMs);
  }

  async #delete(name: string): Promise<void> {
    const service = this.#services.get(name);
    this.#services.delete(name);
    await Promise.all([...(service?.instances.values() ?? [])].map((instance) => this.#end(instance)));
  }

  async #end(instance: Instance): Promise<void> {
    clearTimeout(instance.timer);
    const child = instance.process;
    instance.process = undefined;
    if (child !== undefined) await child.stop("SIGTERM", TERM_TIMEOUT_S * this.#options.secondMs);
  }
}
