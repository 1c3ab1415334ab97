/** A link between two namespaces of a lab, as a veth pair or through the emulator, behind one interface. */

import { must, type Namespace, type Sandbox } from "./namespace.ts";
import { LabProcess } from "./process.ts";
import type { LinkParameters, LinkSpec } from "./topology.ts";

/** `ab` = from the link's end a to its end b. */
export type Direction = "ab" | "ba" | "both";

/** One direction's packets, by what became of them. A veth knows only `received` (what arrived at all), `delivered` and `lost`. */
export interface PathStatistics {
  readonly received: number;
  readonly delivered: number;
  readonly lost: number;
  readonly receivedBytes?: number;
  readonly deliveredBytes?: number;
  readonly lostInBurst?: number;
  readonly queueFull?: number;
  readonly tooBig?: number;
  readonly whileDown?: number;
  readonly overflow?: number;
  readonly writeFailed?: number;
  readonly duplicated?: number;
  readonly reordered?: number;
  readonly maxBacklogBytes?: number;
  /** How late the emulator itself was. */
  readonly meanLateUs?: number;
  readonly maxLateUs?: number;
}
export type LinkStatistics = Readonly<Record<"ab" | "ba", PathStatistics>>;

export interface Link {
  readonly spec: LinkSpec;
  /** Changes parameters while traffic runs; those not named stay. */
  set(parameters: LinkParameters, direction?: Direction): Promise<void>;
  /** Everything vanishes silently, as behind a provider whose line is dead; both devices stay up. */
  down(): Promise<void>;
  up(): Promise<void>;
  statistics(): Promise<LinkStatistics>;
  resetStatistics(): Promise<void>;
  stop(): Promise<void>;
}

const NO_OFFLOAD = "tso off gso off tx-udp-segmentation off gro off";

/** Commands that prepare a device: no IPv6 (its chatter would use up packet numbers), addresses, up. */
function deviceScript(device: string, addresses: readonly string[], offloads: string): string {
  return [
    `echo 1 > /proc/sys/net/ipv6/conf/${device}/disable_ipv6 2>/dev/null || true`,
    ...addresses.map((address) => `ip address add ${address} dev ${device}`),
    `ip link set ${device} txqueuelen 10000 up`,
    ...(offloads === "" ? [] : [`ethtool -K ${device} ${offloads}`]),
  ].join("\n");
}

async function shell(namespace: Namespace, script: string): Promise<void> {
  await must(namespace.prefix, ["sh", "-ec", script]);
}

/** As fast as the machine; loss by nftables at the receiving end, before anything else sees the packet. */
class VethLink implements Link {
  readonly spec: LinkSpec;
  readonly #ends: Readonly<Record<"ab" | "ba", { receiver: Namespace; device: string }>>;
  readonly #loss = { ab: 0, ba: 0 };

  constructor(spec: LinkSpec, a: Namespace, b: Namespace) {
    this.spec = spec;
    this.#ends = { ab: { receiver: b, device: spec.b.device }, ba: { receiver: a, device: spec.a.device } };
  }

  static async create(spec: LinkSpec, a: Namespace, b: Namespace): Promise<VethLink> {
    const peer = `peer name ${spec.b.device} netns ${b.holderPid}`;
    await shell(a, `ip link add ${spec.a.device} type veth ${peer}`);
    const offloads = spec.role === "wan" ? NO_OFFLOAD : "gro on";
    await Promise.all([
      shell(a, deviceScript(spec.a.device, spec.a.addresses, offloads)),
      shell(b, deviceScript(spec.b.device, spec.b.addresses, offloads)),
    ]);
    const link = new VethLink(spec, a, b);
    if (spec.both) await link.set(spec.both);
    return link;
  }

  async set(parameters: LinkParameters, direction: Direction = "both"): Promise<void> {
    for (const key of Object.keys(parameters))
      if (key !== "loss")
        throw new Error(
          `link ${this.spec.name} is a veth and can only lose packets: "${key}" needs kind "emulated"`,
        );
    for (const way of ["ab", "ba"] as const) {
      if (direction !== "both" && direction !== way) continue;
      this.#loss[way] = parameters.loss ?? this.#loss[way];
      await this.#install(way, this.#loss[way]);
    }
  }

