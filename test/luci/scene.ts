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
const CONFIG = { ...CONFIG_A, networkSecret: SECRET, form: "uci" } as const;

export interface Scene extends Pair {
  readonly browser: Browser;
  readonly shell: Shell;
  /** The router whose page it is; another process after a restart. */
  router(): KcpRouter;
}

export interface SceneOptions extends Partial<ShellOptions> {
  /** The story leaves the router or its traffic different from what it was: the next one gets another lab. */
  readonly spoils?: boolean;
  /** What procd says of the service while it does not run. */
  readonly instance?: () => object | undefined;
}

let browser: Promise<Browser> | undefined;
let pair: Promise<Pair> | undefined;

async function startPair(): Promise<Pair> {
  const lab = await Lab.create(twoRouters({}));
  try {
    const b = await KcpRouter.start(lab, "routerB", { ...CONFIG_B, networkSecret: SECRET });
    const a = await KcpRouter.start(lab, "routerA", CONFIG);
    await joined({ lab, a, b });
    return { lab, a, b };
  } catch (error) {
    await lab.stop();
    throw error;
  }
}

async function endPair(): Promise<void> {
  const ended = pair;
  pair = undefined;
  await (await ended)?.lab.stop();
}

/** One browser for all stories of a file, and one lab for those that leave it as it was. */
export async function withPage(
  story: (scene: Scene) => Promise<void>,
  { spoils = false, instance, ...options }: SceneOptions = {},
): Promise<void> {
  browser ??= launch();
  pair ??= startPair();
  const { lab, b, ...both } = await pair;
  let { a } = both;
  let shell: Shell | undefined;
  try {
    shell = await servePage(a, {
      service: {
        instance: () => (a.process.running ? { running: true } : instance?.()),
        async order(action) {
          if (action !== "start") await a.stop();
          if (action !== "stop") a = await KcpRouter.start(lab, "routerA", CONFIG);
        },
        reload: async () => void (await a.call("reload")),
      },
      ...options,
    });
    await story({ lab, a, b, browser: await browser, shell, router: () => a });
  } finally {
    await shell?.close();
    if (spoils) await endPair();
  }
}

/** After the last story of a file. */
export async function endScenes(): Promise<void> {
  await endPair();
  await (await browser)?.close();
  browser = undefined;
}
