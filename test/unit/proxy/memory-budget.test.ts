import test from "ava";
import { FixedSlotPool } from "kcp-ts";
import {
  MAX_PEER_QUOTAS,
  MemoryBudget,
  PEER_SHARE,
  SAVING_SHARE,
  SHEDDING_SHARE,
} from "../../../router-daemon/src/proxy/memory-budget.ts";

test("the level follows what is used", (t) => {
  const pool = new FixedSlotPool(1000);
  const budget = new MemoryBudget(pool);
  const levels = new Map<number, string>();
  for (let used = 1; used <= 1000; used++) {
    pool.alloc();
    levels.set(used, budget.level);
    t.is(budget.refusal(1), budget.level === "normal" ? undefined : "memory_limit");
    t.is(budget.slotsToShed > 0, budget.level === "shedding");
  }
  t.is(levels.get(1000 * SAVING_SHARE - 1), "normal");
  t.is(levels.get(1000 * SAVING_SHARE), "saving");
  t.is(levels.get(1000 * SHEDDING_SHARE - 1), "saving");
  t.is(levels.get(1000 * SHEDDING_SHARE), "shedding");
  t.is(budget.usedBytes, budget.totalBytes);
});

test("the connections of a peer share its part of the memory, and others do not notice", (t) => {
  const budget = new MemoryBudget(new FixedSlotPool(1000));
  const greedy = budget.quotaOf(1);
  const other = budget.quotaOf(2);
  t.is(budget.quotaOf(1), greedy);
  const before = other.share;
  greedy.held = 1000 * PEER_SHARE;
  t.true(greedy.share < before / 2);
  t.is(other.share, before);
  t.is(budget.refusal(1), "peer_memory_limit");
  t.is(budget.refusal(2), undefined);
  t.is(budget.refusal(3), undefined);
});

test("however many connections of a peer take all they get, the next one is carried", (t) => {
  const pool = new FixedSlotPool(20_000);
  const budget = new MemoryBudget(pool);
  const quota = budget.quotaOf(1);
  for (let connection = 0; connection < 60; connection++) {
    t.is(budget.refusal(1), undefined, `connection ${connection}`);
    for (let held = 0; held < quota.share; held++) {
      pool.alloc();
      quota.held++;
    }
  }
});

test("peers are counted up to a limit: those that hold nothing give way, then the oldest", (t) => {
  const budget = new MemoryBudget(new FixedSlotPool(1000));
  const idle = budget.quotaOf(1);
  const busy = budget.quotaOf(2);
  busy.held = 1;
  for (let peer = 3; peer <= MAX_PEER_QUOTAS; peer++) budget.quotaOf(peer).held = 1;
  budget.quotaOf(9999).held = 1;
  t.is(budget.quotaOf(2), busy);
  t.not(budget.quotaOf(1), idle);
});
