/** Runs the daemon as a Node process: addon, API socket, names, signals. */
import { lookup } from "node:dns/promises";
import { networkInterfaces } from "node:os";
import { DEFAULT_SLOT_BYTES } from "kcp-ts";
import { serveApi } from "../api/node-server.ts";
import type { DaemonIo, RunOutcome } from "../cli/run.ts";
import type { Config } from "../config/config.ts";
import { parseIpv4 } from "../config/ipv4.ts";
import { problemSentence } from "../config/problem.ts";
import { createNodeHost } from "../host/node/host.ts";
import { Daemon, type DaemonServices } from "./daemon.ts";

/** `kcp-router run` on Node: until it is asked to stop, or cannot go on. */
export async function runDaemon(config: Config, io: DaemonIo): Promise<RunOutcome> {
  const slotCount = Math.floor((config.memory_limit_mib * 1024 * 1024) / DEFAULT_SLOT_BYTES);
  const host = createNodeHost({ slotCount });
  if ("error" in host) return { ok: false, message: host.message };

  return new Promise((resolve) => {
    let ended = false;
    let closeApi: () => Promise<void> = async () => {};
    const end = (outcome: RunOutcome): void => {
      if (ended) return;
      ended = true;
      daemon.stop();
      host.dispose();
      void closeApi().then(() => resolve(outcome));
    };
    const daemon = new Daemon(
      config,
      services(config, io, host, (message) => end({ ok: false, message })),
    );

    // The API comes first: a second daemon with the same socket must not touch the first one's device.
    void serveApi(daemon, config.rpc_socket, (error) => io.print(`error: API: ${String(error)}`)).then(
      (served) => {
        if (!served.ok) {
          end({ ok: false, message: served.message });
          return;
        }
        closeApi = () => served.server.close();
        if (ended) return;
        const failure = daemon.start();
        if (failure !== undefined) end({ ok: false, message: failure.message });
      },
    );
    io.onStop(() => end({ ok: true }));
    io.onReload(() => void daemon.reload());
  });
}

function services(
  config: Config,
  io: DaemonIo,
  host: DaemonServices["host"],
  fail: (message: string) => void,
): DaemonServices {
  return {
    host,
    engine: `node ${process.versions.node}`,
    print: io.print,
    fail,
    resolve: async (name) => {
      try {
        return (await lookup(name, { all: true })).map(({ address }) => address);
      } catch {
        return [];
      }
    },
    localAddresses: () => localAddresses(config.dev_name),
    loadConfig: () => {
      const loaded = io.loadConfig();
      return loaded.ok
        ? { ok: true, config: loaded.config }
        : { ok: false, problems: loaded.problems.map(problemSentence) };
    },
    residentBytes: () => process.memoryUsage.rss(),
  };
}

/** IPv4 addresses of the interfaces that lead somewhere: no loopback, not our own device. */
function localAddresses(device: string): { address: number; prefixLength: number }[] {
  const found: { address: number; prefixLength: number }[] = [];
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (name === device) continue;
    for (const entry of addresses ?? []) {
      const address = entry.family === "IPv4" && !entry.internal ? parseIpv4(entry.address) : undefined;
      const prefixLength = Number(entry.cidr?.split("/")[1]);
      if (address !== undefined && prefixLength > 0) found.push({ address, prefixLength });
    }
  }
  return found;
}
