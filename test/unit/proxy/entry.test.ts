import test from "ava";
import {
  type EntryKey,
  EntryTable,
  MAX_CLOSED_ENTRIES,
  MAX_LIVE_ENTRIES,
} from "../../../router-daemon/src/proxy/entry.ts";

const KEY: EntryKey = {
  role: "source",
  sourceIp: 0x0a7e7e01,
  sourcePort: 51838,
  destinationIp: 0x0a7e7e02,
  destinationPort: 80,
  peerId: 7,
};

test("rates are bytes per second of the last period", (t) => {
  const table = new EntryTable();
  const entry = table.open(KEY, "kcp", "kcp_allowed", 0);
  t.true(table.nextTimeout <= 0);
  table.handleTimeout(0);
  entry.upBytes += 500;
  entry.downBytes += 4000;
  t.is(table.nextTimeout, 1000);
  table.handleTimeout(2000);
  t.is(entry.upRate, 250);
  t.is(entry.downRate, 2000);
  t.is(entry.activeAt, 2000);
  table.handleTimeout(3000);
  t.is(entry.upRate, 0);
  t.is(entry.activeAt, 2000);
});

test("an ordinary end keeps the reason of the transport, any other replaces it; figures of the carrier are kept", (t) => {
  const table = new EntryTable();
  const first = table.open(KEY, "kcp", "kcp_allowed", 0);
  const stats = { srttMs: 12, retransmittedShare: 0.25, heldSlots: 5 };
  first.carrier = { stats };
  table.end(first, "finished", 10);
  stats.srttMs = 99;
  t.like(first, { reason: "kcp_allowed", state: "Closed", endedAt: 10, stats: { srttMs: 12, heldSlots: 0 } });
  const second = table.open(KEY, "kcp", "kcp_allowed", 0);
  table.end(second, "client_reset", 10);
  table.end(second, "peer_reset", 20);
  t.like(second, { reason: "client_reset", endedAt: 10 });
});

test("closed entries are remembered up to their limit, oldest forgotten first", (t) => {
  const table = new EntryTable();
  for (let i = 0; i < MAX_CLOSED_ENTRIES + 5; i++)
    table.end(table.open(KEY, "tcp", "no_route", 0), "finished", i);
  t.is(table.closedCount, MAX_CLOSED_ENTRIES);
  t.is([...table.list()][0]!.endedAt, 5);
});

test("a full table works on without listing", (t) => {
  const table = new EntryTable();
  for (let i = 0; i < MAX_LIVE_ENTRIES; i++) table.open(KEY, "tcp", "no_route", 0);
  const extra = table.open(KEY, "kcp", "kcp_allowed", 0);
  t.is(table.liveCount, MAX_LIVE_ENTRIES);
  t.is(table.unlisted, 1);
  table.end(extra, "finished", 1);
  t.is(table.closedCount, 0);
  t.is(table.liveCount, MAX_LIVE_ENTRIES);
});

test("an empty table needs no timer", (t) => {
  const table = new EntryTable();
  t.is(table.nextTimeout, Number.POSITIVE_INFINITY);
  const entry = table.open(KEY, "kcp", "kcp_allowed", 0);
  table.handleTimeout(5);
  table.end(entry, "finished", 6);
  t.is(table.nextTimeout, Number.POSITIVE_INFINITY);
});
