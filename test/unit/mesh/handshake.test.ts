import { readFileSync } from "node:fs";
import test from "ava";
import fc from "fast-check";
import { type Identity, judgeReply, judgeRequest } from "../../../router-daemon/src/mesh/handshake-rules.ts";
import { LINK_REASONS } from "../../../router-daemon/src/mesh/reason.ts";
import { decodeHandshake, encodeHandshake } from "../../../router-daemon/src/wire/handshake.ts";
import { networkDigest } from "../../../router-daemon/src/wire/network-key.ts";
import { FakeNetwork, fromHex, toHex } from "./fake-underlay.ts";
import { TestNode } from "./test-node.ts";

const vectors = JSON.parse(readFileSync(new URL("../../vectors/links.json", import.meta.url), "utf8"));
const captures = JSON.parse(readFileSync(new URL("../../vectors/captures.json", import.meta.url), "utf8"));

interface Vector {
  name: string;
  protobuf: string;
  packet?: string;
}
const { peerA, peerB, peerShared } = vectors.meta;
const known = networkDigest("my-network", "my-network-secret");
/** What the recorded messages say, in their order. */
const EXPECTED = [
  { peerId: peerA, networkName: "my-network", digest: known },
  { peerId: peerB, networkName: "my-network", digest: known },
  { peerId: peerShared, networkName: "public-net", digest: new Uint8Array(32) },
  { peerId: peerB, networkName: "my-network", digest: new Uint8Array(32) },
];

for (const [at, { name, protobuf, packet }] of (vectors.handshake as Vector[]).entries()) {
  test(`handshake vector: ${name}`, (t) => {
    const body = fromHex(protobuf);
    const handshake = decodeHandshake(body, 0, body.length);
    t.deepEqual(handshake, EXPECTED[at]);
    t.is(handshake && toHex(encodeHandshake(handshake)), protobuf);
    if (packet !== undefined) t.true(packet.endsWith(protobuf));
  });
}

test("every captured handshake reads as it was decoded, features or not", (t) => {
  let seen = 0;
  for (const session of captures.sessions) {
    for (const frame of session.frames) {
      if (frame.handshake === undefined) continue;
      const bytes = fromHex(frame.hex).subarray(frame.udp === undefined ? 4 : 8);
      const handshake = decodeHandshake(bytes, 16, bytes.length);
      t.is(handshake?.peerId, frame.handshake.my_peer_id, frame.what);
      t.is(handshake?.networkName, frame.handshake.network_name);
      t.is(handshake && toHex(handshake.digest), frame.handshake.network_secret_digest);
      seen++;
    }
  }
  t.true(seen >= 9);
});

const digest = networkDigest("lab", "secret");
const zero = new Uint8Array(32);
const own: Identity = { peerId: 7, networkName: "lab", digest };

test("as client: the right digest makes a peer, zeros or another digest mean a wrong secret", (t) => {
  t.deepEqual(judgeReply(own, { peerId: 8, networkName: "lab", digest }), { accepted: true, shared: false });
  for (const other of [zero, networkDigest("lab", "other")]) {
    t.deepEqual(judgeReply(own, { peerId: 8, networkName: "lab", digest: other }), {
      accepted: false,
      reason: "wrong_network_secret",
    });
  }
});

test("as client: another name makes a shared node, our own id a conflict", (t) => {
  t.deepEqual(judgeReply(own, { peerId: 8, networkName: "public", digest: zero }), {
    accepted: true,
    shared: true,
  });
  t.deepEqual(judgeReply(own, { peerId: 7, networkName: "lab", digest }), {
    accepted: false,
    reason: "peer_id_conflict",
  });
});

test("as server: the digest is shown only to those who know it", (t) => {
  const known = judgeRequest(own, { peerId: 8, networkName: "lab", digest });
  t.deepEqual(known.verdict, { accepted: true, shared: false });
  t.deepEqual(known.replyDigest, digest);
  for (const [networkName, shown, reason] of [
    ["lab", zero, "wrong_network_secret"],
    ["lab", networkDigest("lab", "other"), "wrong_network_secret"],
    ["other", networkDigest("other", "secret"), "wrong_network_name"],
    ["other", digest, "wrong_network_name"],
  ] as const) {
    const { verdict, replyDigest } = judgeRequest(own, { peerId: 8, networkName, digest: shown });
    t.deepEqual(verdict, { accepted: false, reason });
    t.deepEqual(replyDigest, zero);
  }
  t.deepEqual(judgeRequest(own, { peerId: 7, networkName: "lab", digest }).verdict, {
    accepted: false,
    reason: "peer_id_conflict",
  });
});

test("a body that is too long, has no peer id or another digest length is none", (t) => {
  const good = encodeHandshake({ peerId: 8, networkName: "lab", digest });
  t.truthy(decodeHandshake(good, 0, good.length));
  for (const bad of [
    encodeHandshake({ peerId: 0, networkName: "lab", digest }),
    encodeHandshake({ peerId: 8, networkName: "lab", digest: digest.subarray(1) }),
    encodeHandshake({ peerId: 8, networkName: "lab", digest: new Uint8Array(0) }),
    encodeHandshake({ peerId: 8, networkName: "x".repeat(600), digest }),
  ]) {
    t.is(decodeHandshake(bad, 0, bad.length), undefined);
  }
  for (let length = 0; length < good.length; length++) t.is(decodeHandshake(good, 0, length), undefined);
});

