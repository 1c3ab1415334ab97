/** `make page`: the page around a running lab, until Ctrl-C. PORT chooses where (8080 unless said). */
import { Lab } from "../netns/lab.ts";
import { KcpRouter } from "../netns/router.ts";
import { twoRouters } from "../netns/topology.ts";
import { CONFIG_A, CONFIG_B, joined } from "../netns/two-routers.ts";
import { PAGE_HINT, servePage } from "./serve.ts";
import { startTraffic } from "./traffic.ts";

const lab = await Lab.create(twoRouters({ wan: { delayMs: 20, loss: 0.02 } }));
try {
  const b = await KcpRouter.start(lab, "routerB", CONFIG_B);
  const a = await KcpRouter.start(lab, "routerA", { ...CONFIG_A, form: "uci" });
  await joined({ lab, a, b });
  await startTraffic(lab);
  const shell = await servePage(a, { port: Number(process.env.PORT ?? 8080) });
  console.log(`The page: ${shell.url}\n  ${PAGE_HINT}\nCtrl-C ends it.`);
  await new Promise<void>((resolve) => {
    process.once("SIGINT", () => resolve());
    process.once("SIGTERM", () => resolve());
  });
  await shell.close();
} finally {
  await lab.stop();
}
