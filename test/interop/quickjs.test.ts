/** The executable for routers against the real EasyTier core; every other test here runs with it by `RUNTIME=quickjs`. */
import test from "ava";
import { MIB, newRows, TO_OUR_LAN, TO_THEIR_LAN, withPeer } from "./peer-scene.ts";

process.env.RUNTIME = "quickjs";

test.serial("QuickJS and the real peer carry each other's connections over KCP, at 2 % loss", async (t) => {
  await withPeer(t, { wan: { loss: 0.02 } }, async (scene) => {
    t.regex((await scene.ours.call("version")).engine, /^quickjs /);
    const seen = new Set<number>();
    for (const [ends, row] of [
      [TO_THEIR_LAN, "source kcp kcp_allowed"],
      [TO_OUR_LAN, "destination kcp kcp_allowed"],
    ] as const) {
      for (const mode of ["download", "upload"] as const) {
        const { bad } = await scene.lab.transfer({ ...ends, mode, upBytes: 2 * MIB, downBytes: 2 * MIB });
        t.deepEqual(bad, [], `${ends.client} ${mode}`);
      }
      t.deepEqual(await newRows(scene, seen), [row]);
    }
    t.is(await scene.ours.stop(), 0);
  });
});
