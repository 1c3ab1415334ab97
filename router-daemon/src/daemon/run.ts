/** Gives the daemon a process, whatever engine runs it: API socket, names, addresses, signals. */
import { DEFAULT_SLOT_BYTES } from "kcp-ts";
import type { DaemonIo, RunOutcome } from "../cli/run.ts";
import type { Config } from "../config/config.ts";
import { problemSentence } from "../config/problem.ts";
import type { Host } from "../host/host.ts";
import { Daemon, type DaemonServices } from "./daemon.ts";
import type { Engine } from "./engine.ts";
import { type Faces, openFaces } from "./faces.ts";
import { payloadBytes } from "./memory-limit.ts";

/** `kcp-router run`: until it is asked to stop, or cannot go on. */
export async function runDaemon(engine: Engine, config: Config, io: DaemonIo): Promise<RunOutcome> {
  const bytes = payloadBytes(config.memory_limit_mib, engine.readFile("/proc/meminfo"));
  const slotCount = Math.floor(bytes / DEFAULT_SLOT_BYTES);
  const host = engine.createHost(slotCount);
  if ("error" in host) return { ok: false, message: host.message };

  return new Promise((resolve) => {
    let ended = false;
    let faces: Faces | undefined;
    const end = (outcome: RunOutcome): void => {
      if (ended) return;
      ended = true;
      daemon.stop();
      faces?.close();
      host.dispose();
      resolve(outcome);
    };
    const daemon = new Daemon(config, {
      ...services(engine, config, io, host),
      fail: (message) => end({ ok: false, message }),
      onEvent: (row) => faces?.event(row),
    });

    // The API comes first: a second daemon with the same socket must not touch the first one's device.
    const opening = openFaces({
      daemon,
      engine,
      config,
      readSecretFile: io.readFile,
      now: () => host.now(),
      onFailure: (error) => io.print(`error: API: ${String(error)}`, "error"),
    });
    void opening.then((opened) => {
      if (!opened.ok) {
        end({ ok: false, message: opened.message });
        return;
      }
      faces = opened.faces;
      if (ended) {
        faces.close();
        return;
      }
      const failure = daemon.start();
      if (failure !== undefined) end({ ok: false, message: failure.message });
    });
    io.onStop(() => end({ ok: true }));
    io.onReload(() => void daemon.reload());
  });
}

function services(engine: Engine, config: Config, io: DaemonIo, host: Host): Omit<DaemonServices, "fail"> {
  return {
    host,
    engine: engine.name,
    print: io.print,
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
