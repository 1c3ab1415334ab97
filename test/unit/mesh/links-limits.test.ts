/** The named bounds of the link side. */
import test from "ava";
import { Connector } from "../../../router-daemon/src/mesh/connector.ts";
import { EventQueue, quoted } from "../../../router-daemon/src/mesh/event.ts";
import { HalfOpenTable } from "../../../router-daemon/src/mesh/half-open.ts";
import { ipListResponse, MAX_TOLD_ADDRESSES } from "../../../router-daemon/src/mesh/ip-list.ts";
import {
  HALF_OPEN_EVICTABLE_MS,
  HALF_OPEN_TIMEOUT_MS,
  MAX_ADDRESSES_PER_NAME,
  MAX_EVENTS,
  MAX_HALF_OPEN,
  MAX_LISTENERS,
  MAX_PEER_URLS,
  MAX_REMEMBERED_REFUSALS,
  REFUSAL_REPEAT_MS,
} from "../../../router-daemon/src/mesh/limits.ts";
import { sessionKey } from "../../../router-daemon/src/mesh/link-table.ts";
import { RefusalLog } from "../../../router-daemon/src/mesh/refusal-log.ts";
import { formatEndpoint, parseEndpoint } from "../../../router-daemon/src/wire/endpoint.ts";
import { parsePeerUrl } from "../../../router-daemon/src/wire/udp-url.ts";
import { FakeNetwork, Seeded } from "./fake-underlay.ts";
import { A, B, isLinked, URL_A } from "./link-kit.ts";
import { TestNode } from "./test-node.ts";

test("the table of half-open sessions gives up its oldest entry, and only when that one had its chance", (t) => {
  const table = new HalfOpenTable();
  const add = (at: number, now: number): boolean => {
    const endpoint = parseEndpoint({ address: `198.51.${at >> 8}.${at & 255}`, port: 7 })!;
    return table.add(sessionKey(1, endpoint, 0, at), 1, endpoint, at, now) !== undefined;
  };
  for (let at = 0; at < MAX_HALF_OPEN; at++) t.true(add(at, 0));
  t.false(add(1000, HALF_OPEN_EVICTABLE_MS - 1));
  t.true(add(1000, HALF_OPEN_EVICTABLE_MS));
  t.is(table.size, MAX_HALF_OPEN);
  t.is(table.expire(HALF_OPEN_TIMEOUT_MS), MAX_HALF_OPEN - 1);
  table.removeSocket(1);
  t.is(table.size, 0);
  t.is(table.nextTimeout, Number.POSITIVE_INFINITY);
});

test("events nobody polls are dropped from the old end and counted", (t) => {
  const queue = new EventQueue();
  for (let at = 0; at < MAX_EVENTS + 5; at++) {
    queue.push("info", `${at}`, { type: "peer_joined", peerId: at });
  }
  t.is(queue.length, MAX_EVENTS);
  t.is(queue.dropped, 5);
  t.is(queue.poll()?.message, "5");
});

test("names that others chose cannot break a line of the log", (t) => {
  t.is(quoted("router-1.lan"), "router-1.lan");
  t.is(quoted("办公室"), '"办公室"');
  t.is(quoted("two words"), '"two words"');
  t.is(quoted("a\nb\u001b[31m"), '"a\\nb\\u001b[31m"');
  t.is(quoted("a\u202eb\u009bc"), '"a?b?c"');
  t.is(quoted(""), '""');
  t.true(quoted("x".repeat(500)).length < 80);
});

