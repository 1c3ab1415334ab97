/** Debian's kcptun: a TCP port on routerA that comes out at a port of the service. */

import type { Lab } from "../../netns/lab.ts";
import { until } from "../../netns/namespace.ts";
import type { LabProcess } from "../../netns/process.ts";
import { ROUTER_B_WAN } from "../../netns/topology.ts";
import type { Contender, Purpose, Running, Target } from "./contender.ts";

/** Ports per shape of forward error correction, so that both can run beside each other. */
interface Ports {
  readonly bulk: number;
  readonly latency: number;
}

const ROUTER_A_LAN = "10.81.0.1";
const SERVICE_ADDRESS = "10.82.0.2";
const SETTINGS = "--mode fast3 --crypt aes-128 --nocomp --sndwnd 2048 --rcvwnd 2048 --sockbuf 16777216".split(
  " ",
);

/** Each purpose has a pair of its own: kcptun forwards to one port, and sharing a session would only be to its disadvantage. */
async function startPair(lab: Lab, port: number, shards: readonly string[]): Promise<LabProcess[]> {
  const common = [...SETTINGS, ...shards, "--quiet"];
  const env = { KCPTUN_KEY: "the bench's key", GOGC: "100" };
  const tunnelPort = port + 1000;
  const server = ["kcptun-server", "-l", `:${tunnelPort}`, "-t", `${SERVICE_ADDRESS}:${port}`, ...common];
  const client = ["kcptun-client", "-l", `:${port}`, "-r", `${ROUTER_B_WAN}:${tunnelPort}`, ...common];
  const pair = [lab.spawn("routerA", client, { env }), lab.spawn("routerB", server, { env })];
  const open = async (host: string, flag: string, wanted: number): Promise<boolean> => {
    for (const child of pair) if (!child.running) throw new Error(`${child.argv[0]} ended:\n${child.stderr}`);
    return (await lab.must(host, ["ss", "-Hln", flag, `sport = :${wanted}`])).trim() !== "";
  };
  await until("kcptun-client listens", () => open("routerA", "-t", port));
  await until("kcptun-server listens", () => open("routerB", "-u", tunnelPort));
  return pair;
}

function kcptunWith(name: "kcptun" | "kcptun-fec", ports: Ports, data: number, parity: number): Contender {
  return {
    name,
    async start(lab): Promise<Running> {
      const shards = ["--datashard", String(data), "--parityshard", String(parity)];
      const [bulk, latency] = await Promise.all([
        startPair(lab, ports.bulk, shards),
        startPair(lab, ports.latency, shards),
      ]);
      const version = (await lab.must("routerA", ["kcptun-client", "--version"])).trim();
      return {
        target: (purpose: Purpose): Target => ({ address: ROUTER_A_LAN, port: ports[purpose] }),
        processes: {
          source: bulk.slice(0, 1).map((child) => child.pid),
          destination: bulk.slice(1).map((child) => child.pid),
        },
        description: `${version}, ${SETTINGS.join(" ")}, FEC ${data}+${parity}; latency in a pair of processes of its own`,
        stop: async () => {
          await Promise.all([...bulk, ...latency].map((child) => child.stop("SIGKILL")));
        },
      };
    },
  };
}

export const kcptun = kcptunWith("kcptun", { bulk: 12_001, latency: 12_002 }, 0, 0);
export const kcptunFec = kcptunWith("kcptun-fec", { bulk: 12_003, latency: 12_004 }, 10, 3);
