/** Peers by name and by URL. */
import test from "ava";
import { checkListenerUrl, checkPeerUrl } from "../../../router-daemon/src/mesh/peer-url.ts";
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

// ── URLs ────────────────────────────────────────────────────────────────────────────────────────────────────────────

for (const url of [
  "udp://203.0.113.5:11010",
  "udp://203.0.113.5",
  "udp://203.0.113.5:11010/",
  "udp://[2001:db8::1]:443",
  "udp://example.net",
  "UDP://my-host_1.lan:5",
]) {
  test(`${url} can be dialled`, (t) => {
    t.is(checkPeerUrl(url), undefined);
  });
}

for (const [url, sentence] of [
  ["tcp://203.0.113.5:11010", /speaks UDP links only. Write udp:\/\/ instead of tcp:\/\//],
  ["ws://h", /UDP links only/],
  ["wg://h:1", /UDP links only/],
  ["quic://h", /UDP links only/],
  ["https://example.net/list?x=1", /UDP links only/],
  ["txt://example.net", /UDP links only/],
  ["gopher://h", /is not a peer URL/],
  ["203.0.113.5:11010", /is not a peer URL/],
  ["udp://", /names no host/],
  ["udp://:5", /names no host/],
  ["udp://h:0", /port 0/],
  ["udp://h:70000", /above 65535/],
  ["udp://h:x", /is not a peer URL/],
  ["udp://1.2.3.999:5", /neither an address nor a host name/],
  ["udp://ho st:5", /neither an address nor a host name/],
  ["udp://-bad-:5", /neither an address nor a host name/],
  ["udp://[1.2.3.4]:5", /names no host/],
  ["udp://0.0.0.0:5", /no address to dial/],
  ["udp://user@h:5", /is not a peer URL/],
  ["udp://h:5?x", /is not a peer URL/],
  ["", /is not a peer URL/],
] as const) {
  test(`"${url}" is refused with a sentence`, (t) => {
    t.regex(checkPeerUrl(url) ?? "", sentence);
  });
}

test("listeners are UDP addresses of this machine", (t) => {
  for (const url of ["udp://0.0.0.0:11010", "udp://[::]:11010", "udp://127.0.0.1", "udp://0.0.0.0:0"]) {
    t.is(checkListenerUrl(url), undefined, url);
  }
  t.regex(checkListenerUrl("tcp://0.0.0.0:11010") ?? "", /UDP links only/);
  t.regex(checkListenerUrl("udp://example.net:11010") ?? "", /address of this machine/);
  t.regex(checkListenerUrl("11010") ?? "", /not a listener URL/);
});

test("every reason has a sentence that ends like one", (t) => {
  for (const sentence of Object.values(LINK_REASONS)) t.regex(sentence, /^[A-Z].*\.$/);
});