  async #install(way: "ab" | "ba", loss: number): Promise<void> {
    const { receiver, device } = this.#ends[way];
    const table = `lab_${this.spec.name}`;
    const threshold = Math.round(loss * 100_000);
    const luck = loss < 1 ? `numgen random mod 100000 < ${threshold}` : "";
    const rules = `
      table inet ${table}
      delete table inet ${table}
      table inet ${table} {
        counter received {}
        counter lost {}
        chain arrivals {
          type filter hook prerouting priority -310; policy accept;
          iifname "${device}" counter name received
          iifname "${device}" ${luck} counter name lost drop
        }
      }`;
    const nothing = `table inet ${table}\ndelete table inet ${table}`;
    await must(receiver.prefix, ["nft", threshold > 0 ? rules : nothing]);
  }

  async down(): Promise<void> {
    for (const way of ["ab", "ba"] as const) await this.#install(way, 1);
  }

  async up(): Promise<void> {
    for (const way of ["ab", "ba"] as const) await this.#install(way, this.#loss[way]);
  }

  async statistics(): Promise<LinkStatistics> {
    const read = async (way: "ab" | "ba"): Promise<PathStatistics> => {
      if (this.#loss[way] === 0) return { received: 0, delivered: 0, lost: 0 };
      const text = await must(this.#ends[way].receiver.prefix, [
        "nft",
        "list",
        "table",
        "inet",
        `lab_${this.spec.name}`,
      ]);
      const count = (name: string): number =>
        Number(new RegExp(`counter ${name} \\{\\s*packets (\\d+)`).exec(text)?.[1] ?? 0);
      const [received, lost] = [count("received"), count("lost")];
      return { received, lost, delivered: received - lost };
    };
    return { ab: await read("ab"), ba: await read("ba") };
  }

  async resetStatistics(): Promise<void> {
    await this.up();
  }

  async stop(): Promise<void> {}
}

const PARAMETER_KEYS: Readonly<Record<keyof LinkParameters, string>> = {
  delayMs: "delay",
  jitterMs: "jitter",
  reorder: "reorder",
  reorderDelayMs: "reorder-delay",
  loss: "loss",
  burstEnter: "burst-enter",
  burstLeave: "burst-leave",
  burstLoss: "burst-loss",
  duplicate: "duplicate",
  rateMbit: "rate",
  queueBytes: "queue",
  mtu: "mtu",
};

/** Parameters as the emulator's words. */
export function emulatorWords(parameters: LinkParameters): string[] {
  return Object.entries(parameters).map(
    ([key, value]) => `${PARAMETER_KEYS[key as keyof LinkParameters]}=${value}`,
  );
}

/** Through linkem's pair of TUN devices. */
class EmulatedLink implements Link {
  readonly spec: LinkSpec;
  readonly #emulator: LabProcess;
  /** Answers come in the order of the commands. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(spec: LinkSpec, emulator: LabProcess) {
    this.spec = spec;
    this.#emulator = emulator;
  }

  static async create(
    spec: LinkSpec,
    a: Namespace,
    b: Namespace,
    sandbox: Sandbox,
    binary: string,
    fifo: string,
  ): Promise<EmulatedLink> {
    const emulator = new LabProcess(sandbox.prefix, [
      binary,
      "link",
      `${a.path}:${spec.a.device}`,
      `${b.path}:${spec.b.device}`,
      "--seed",
      String(spec.seed ?? 1),
      "--fifo",
      fifo,
      "--realtime",
      "both",
      ...emulatorWords(spec.both ?? {}),
    ]);
    try {
      await emulator.waitForLine(/"ready":true/);
    } catch (error) {
      await emulator.stop("SIGKILL");
      const hint = /\/dev\/net\/tun/.test(emulator.stderr)
        ? "\nThe emulated link needs to open /dev/net/tun: run as root, or chmod 666 /dev/net/tun."
        : "";
      throw new Error(`${(error as Error).message}${hint}`);
    }
    await Promise.all([
      shell(a, deviceScript(spec.a.device, spec.a.addresses, "")),
      shell(b, deviceScript(spec.b.device, spec.b.addresses, "")),
    ]);
    return new EmulatedLink(spec, emulator);
  }

  #command(line: string): Promise<string> {
    const answer = this.#last.then(() => {
      const next = this.#emulator.nextLine(/^\{/);
      this.#emulator.write(`${line}\n`);
      return next;
    });
    this.#last = answer.catch(() => {});
    return answer;
  }

  async #set(direction: Direction, words: readonly string[]): Promise<void> {
    const answer = JSON.parse(await this.#command(`set ${direction} ${words.join(" ")}`)) as {
      ok: boolean;
      error?: string;
    };
    if (!answer.ok) throw new Error(`link ${this.spec.name}: ${words.join(" ")}: ${answer.error}`);
  }

  set(parameters: LinkParameters, direction: Direction = "both"): Promise<void> {
    return this.#set(direction, emulatorWords(parameters));
  }

  down(): Promise<void> {
    return this.#set("both", ["down=1"]);
  }

  up(): Promise<void> {
    return this.#set("both", ["down=0"]);
  }

  async statistics(): Promise<LinkStatistics> {
    return JSON.parse(await this.#command("stats")) as LinkStatistics;
  }

  async resetStatistics(): Promise<void> {
    await this.#command("reset");
  }

  async stop(): Promise<void> {
    await this.#emulator.stop("SIGTERM");
  }
}

export interface LinkTools {
  readonly sandbox: Sandbox;
  readonly linkem: string;
  readonly fifo: string;
}

export function createLink(spec: LinkSpec, a: Namespace, b: Namespace, tools: LinkTools): Promise<Link> {
  return spec.kind === "veth"
    ? VethLink.create(spec, a, b)
    : EmulatedLink.create(spec, a, b, tools.sandbox, tools.linkem, tools.fifo);
}
