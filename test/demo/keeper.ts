/**
 * A lab that outlives `make demo`: the demo runs in a process of its own (the keeper), whose output is shown until it says
 * that it is done. The keeper then holds the lab until it is told to end; with it everything ends.
 */
import { spawn } from "node:child_process";

const MARK = "KCP_ROUTER_DEMO_KEEPER";

export function isKeeper(): boolean {
  return process.env[MARK] === "1";
}

/** Runs `script` as keeper and shows its output; resolves with the status for this process once the lab is kept or failed. */
export function runInKeeper(script: string): Promise<number> {
  const keeper = spawn(process.execPath, [...process.execArgv, script], {
    detached: true,
    env: { ...process.env, [MARK]: "1" },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  keeper.stdout?.pipe(process.stdout);
  keeper.stderr?.pipe(process.stderr);
  const interrupted = (): void => {
    keeper.kill("SIGTERM");
  };
  process.once("SIGINT", interrupted);
  return new Promise((resolve) => {
    keeper.on("message", () => {
      process.off("SIGINT", interrupted);
      keeper.disconnect();
      keeper.unref();
      // What was printed before the message is in the pipes already.
      setImmediate(() => {
        keeper.stdout?.destroy();
        keeper.stderr?.destroy();
        resolve(0);
      });
    });
    keeper.on("exit", (code) => resolve(code ?? 1));
  });
}

/** Tells the waiting process that the lab is kept. From here on this process is silent; SIGTERM ends it, and the lab with it. */
export function keepRunning(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  process.send?.("kept");
  setInterval(() => {}, 2 ** 30);
}
