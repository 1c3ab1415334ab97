import { loadConfig } from "../config/load.ts";
import { firewallRuleset } from "../firewall/ruleset.ts";
import { type CliIo, EXIT_OK } from "./io.ts";
import { printProblems, refusalStatus } from "./run.ts";

/** `kcp-router firewall`: the nftables table for a configuration, for `nft -f -`. */
export function firewallCommand(args: readonly string[], io: CliIo): number {
  const loaded = loadConfig({ args, files: io.files, systemHostname: io.systemHostname });
  printProblems(loaded.problems, io);
  if (!loaded.ok) return refusalStatus(loaded.problems);
  io.out(firewallRuleset(loaded.config));
  return EXIT_OK;
}
