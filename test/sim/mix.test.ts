/** Many connections of all sorts at once, over paths of all sorts. */
import test from "ava";
import fc from "fast-check";

import type { PathOptions } from "./path.ts";
import { anyPlan, anyUnderlay, type Plan, Planned } from "./planned.ts";
import { timeBoxed } from "./property.ts";
import { twoRouters } from "./scene.ts";
import { World } from "./world.ts";

const CHEAP = { cipher: "stand-in" } as const;
const PATIENCE_MS = 120_000;

function tell(seed: number, underlay: Partial<PathOptions>, plans: readonly Plan[]): void {
  const world = new World(seed);
  const scene = twoRouters(world, { a: CHEAP, b: CHEAP });
  world.network.shape(underlay);
  const all = Planned.all(plans, world, scene);
  const endless = () => all.filter(({ isOver }) => !isOver);
  const deadline = world.now + PATIENCE_MS;
  while (endless().length > 0 && world.now < deadline) world.run(100);
  const first = endless()[0];
  if (first !== undefined)
    throw new Error(`Of ${all.length} connections ${endless().length}, ${first.describe()}`);
  for (const { complaint } of all) if (complaint !== undefined) throw new Error(complaint);
  world.checkAtRest();
}

test("any mix of connections over any path: whole, in order, ended or reset as planned, nothing left", (t) => {
  const plans = fc.array(anyPlan, { minLength: 1, maxLength: 100 });
  fc.assert(fc.property(fc.nat(), anyUnderlay, plans, tell), timeBoxed(3500));
  t.pass();
});
