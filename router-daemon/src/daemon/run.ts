/** Gives the daemon a process, whatever engine runs it: API socket, names, addresses, signals. */
import { DEFAULT_SLOT_BYTES } from "kcp-ts";
import type { DaemonIo, RunOutcome } from "../cli/run.ts";
import type { Config } from "../config/config.ts";
import { problemSentence } from "../config/problem.ts";
import type { Host } from "../host/host.ts";
import { serveApi } from "./api-server.ts";
import { Daemon, type DaemonServices } from "./daemon.ts";
import type { Engine } from "./engine.ts";

/** `kcp-router run`: until it is asked to stop, or cannot go on. */
export async function runDaemon(engine: Engine, config: Config, io: DaemonIo): Promise<RunOutcome> {
  const slotCount = Math.floor((config.memory_limit_mib * 1024 * 1024) / DEFAULT_SLOT_BYTES);
  const host = engine.createHost(slotCount);
  if ("error" in host) return { ok: false, message: host.message };

  return new Promise((resolve) => {
    let ended = false;
    let closeApi = (): void => {};
    const end = (outcome: RunOutcome): void => {
      if (ended) return;
      ended = true;
      daemon.stop();
      host.dispose();
      closeApi();
      resolve(outcome);
    };
    const daemon = new Daemon(
      config,
      services(engine, config, io, host, (message) => end({ ok: false, message })),
    );

    // The API comes first: a second daemon with the same socket must not touch the first one's device.
    void serveApi(daemon, engine, config.rpc_socket, (error) =>
      io.print(`error: API: ${String(error)}`),
    ).then((served) => {
      if (!served.ok) {
        end({ ok: false, message: served.message });
        return;
      }
      closeApi = () => served.server.close();
      if (ended) {
        closeApi();
        return;
      }
      const failure = daemon.start();
      if (failure !== undefined) end({ ok: false, message: failure.message });
    });
    io.onStop(() => end({ ok: true }));
    io.onReload(() => void daemon.reload());
  });
}

function services(
  engine: Engine,
  config: Config,
  io: DaemonIo,
  host: Host,
  fail: (message: string) => void,
): DaemonServices {
  return {
    host,
    engine: engine.name,
    print: io.print,
    fail,
    resolve: engine.resolve,
    localAddresses: () => engine.interfaceAddresses().filter(({ name }) => name !== config.dev_name),
    loadConfig: () => {
      const loaded = io.loadConfig();
      return loaded.ok
        ? { ok: true, config: loaded.config }
        : { ok: false, problems: loaded.problems.map(problemSentence) };
    },
    residentBytes: engine.residentBytes,
    readFile: engine.readFile,
  };
}
