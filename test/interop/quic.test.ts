/** Our QUIC against the real EasyTier core: either side as source, directly and through a relay of theirs. */
import test from "ava";
import {
  fourDirections,
  MIB,
  manyTransfers,
  newRows,
  TO_OUR_LAN,
  TO_THEIR_LAN,
  TO_THEM,
  TO_US,
  withPeer,
} from "./peer-scene.ts";

/** `make soak` runs everything whole; the ordinary run takes a share. */
const TRANSFERS = process.env.SOAK === "1" ? 100 : 20;

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

for (const loss of [0, 0.05]) {
  test.serial(
    `${TRANSFERS} QUIC downloads and uploads of 4 MiB ended by the sender, both roles, at ${loss * 100} % loss: none short`,
    async (t) => {
      const flags = { ourFlags: QUIC_ONLY, theirFlags: QUIC_ONLY };
      await withPeer(t, { wan: { loss }, seed: 5, ...flags }, async ({ lab, ours }) => {
        await manyTransfers(t, lab, TRANSFERS);
        const kinds = (await ours.connections()).map((row) => `${row.role} ${row.transport} ${row.reason}`);
        t.deepEqual([...new Set(kinds)].sort(), [
          "destination quic quic_allowed",
          "source quic quic_allowed",
        ]);
      });
    },
  );
}
