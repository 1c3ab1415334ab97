/** Peers by name. */
import test from "ava";
import { LINK_REASONS } from "../../../router-daemon/src/mesh/reason.ts";
import { FakeNetwork } from "./fake-underlay.ts";
import { A, B, isLinked } from "./link-kit.ts";
import { TestNode } from "./test-node.ts";

// ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a host name is asked for, dialled when the answer comes, and asked for again after a failure", (t) => {
  const network = new FakeNetwork(18);
  const a = new TestNode(network, { address: A });
  const url = "udp://router.example.net";
  const b = new TestNode(network, { address: B, peers: [url] });
  network.run(100);
  t.like(b.eventsOf("resolve"), [{ url, host: "router.example.net", port: 11010 }]);
  // First an address where nobody is.
  b.node.handleResolved(url, [{ address: "192.0.2.250", port: 11010 }], network.now);
  network.run(3_500);
  t.like(b.eventsOf("dial_failed")[0], { reason: "no_answer" });
  t.is(b.eventsOf("resolve").length, 2);
  b.node.handleResolved(url, [{ address: A, port: 11010 }], network.now);
  t.true(network.runUntil(() => isLinked(a, b), 7_000));
});

test("a name without an answer is asked for ever more slowly and told once", (t) => {
  const network = new FakeNetwork(19);
  const url = "udp://nowhere.example.net:4000";
  const b = new TestNode(network, { address: B, peers: [url] });
  for (let second = 0; second < 120; second++) {
    const asked = b.eventsOf("resolve").length;
    network.run(1000);
    if (b.eventsOf("resolve").length > asked) b.node.handleResolved(url, [], network.now);
  }
  t.deepEqual(
    b.eventsOf("dial_failed").map(({ reason }) => reason),
    ["name_not_resolved"],
  );
  const asked = b.eventsOf("resolve").length;
  t.true(asked >= 6 && asked <= 12, `${asked}`);
});

test("a resolver that never answers is asked again", (t) => {
  const network = new FakeNetwork(20);
  const b = new TestNode(network, { address: B, peers: ["udp://nowhere.example.net:4000"] });
  network.run(60_000);
  t.true(b.eventsOf("resolve").length >= 3);
  t.like(b.eventsOf("dial_failed")[0], { reason: "name_not_resolved" });
});

test("while a new answer is awaited the addresses known so far are dialled", (t) => {
  const network = new FakeNetwork(21);
  const a = new TestNode(network, { address: A });
  const url = "udp://router.example.net:11010";
  const b = new TestNode(network, { address: B, peers: [url] });
  network.run(10);
  b.node.handleResolved(url, [{ address: A, port: 11010 }], network.now);
  network.run(1000);
  t.true(isLinked(a, b));
  network.filter = () => false;
  network.run(45_000);
  network.filter = () => true;
  // DNS runs over the same broken line: nobody answers the second question.
  t.true(network.runUntil(() => isLinked(a, b), 4_000));
});

test("IPv4 is tried before IPv6, one address of each in a round", (t) => {
  const network = new FakeNetwork(22);
  const url = "udp://both.example.net:11010";
  const b = new TestNode(network, { address: B, peers: [url] });
  network.run(10);
  network.log = [];
  b.node.handleResolved(
    url,
    [
      { address: "2001:db8::1", port: 11010 },
      { address: "192.0.2.200", port: 11010 },
    ],
    network.now,
  );
  network.run(6_100);
  const order = [...new Set(network.log.map(({ to }) => to))];
  t.deepEqual(order, ["192.0.2.200", "2001:db8::1"]);
});

test("every reason has a sentence that ends like one", (t) => {
  for (const sentence of Object.values(LINK_REASONS)) t.regex(sentence, /^[A-Z].*\.$/);
});
