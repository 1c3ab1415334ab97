import { runDaemon } from "../daemon/node-run.ts";
import { main } from "./main.ts";
import { nodeIo, nodeSignals } from "./node-io.ts";

/**
 * Entry of the program on Node. The daemon is imported in the ordinary way, not on demand: a bundler then puts all modules into
 * one scope, where calls and constants cost nothing; loading the rest for a short command takes some 10 ms.
 */
const io = nodeIo();
try {
  process.exit(
    await main(process.argv.slice(2), {
      io,
      signals: nodeSignals(),
      runDaemon,
      nowUnixSeconds: () => Date.now() / 1000,
    }),
  );
} catch (error) {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  io.err(`kcp-router failed by a fault of its own; please report it with these lines:\n${detail}\n`);
  process.exit(1);
}
