import { nodeEngine } from "../daemon/node-run.ts";
import { runDaemon } from "../daemon/run.ts";
import { nodeStreams } from "../host/node/streams.ts";
import { nodeTimers } from "../host/node/timers.ts";
import { httpCall } from "../http1/client.ts";
import { main } from "./main.ts";
import { nodeIo, nodeSignals } from "./node-io.ts";

/**
 * Entry of the program on Node. The daemon is imported in the ordinary way, not on demand: a bundler then puts all modules into
 * one scope, where calls and constants cost nothing; loading the rest for a short command takes some 10 ms.
 */
const io = nodeIo((unix, request, limits) => httpCall(nodeStreams, nodeTimers, { unix }, request, limits));
try {
  process.exit(
    await main(process.argv.slice(2), {
      io,
      signals: nodeSignals(),
      runDaemon: (config, daemonIo) => runDaemon(nodeEngine, config, daemonIo),
      nowUnixSeconds: () => Date.now() / 1000,
    }),
  );
} catch (error) {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  io.err(`kcp-router failed by a fault of its own; please report it with these lines:\n${detail}\n`);
  process.exit(1);
}
