/** Our QUIC against the real EasyTier core: either side as source, directly and through a relay of theirs. */
import test from "ava";
import { untilNoEntry } from "../netns/two-routers.ts";
import {
  aroundKernelMode,
  fourDirections,
  MIB,
  manyTransfers,
  newRows,
  TO_OUR_LAN,
  TO_THEIR_LAN,
  TO_THEM,
  TO_US,
  TRANSFERS,
  withPeer,
} from "./peer-scene.ts";

const QUIC_ONLY = { enable_kcp_proxy: false, enable_quic_proxy: true } as const;
const BOTH = { enable_kcp_proxy: true, enable_quic_proxy: true } as const;

test.serial("QUIC in all four directions, hashes equal", async (t) => {
  await withPeer(t, { ourFlags: QUIC_ONLY, theirFlags: QUIC_ONLY }, async (scene) => {
    const { ours, theirs } = scene;
    const route = await theirs.untilRoute("ours", ({ hostname }) => hostname === "ours");
    t.like(route.feature_flag, { kcp_input: true, quic_input: true });
    const peer = await ours.untilPeer("theirs", ({ quicInput }) => quicInput);
    t.like(peer.choice, { transport: "quic", reason: "quic_allowed" });
    await fourDirections(t, scene, "quic");
  });
});

test.serial(
  "KCP wins where both are on; QUIC where their KCP input is off; plain TCP where both are",
  async (t) => {
    const cases = [
      [{ ourFlags: BOTH }, "source kcp kcp_allowed"],
      [{ ourFlags: BOTH, theirFlags: { disable_kcp_input: true } }, "source quic quic_allowed"],
      [
        { ourFlags: BOTH, theirFlags: { disable_kcp_input: true, disable_quic_input: true } },
        "source tcp peer_kcp_input_disabled",
      ],
      [
        { ourFlags: QUIC_ONLY, theirFlags: { disable_quic_input: true } },
        "source tcp peer_quic_input_disabled",
      ],
    ] as const;
    for (const [options, expected] of cases) {
      await withPeer(t, options, async (scene) => {
        const { bad } = await scene.lab.transfer({ ...TO_THEIR_LAN, mode: "download", downBytes: MIB });
        t.deepEqual(bad, []);
        t.deepEqual(await newRows(scene, new Set()), [expected]);
      });
    }
  },
);

test.serial("their source prefers QUIC; with our QUIC input off it comes over KCP", async (t) => {
  for (const [ourFlags, expected] of [
    [BOTH, "destination quic quic_allowed"],
    [{ ...BOTH, disable_quic_input: true }, "destination kcp kcp_allowed"],
  ] as const) {
    await withPeer(t, { ourFlags, theirFlags: BOTH }, async (scene) => {
      const { bad } = await scene.lab.transfer({ ...TO_OUR_LAN, mode: "download", downBytes: MIB });
      t.deepEqual(bad, []);
      t.deepEqual(await newRows(scene, new Set()), [expected]);
    });
  }
});

test.serial("QUIC through a relay of theirs, both ways", async (t) => {
  await withPeer(t, { relayed: true, ourFlags: QUIC_ONLY, theirFlags: QUIC_ONLY }, async (scene) => {
    for (const ends of [TO_THEIR_LAN, TO_OUR_LAN, TO_THEM, TO_US]) {
      const { bad } = await scene.lab.transfer({ ...ends, mode: "upload", upBytes: 2 * MIB });
      t.deepEqual(bad, [], `${ends.client} to ${ends.address}`);
    }
    t.deepEqual(await newRows(scene, new Set()), [
      "destination quic quic_allowed",
      "source quic quic_allowed",
    ]);
  });
});

test.serial("an answer after a half-close arrives from their destination", async (t) => {
  await withPeer(t, { ourFlags: QUIC_ONLY, theirFlags: QUIC_ONLY }, async (scene) => {
    for (const ends of [TO_THEIR_LAN, TO_THEM]) {
      const { bad } = await scene.lab.transfer({ ...ends, mode: "half-close", upBytes: MIB, downBytes: MIB });
      t.deepEqual(bad, [], ends.address);
    }
    t.deepEqual(await newRows(scene, new Set()), ["source quic quic_allowed"]);
  });
});

test.serial(
  "their source gives up an answer after a half-close (proxies.md 6.12): what it sent arrives, and nothing hangs",
  async (t) => {
    await withPeer(t, { ourFlags: QUIC_ONLY, theirFlags: QUIC_ONLY }, async (scene) => {
      const { clientReports, serverReports } = await scene.lab.transfer({
        ...TO_OUR_LAN,
        mode: "half-close",
        upBytes: MIB,
        downBytes: 16 * MIB,
        seconds: 10,
      });
      t.like(serverReports[0], { received: MIB, expected: MIB, outcome: "reset" });
      t.like(clientReports[0], { sent: MIB, outcome: "short" });
      await untilNoEntry(scene.ours, 5000);
      t.deepEqual(await newRows(scene, new Set()), ["destination quic quic_allowed"]);
    });
  },
);

test.serial("their node on the kernel's stack: QUIC both ways", async (t) => {
  const theirFlags = { ...QUIC_ONLY, use_smoltcp: false };
  await withPeer(t, { ourFlags: QUIC_ONLY, theirFlags }, (scene) => aroundKernelMode(t, scene, "quic"));
});

for (const loss of [0, 0.05]) {
  test.serial(
    `${TRANSFERS} QUIC downloads and uploads of 4 MiB ended by the sender, both roles, at ${loss * 100} % loss: none short, one link`,
    async (t) => {
      const flags = { ourFlags: QUIC_ONLY, theirFlags: QUIC_ONLY };
      await withPeer(t, { wan: { loss }, seed: 5, ...flags }, async (scene) => {
        await manyTransfers(t, scene, TRANSFERS);
        const kinds = (await scene.ours.connections()).map(
          (row) => `${row.role} ${row.transport} ${row.reason}`,
        );
        t.deepEqual([...new Set(kinds)].sort(), [
          "destination quic quic_allowed",
          "source quic quic_allowed",
        ]);
      });
    },
  );
}
