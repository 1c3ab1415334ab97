/** A lab of two routers, the page of the first one, and a browser. */
import type { Browser } from "playwright-core";
import { Lab } from "../netns/lab.ts";
import { KcpRouter } from "../netns/router.ts";
import { twoRouters } from "../netns/topology.ts";
import { CONFIG_A, CONFIG_B, joined, type Pair } from "../netns/two-routers.ts";
import { launch } from "./browser.ts";
import { servePage } from "./serve.ts";
import type { Shell, ShellOptions } from "./shell/server.ts";

/** It must never be seen in a browser. */
export const SECRET = "a secret that stays on the router";

export interface Scene extends Pair {
  readonly browser: Browser;
  readonly shell: Shell;
  /** The router whose page it is; another process after a restart. */
  router(): KcpRouter;
}

export async function withPage(
  story: (scene: Scene) => Promise<void>,
  options: Partial<ShellOptions> = {},
): Promise<void> {
  const lab = await Lab.create(twoRouters({}));
  const browser = await launch();
  let shell: Shell | undefined;
  try {
    const secret = { networkSecret: SECRET };
    const configA = { ...CONFIG_A, ...secret, form: "uci" } as const;
    const b = await KcpRouter.start(lab, "routerB", { ...CONFIG_B, ...secret });
    let a = await KcpRouter.start(lab, "routerA", configA);
    await joined({ lab, a, b });
    shell = await servePage(a, {
      service: {
        isRunning: () => a.process.running,
        async order(action) {
          if (action !== "start") await a.stop();
          if (action !== "stop") a = await KcpRouter.start(lab, "routerA", configA);
        },
        reload: async () => void (await a.call("reload")),
      },
      ...options,
    });
    await story({ lab, a, b, browser, shell, router: () => a });
  } finally {
    await shell?.close();
    await browser.close();
    await lab.stop();
  }
}
