import { main } from "./main.ts";
import { nodeIo, nodeSignals } from "./node-io.ts";

/** Entry of the program on Node. The daemon is loaded only by `run`: the other commands need none of it. */
const io = nodeIo();
try {
  process.exit(
    await main(process.argv.slice(2), {
      io,
      signals: nodeSignals(),
      runDaemon: async (config, daemonIo) => (await import("../daemon/node-run.ts")).runDaemon(config, daemonIo),
      nowUnixSeconds: () => Date.now() / 1000,
    }),
  );
} catch (error) {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  io.err(`kcp-router failed by a fault of its own; please report it with these lines:\n${detail}\n`);
  process.exit(1);
}
