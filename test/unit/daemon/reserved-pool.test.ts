import test from "ava";

import { FixedSlotPool } from "../../../router-daemon/kcp-ts/src/pool.ts";
import { ReservedPool } from "../../../router-daemon/src/daemon/reserved-pool.ts";

test("the last slots stay for others, and what is given back is everybody's", (t) => {
  const pool = new FixedSlotPool(5);
  const view = new ReservedPool(pool, 2);
  t.is(view.freeSlots, 3);
  const taken = [view.alloc(), view.alloc(), view.alloc()];
  t.true(taken.every((slot) => slot >= 0));
  t.is(view.freeSlots, 0);
  t.is(view.alloc(), -1);
  const others = [pool.alloc(), pool.alloc()];
  t.true(others.every((slot) => slot >= 0));
  t.is(view.freeSlots, 0);
  view.free(taken[0]!);
  // One is free, and that one is reserved.
  t.is(view.alloc(), -1);
  for (const slot of others) pool.free(slot);
  t.is(view.freeSlots, 1);
  t.true(view.alloc() >= 0);
});
