/** What `diagnose` finds, on whole routers; and that every answer of a real daemon is what the table says it is. */
import { invoke } from "../../router-daemon/src/api/invoke.ts";
import { findMethod, METHOD_NAMES } from "../../router-daemon/src/api/methods.ts";
import type { CheckResult, Diagnosis } from "../../router-daemon/src/api/reports.ts";
import { mismatch } from "../../router-daemon/src/api/schema.ts";
import type { Router } from "./router.ts";
import { open, PORT, twoRouters, WAN_A, WAN_B } from "./scene.ts";
import { story } from "./story.ts";
import type { World } from "./world.ts";

/** Time passes while the daemon examines itself: between two steps of the world it may think. */
async function diagnose(world: World, router: Router, peerId = 0): Promise<Diagnosis> {
  let result: Diagnosis | undefined;
  void router.daemon.diagnose(peerId).then((diagnosis) => {
    result = diagnosis;
  });
  for (let waited = 0; result === undefined; waited++) {
    if (waited > 10_000) throw new Error(`Seed ${world.seed}: the diagnosis does not end.`);
    await new Promise((resolve) => setImmediate(resolve));
    world.run(5);
  }
  return result;
}

function outcomes({ checks }: Diagnosis): Record<string, string> {
  return Object.fromEntries(checks.map(({ code, outcome }) => [code, outcome]));
}

function check({ checks }: Diagnosis, code: string): CheckResult {
  const found = checks.find((each) => each.code === code);
  if (found === undefined) throw new Error(`There is no check ${code}.`);
  return found;
}

story("two healthy routers: everything that can be examined passes", {}, async (t, world) => {
  const { a, b } = twoRouters(world);
  const diagnosis = await diagnose(world, a);
  t.like(diagnosis, { peerId: b.peerId, peerName: "b" });
  t.deepEqual(outcomes(diagnosis), {
    tun_device: "passed",
    clock: "passed",
    listeners: "passed",
    ip_forward: "skipped",
    rp_filter: "skipped",
    firewall_zone: "skipped",
    flow_offloading: "skipped",
    memory: "passed",
    peer_reachable: "passed",
    peer_loss: "passed",
    peer_kcp: "passed",
  });
  t.is(check(diagnosis, "peer_loss").figures.loss_share, 0);
  t.true((check(diagnosis, "peer_kcp").figures.answer_ms ?? 0) < 100);
  t.deepEqual(a.rows(), [], "it leaves no row in the table");
  world.run(5000);
  t.is(a.daemon.status().counters.kcp_source_opened, 1);
});

story("loss on the way is measured", { underlay: { loss: 0.5 }, seeds: 3 }, async (t, world) => {
  const { a } = twoRouters(world);
  const { outcome, remedy, figures } = check(await diagnose(world, a), "peer_loss");
  t.is(outcome, "failed");
  t.not(remedy, "");
  // One datagram each way: three of four are lost.
  t.true((figures.loss_share ?? 0) > 0.5 && (figures.loss_share ?? 0) < 1, `${figures.loss_share}`);
});

story(
  "a peer that has fallen silent answers nothing, and the measurement ends in time",
  {},
  async (t, world) => {
    const { a, b } = twoRouters(world);
    world.setCut(WAN_A, WAN_B, true);
    const diagnosis = await diagnose(world, a, b.peerId);
    t.is(check(diagnosis, "peer_loss").outcome, "failed");
    t.is(check(diagnosis, "peer_loss").figures.loss_share, 1);
    t.is(check(diagnosis, "peer_kcp").outcome, "failed");
    t.true(diagnosis.tookMs < 10_000, `${diagnosis.tookMs}`);
    world.setCut(WAN_A, WAN_B, false);
    world.join();
  },
);

story("a peer that takes no KCP is not tried; without peers nobody is measured", {}, async (t, world) => {
  const { a, b } = twoRouters(world, { b: { config: { disable_kcp_input: true } } });
  t.is(check(await diagnose(world, a), "peer_kcp").outcome, "skipped");
  const { peerId } = b;
  b.stop();
  world.until(() => !a.reaches({ peerId }), "b's leaving", 60_000);
  const diagnosis = await diagnose(world, a);
  t.is(diagnosis.peerId, 0);
  t.like(outcomes(diagnosis), { peer_reachable: "failed", peer_loss: "skipped", peer_kcp: "skipped" });
});

story(
  "one run at a time: who asks meanwhile gets its result; a daemon that stops ends it",
  {},
  async (t, world) => {
    const { a, b } = twoRouters(world);
    const [first, second] = await Promise.all([diagnose(world, a), a.daemon.diagnose(b.peerId)]);
    t.is(first, second);
    t.is(a.daemon.lastDiagnosis, first);
    const pending = b.daemon.diagnose(0);
    b.stop();
    t.is(check(await pending, "peer_loss").message, "The daemon stops.");
  },
);

story("every read method of a real daemon answers what its schema says", {}, async (t, world) => {
  const { a, phone, nas } = twoRouters(world);
  const { near } = open(world, phone, nas, PORT);
  await diagnose(world, a);
  const args: Record<string, object> = {
    overview: { limit: 10, peers: true, routes: true },
    config_check: { text: 'ipv4 = "10.1.1.1"\nx = 1' },
  };
  for (const name of METHOD_NAMES) {
    const method = findMethod(name);
    if (method?.access !== "read" || name === "diagnose") continue;
    const answer = await invoke(a.daemon, name, args[name] ?? {});
    t.true(answer.ok, name);
    if (!answer.ok) continue;
    t.is(mismatch(method.result, answer.result), undefined, name);
  }
  near.reset();
});

story("when a flag changes what TCP to a peer uses, an event says so", {}, async (t, world) => {
  const { a, b } = twoRouters(world);
  t.is(a.events("transport_changed").length, 0);
  b.reconfigure({ disable_kcp_input: true });
  world.until(() => a.events("transport_changed").length > 0, "the event");
  t.regex(a.events("transport_changed")[0]?.message ?? "", /^TCP to b goes over tcp now: /);
  b.stop();
  world.run(20_000);
  t.is(a.events("transport_changed").length, 1, "that a peer left is another event");
});
