import test from "ava";
import type { PeerRow } from "../../../router-daemon/src/api/rows.ts";
import { InstanceMemory, MAX_INSTANCES } from "../../../router-daemon/src/daemon/instance-memory.ts";
import { TRANSPORT_WATCH_MS, TransportWatch } from "../../../router-daemon/src/daemon/transport-watch.ts";
import { peerRow } from "../api/fake-view.ts";

const KCP = { transport: "kcp", reason: "kcp_allowed", reasonText: "It takes KCP." } as const;
const TCP = { transport: "tcp", reason: "kcp_proxy_disabled", reasonText: "It is off." } as const;

test("a change of what TCP to a peer uses is told once, when it is there to be reached", (t) => {
  let rows: PeerRow[] = [peerRow(7, { choice: KCP }), peerRow(8, { choice: TCP, hostname: "" })];
  const told: string[] = [];
  const watch = new TransportWatch(
    () => rows,
    (message) => told.push(message),
  );
  let now = 0;
  const look = (changed: PeerRow[]) => {
    rows = changed;
    watch.handleTimeout(now);
    now += TRANSPORT_WATCH_MS;
  };
  look(rows);
  look(rows);
  t.deepEqual(told, [], "the first look is none");
  look([peerRow(7, { choice: TCP }), peerRow(8, { choice: KCP, hostname: "" })]);
  t.deepEqual(told, [
    "TCP to peer-7 goes over tcp now: It is off.",
    "TCP to peer 8 goes over kcp now: It takes KCP.",
  ]);
  look([peerRow(7, { choice: KCP, pathLength: 0 })]);
  look([peerRow(7, { choice: KCP })]);
  t.is(told.length, 2, "it was away in between");
  rows = [peerRow(7, { choice: TCP })];
  watch.handleTimeout(now - 1);
  t.is(told.length, 2, "not before its time");
  t.is(watch.nextTimeout, now);
});

test("an installation's earlier peer id is remembered, as long as there is room", (t) => {
  const memory = new InstanceMemory();
  t.is(memory.note("a", 1), undefined);
  t.is(memory.note("a", 1), undefined);
  t.is(memory.note("a", 2), 1);
  t.is(memory.note("", 3), undefined);
  t.is(memory.note("", 4), undefined, "a node without an identity is nobody's successor");
  for (let at = 0; at < MAX_INSTANCES - 1; at++) memory.note(`other ${at}`, at);
  t.is(memory.note("a", 3), 2, "seen last, forgotten last");
  memory.note("one more", 1);
  t.is(memory.note("other 0", 99), undefined, "the oldest made room");
});
