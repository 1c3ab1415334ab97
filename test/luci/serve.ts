/** The page of one of a lab's routers. */
import { buildPage } from "../../tools/page.ts";
import { readTranslations } from "../../tools/po.ts";
import type { KcpRouter } from "../netns/router.ts";
import { CLIENT } from "../netns/topology.ts";
import { type Shell, type ShellOptions, startShell } from "./shell/server.ts";

/** Once per process. */
let built: Promise<unknown> | undefined;

/**
 * `router` runs with a uci file. Its service cannot be started and stopped from here, unless `options` say how: the lab holds it.
 */
export async function servePage(router: KcpRouter, options: Partial<ShellOptions> = {}): Promise<Shell> {
  built ??= buildPage();
  await built;
  return startShell({
    socket: router.socket,
    uciFile: router.configPath,
    service: {
      instance: () => (router.process.running ? { running: true } : undefined),
      order: async () => {},
      reload: async () => void (await router.call("reload")),
    },
    hints: { "02:00:00:00:00:01": { name: "laptop", ipaddrs: [CLIENT] } },
    translations: { zh_Hans: Object.fromEntries(readTranslations("zh_Hans")) },
    ...options,
  });
}

/** How to see more of it. */
export const PAGE_HINT =
  "add ?theme=material or argon, &dark=true, &lang=zh_Hans, or &account=look for a login that may only look";