test("whatever bytes come as a handshake, reading them never throws", (t) => {
  const good = encodeHandshake({ peerId: 8, networkName: "lab", digest });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(), fc.nat(255), (noise, at, value) => {
      decodeHandshake(noise, 0, noise.length);
      const mutated = good.slice();
      mutated[at % mutated.length] = value;
      decodeHandshake(mutated, 0, mutated.length);
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

// ── between nodes ───────────────────────────────────────────────────────────────────────────────────────────────────

test("a wrong secret is noticed and told on both sides, once, and no link comes of it", (t) => {
  const network = new FakeNetwork(3);
  const server = new TestNode(network, { address: "192.0.2.1" });
  const client = new TestNode(network, {
    address: "192.0.2.2",
    networkSecret: "mistyped",
    peers: ["udp://192.0.2.1:11010"],
  });
  network.run(30_000);
  const failures = client.eventsOf("dial_failed");
  t.deepEqual(
    failures.map(({ reason }) => reason),
    ["wrong_network_secret"],
  );
  t.true(failures[0]!.message.includes(LINK_REASONS.wrong_network_secret));
  t.deepEqual(
    server.eventsOf("link_refused").map(({ reason }) => reason),
    ["wrong_network_secret"],
  );
  t.deepEqual([...client.direct, ...server.direct], []);
  t.is(server.node.counters().half_open, 0);
});

test("another network's name is told on both sides; the client's link ends when nothing is ever heard on it", (t) => {
  const network = new FakeNetwork(4);
  const server = new TestNode(network, { address: "192.0.2.1", networkName: "theirs" });
  const client = new TestNode(network, { address: "192.0.2.2", peers: ["udp://192.0.2.1:11010"] });
  network.run(15_000);
  t.like(server.eventsOf("link_refused")[0], { reason: "wrong_network_name" });
  t.true(server.eventsOf("link_refused")[0]!.message.endsWith("It names the network lab."));
  t.like(client.eventsOf("link_up")[0], { shared: true });
  t.like(client.eventsOf("link_down")[0], { reason: "wrong_network_name" });
  t.is(server.eventsOf("link_up").length, 0);
});

test("two nodes with the same id refuse each other; the one that dialled is told to start over", (t) => {
  const network = new FakeNetwork(5);
  const server = new TestNode(network, { address: "192.0.2.1", peerId: 77 });
  const client = new TestNode(network, {
    address: "192.0.2.2",
    peerId: 77,
    peers: ["udp://192.0.2.1:11010"],
  });
  network.run(3_000);
  t.true(client.eventsOf("duplicate_peer_id").length > 0);
  t.like(server.eventsOf("link_refused")[0], { reason: "peer_id_conflict" });
  // Anybody who has seen a handshake could repeat it with our id: being dialled must not make us start over.
  t.is(server.eventsOf("duplicate_peer_id").length, 0);
});

test("a node that dials itself is told so, and not that its id is taken", (t) => {
  const network = new FakeNetwork(6);
  const node = new TestNode(network, { address: "192.0.2.1", peers: ["udp://192.0.2.1:11010"] });
  network.run(20_000);
  t.deepEqual(
    node.eventsOf("dial_failed").map(({ reason }) => reason),
    ["self_connection"],
  );
  t.is(node.eventsOf("duplicate_peer_id").length, 0);
  t.deepEqual(node.direct, []);
});

test("addresses inside the virtual network are neither dialled nor accepted", (t) => {
  const network = new FakeNetwork(7);
  const inside = new TestNode(network, { address: "10.144.1.9" });
  const outside = new TestNode(network, {
    address: "192.0.2.2",
    peers: ["udp://10.144.1.9:11010"],
  });
  network.run(5_000);
  t.like(outside.eventsOf("dial_failed")[0], { reason: "overlay_address" });
  inside.node.setPeers(["udp://192.0.2.2:11010"], network.now);
  network.run(5_000);
  t.like(outside.eventsOf("link_refused")[0], { reason: "overlay_address" });
  t.deepEqual(outside.direct, []);
});

test("nodes in secure mode are refused with the remedy", (t) => {
  const network = new FakeNetwork(8);
  const server = new TestNode(network, { address: "192.0.2.1" });
  const send = (hex: string): void =>
    network.send({ from: "192.0.2.9", fromPort: 5, to: "192.0.2.1", toPort: 11010, bytes: fromHex(hex) });
  send("01000000" + "01000800" + "0102030405060708");
  network.run(20);
  t.is(server.node.counters().half_open, 1);
  // A first packet of type 13 instead of 2.
  send("01000000" + "03001400" + "44332211" + "00000000" + "0d000100" + "04000000" + "00000000");
  network.run(20);
  t.is(server.node.counters().half_open, 0);
  t.like(server.eventsOf("link_refused")[0], { reason: "not_a_handshake" });
});
