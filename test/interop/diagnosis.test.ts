/** `diagnose` against the real EasyTier core: its answers to small questions and to a KCP connection nobody serves. */
import test from "ava";
import { withPeer } from "./peer-scene.ts";

for (const relayed of [false, true]) {
  test.serial(`${relayed ? "behind a relay" : "direct"}: loss is measured and KCP is answered`, async (t) => {
    await withPeer(t, { relayed }, async ({ ours }) => {
      const { peerId } = await ours.untilPeer("theirs", ({ pathLength }) => pathLength === (relayed ? 2 : 1));
      const diagnosis = await ours.call("diagnose", { peer: peerId });
      const found = new Map(diagnosis.checks.map((check) => [check.code, check]));
      t.like(diagnosis, { peerId, peerName: "theirs" });
      t.like(found.get("peer_loss"), { outcome: "passed", figures: { loss_share: 0 } });
      t.is(found.get("peer_kcp")?.outcome, "passed", found.get("peer_kcp")?.message);
      t.log(found.get("peer_loss")?.message, found.get("peer_kcp")?.message);
    });
  });
}