test("a refusal is told once a minute per address and reason, and the memory of it is bounded", (t) => {
  const log = new RefusalLog();
  const endpoint = (at: number): Uint8Array =>
    parseEndpoint({ address: `198.51.${at >> 8}.${at & 255}`, port: at })!;
  t.true(log.isNews(endpoint(1), "table_full", 0));
  t.false(log.isNews(endpoint(1), "table_full", REFUSAL_REPEAT_MS - 1));
  t.true(log.isNews(endpoint(1), "bad_handshake", 1));
  t.true(log.isNews(endpoint(1), "table_full", REFUSAL_REPEAT_MS));
  for (let at = 2; at < MAX_REMEMBERED_REFUSALS + 10; at++)
    log.isNews(endpoint(at), "table_full", REFUSAL_REPEAT_MS + at);
  t.true(log.isNews(endpoint(1), "table_full", REFUSAL_REPEAT_MS + 2000), "forgotten, as others came");
});

test("peers and listeners beyond the limits are refused with a sentence", (t) => {
  const network = new FakeNetwork(32);
  const a = new TestNode(network, { address: A, listen: false });
  const urls = Array.from({ length: MAX_PEER_URLS + 2 }, (_, at) => `udp://192.0.2.3:${1000 + at}`);
  t.is(a.node.setPeers(urls, network.now).length, 2);
  const listeners = Array.from({ length: MAX_LISTENERS + 1 }, (_, at) => `udp://0.0.0.0:${2000 + at}`);
  const failures = a.node.setListeners(listeners, network.now);
  t.is(failures.length, 1);
  t.regex(failures[0]!.message, /at most 16/);
});

test("a port in use is one sentence with the remedy, and the other listeners stay", (t) => {
  const network = new FakeNetwork(33);
  const a = new TestNode(network, { address: A });
  a.underlay.busyPorts.add(5000);
  const failures = a.node.setListeners(["udp://0.0.0.0:11010", "udp://0.0.0.0:5000"], network.now);
  t.is(failures.length, 1);
  t.is(
    failures[0]!.message,
    "Cannot listen on udp://0.0.0.0:5000: Address already in use. Free the port 5000 or choose another one.",
  );
  t.deepEqual(
    a.node.listeners.map(({ port }) => port),
    [11010],
  );
});

test("no socket to dial from is told, and tried again", (t) => {
  const network = new FakeNetwork(34);
  const a = new TestNode(network, { address: A });
  const b = new TestNode(network, { address: B });
  b.underlay.outOfSockets = true;
  b.node.setPeers([URL_A], network.now);
  network.run(3000);
  t.like(b.eventsOf("dial_failed"), [{ reason: "socket_failed" }]);
  b.underlay.outOfSockets = false;
  t.true(network.runUntil(() => isLinked(a, b), 1500));
});

test("of a name's addresses only the first sixteen are kept", (t) => {
  const target = parsePeerUrl("udp://many.example.net");
  if (typeof target === "string") throw new Error(target);
  const connector = new Connector(target);
  const random = new Seeded(1);
  t.deepEqual(connector.step(0, random.u32), { do: "resolve" });
  const endpoints = Array.from({ length: 100 }, (_, at) => ({ address: `198.51.100.${at}`, port: 1 }));
  t.true(connector.handleResolved(endpoints, 0));
  const tried = new Set<string>();
  for (let now = 0; now < 2_000_000; now += 1000) {
    const step = connector.step(now, random.u32);
    if (step.do !== "dial") continue;
    tried.add(formatEndpoint(step.endpoint));
    connector.failed("no_answer", now);
  }
  t.is(tried.size, MAX_ADDRESSES_PER_NAME);
});

test("of a machine's many addresses only so many are told", (t) => {
  const { interfaceIpv4s, interfaceIpv6s, listeners } = ipListResponse([], {
    interfaceIpv4s: Array.from({ length: 100 }, (_, at) => at + 1),
    interfaceIpv6s: Array.from({ length: 100 }, () => new Uint8Array(16)),
    publicIpv4: 0,
    mappedListeners: Array.from({ length: 100 }, (_, at) => `udp://192.0.2.1:${at + 1}`),
  });
  t.is(interfaceIpv4s?.length, MAX_TOLD_ADDRESSES);
  t.is(interfaceIpv6s?.length, MAX_TOLD_ADDRESSES);
  t.is(listeners?.length, MAX_TOLD_ADDRESSES);
});
