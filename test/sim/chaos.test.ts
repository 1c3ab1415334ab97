/** Everything that can go wrong, at any time, in any order. Afterwards nothing is left of it. */
import test from "ava";
import fc from "fast-check";

import type { FaultyCall } from "./faults.ts";
import type { PathOptions } from "./path.ts";
import { anyPlan, anyUnderlay, type Plan, Planned } from "./planned.ts";
import { timeBoxed } from "./property.ts";
import { collect, PORT, type Scene, twoRouters, WAN_A, WAN_B } from "./scene.ts";
import { World } from "./world.ts";

const CHEAP = { cipher: "stand-in" } as const;
/** Trouble begins within this time, and is over within the next. */
const TROUBLE_MS = 4000;
/** The longest time that a peer which failed is left alone, and some more. */
const FORGIVEN_MS = 130_000;

const KINDS = [
  "cut",
  "crash",
  "stop",
  "new address",
  "no memory",
  "device full",
  "send fails",
  "connect fails",
  "everything fails at times",
  "no kcp input",
  "no kcp proxy",
  "clock",
  "close all",
] as const;

interface Trouble {
  readonly kind: (typeof KINDS)[number];
  readonly side: "a" | "b";
  readonly atMs: number;
  readonly forMs: number;
}

const anyTrouble: fc.Arbitrary<Trouble> = fc.record({
  kind: fc.constantFrom(...KINDS),
  side: fc.constantFrom("a", "b"),
  atMs: fc.integer({ min: 0, max: TROUBLE_MS }),
  forMs: fc.integer({ min: 1, max: TROUBLE_MS }),
});

/** Brings the trouble; returns what ends it. */
function begin({ kind, side }: Trouble, world: World, scene: Scene): () => void {
  const router = scene[side];
  const { faults } = router.host;
  const fail = (calls: readonly FaultyCall[], share: number): (() => void) => {
    for (const call of calls) faults.share.set(call, share);
    return () => faults.share.clear();
  };
  switch (kind) {
    case "cut":
      world.setCut(WAN_A, WAN_B, true);
      return () => world.setCut(WAN_A, WAN_B, false);
    case "crash":
    case "stop":
      if (!router.isRunning) return () => undefined;
      router[kind]();
      return () => router.restart();
    case "new address":
      // b dials; a has to stay where it is.
      scene.b.kernel.setAddress(`198.51.100.${1 + world.random.below(200)}`);
      return () => undefined;
    case "no memory":
      router.pool.withheld = router.pool.slotCount;
      return () => {
        router.pool.withheld = 0;
      };
    case "device full":
      router.kernel.tun?.setFull(true);
      return () => router.kernel.tun?.setFull(false);
    case "send fails":
      return fail(["send", "sendOnLink", "sendDatagram"], 1);
    case "connect fails":
      return fail(["tcpConnect"], 1);
    case "everything fails at times":
      return fail(["send", "sendOnLink", "sendDatagram", "tcpConnect", "tunWrite"], 0.3);
    case "no kcp input":
    case "no kcp proxy": {
      const change = (isOff: boolean) => {
        const changes = kind === "no kcp input" ? { disable_kcp_input: isOff } : { enable_kcp_proxy: !isOff };
        if (router.isRunning) router.reconfigure(changes);
        else router.config = { ...router.config, ...changes };
      };
      change(true);
      return () => change(false);
    }
    case "clock":
      router.host.clockErrorS = world.random.below(200_000) - 100_000;
      return () => {
        router.host.clockErrorS = 0;
      };
    case "close all":
      if (router.isRunning) for (const { id } of router.rows()) router.daemon.closeConnection(id);
      return () => undefined;
  }
}

function tell(
  seed: number,
  underlay: Partial<PathOptions>,
  plans: readonly Plan[],
  troubles: readonly Trouble[],
): void {
  const world = new World(seed);
  const scene = twoRouters(world, { a: CHEAP, b: CHEAP });
  world.network.shape(underlay);
  const all = Planned.all(plans, world, scene);
  for (const trouble of troubles) {
    world.clock.after(trouble.atMs, () => {
      const end = begin(trouble, world, scene);
      world.clock.after(trouble.forMs, end);
    });
  }
  world.run(2 * TROUBLE_MS + 1000);
  world.network.shape({ loss: 0, burst: undefined });
  world.join(60_000);
  world.run(10_000);
  for (const planned of all) {
    if (planned.damage !== undefined) throw new Error(planned.damage);
    planned.abandon();
  }
  world.run(FORGIVEN_MS);
  const { a, phone, nas } = scene;
  const streams = collect(nas, PORT);
  const near = phone.connect(nas.address, PORT);
  world.until(() => near.isOpen, "a connection after all the trouble", 3000);
  const { transport, reason } = a.row(`192.168.2.20:${PORT}`);
  if (transport !== "kcp")
    throw new Error(`The connection after all the trouble is ${transport}: ${reason}.`);
  near.end();
  streams[0]!.end();
  world.until(() => near.hasEnded && streams[0]!.hasEnded, "its end", 3000);
  world.checkAtRest();
}

test("whatever goes wrong: no byte is damaged, all join again, KCP is used again, nothing is left", (t) => {
  const plans = fc.array(anyPlan, { maxLength: 12 });
  const troubles = fc.array(anyTrouble, { minLength: 1, maxLength: 6 });
  fc.assert(fc.property(fc.nat(), anyUnderlay, plans, troubles, tell), timeBoxed(3500));
  t.pass();
});
