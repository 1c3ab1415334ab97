import test from "ava";
import fc from "fast-check";
import { type ConnectionQuery, queryConnections, SORT_KEYS } from "../../../router-daemon/src/api/page.ts";
import type { ConnectionRow } from "../../../router-daemon/src/api/rows.ts";
import { connectionRow } from "./fake-view.ts";

const ALL: ConnectionQuery = {
  offset: 0,
  limit: 1000,
  text: "",
  transport: "",
  role: "",
  state: "",
  peer: 0,
  source: "",
  live: false,
  sort: "startTime",
  descending: false,
};

function ids(rows: readonly ConnectionRow[], query: Partial<ConnectionQuery>): readonly number[] {
  return queryConnections(rows, { ...ALL, ...query }).rows.map((row) => row.id);
}

const ROWS = [
  connectionRow(1, {
    src: "10.0.0.10:80",
    transport: "tcp",
    startTime: 30,
    rttMs: null,
    reason: "rule_bypass",
  }),
  connectionRow(2, { src: "10.0.0.9:80", role: "destination", startTime: 20, rttMs: 7, state: "Closed" }),
  connectionRow(3, { src: "10.0.0.9:443", startTime: 10, rttMs: 3, peerName: "Server Ärger" }),
];

test("connections are filtered by text, transport, role and life", (t) => {
  t.deepEqual(ids(ROWS, { transport: "kcp" }), [3, 2]);
  t.deepEqual(ids(ROWS, { role: "destination" }), [2]);
  t.deepEqual(ids(ROWS, { live: true }), [3, 1]);
  t.deepEqual(ids(ROWS, { text: "10.0.0.9" }), [3, 2]);
  t.deepEqual(ids(ROWS, { text: "RULE_BYPASS" }), [1]);
  t.deepEqual(ids(ROWS, { text: "ärger" }), [3]);
  t.deepEqual(ids(ROWS, { text: "nothing of this" }), []);
});

test("connections are sorted by any column; addresses by their numbers, unknown values first", (t) => {
  t.deepEqual(ids(ROWS, {}), [3, 2, 1]);
  t.deepEqual(ids(ROWS, { descending: true }), [1, 2, 3]);
  t.deepEqual(ids(ROWS, { sort: "src" }), [2, 3, 1]);
  t.deepEqual(ids(ROWS, { sort: "rttMs" }), [1, 3, 2]);
  t.deepEqual(ids(ROWS, { sort: "rttMs", descending: true }), [2, 3, 1]);
  t.deepEqual(ids(ROWS, { sort: "transport" }), [2, 3, 1]);
});

const address = fc
  .tuple(fc.nat({ max: 12 }), fc.nat({ max: 120 }))
  .map(([host, port]) => `10.0.0.${host}:${port}`);
const rowsOf = fc
  .array(
    fc.record({
      src: address,
      dst: address,
      peerName: fc.string({ maxLength: 5 }),
      rttMs: fc.option(fc.nat({ max: 5 }), { nil: null }),
      startTime: fc.nat({ max: 5 }),
    }),
    { maxLength: 30 },
  )
  .map((changes) => changes.map((change, at) => connectionRow(at, change)));

test("every sorting is an order: sorted again nothing moves, and the reverse is its mirror", (t) => {
  fc.assert(
    fc.property(rowsOf, fc.constantFrom(...SORT_KEYS), (rows, sort) => {
      const once = queryConnections(rows, { ...ALL, sort }).rows;
      const again = queryConnections([...once].reverse(), { ...ALL, sort }).rows;
      const same = once.length === again.length && once.every((row, at) => row === again[at]);
      const down = queryConnections(rows, { ...ALL, sort, descending: true }).rows;
      const mirrored = down.every((row, at) => row[sort] === once[once.length - 1 - at]?.[sort]);
      return same && mirrored;
    }),
  );
  t.pass();
});

test("pages put together are the whole, in order, and the total is told on each", (t) => {
  fc.assert(
    fc.property(rowsOf, fc.integer({ min: 1, max: 7 }), (rows, limit) => {
      const whole = ids(rows, {});
      const pieces: number[] = [];
      for (let offset = 0; offset <= rows.length; offset += limit) {
        const page = queryConnections(rows, { ...ALL, offset, limit });
        if (page.total !== rows.length || page.offset !== offset || page.rows.length > limit) return false;
        pieces.push(...page.rows.map((row) => row.id));
      }
      return JSON.stringify(pieces) === JSON.stringify(whole);
    }),
  );
  t.pass();
});

test("the daemon's own rows are neither moved nor changed by a query", (t) => {
  const before = JSON.stringify(ROWS);
  ids(ROWS, { sort: "src", descending: true });
  t.is(JSON.stringify(ROWS), before);
});
