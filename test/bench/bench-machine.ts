/** On what was measured: without it the numbers mean nothing. */
import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { must, run } from "../netns/namespace.ts";

async function firstLine(argv: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run([], argv);
  return (stdout || stderr).split("\n")[0]?.trim() ?? "";
}

export async function describeMachine(): Promise<string[]> {
  const cores = cpus();
  const flags = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "";
  const crypto = ["aes", "vaes", "pclmulqdq", "avx512f"].filter((flag) => flags.split(" ").includes(flag));
  const commit = await firstLine(["git", "rev-parse", "--short", "HEAD"]);
  return [
    `${cores.length} cores of ${cores[0]?.model ?? "an unknown processor"} (${crypto.join(", ")}), ${Math.round(totalmem() / 2 ** 30)} GiB, shared by both routers, client, service and link`,
    `Linux ${release()}, Node ${process.versions.node}, OpenSSL ${process.versions.openssl}`,
    `load average at the start ${loadavg()[0]?.toFixed(2)}; ${(await must([], ["date", "-u", "+%Y-%m-%d %H:%M UTC"])).trim()}; commit ${commit}`,
  ];
}
