/** What comes in at listeners: sessions, floods, strangers. */
import test from "ava";
import {
  HALF_OPEN_TIMEOUT_MS,
  MAX_ACCEPTED_LINKS,
  MAX_HALF_OPEN,
  MAX_HALF_OPEN_PER_ADDRESS,
} from "../../../router-daemon/src/mesh/limits.ts";
import { parseEndpoint } from "../../../router-daemon/src/wire/endpoint.ts";
import { writePeerHeader } from "../../../router-daemon/src/wire/peer-header.ts";
import { TunnelType, writeTunnelHeader } from "../../../router-daemon/src/wire/udp-tunnel.ts";
import { FakeNetwork } from "./fake-underlay.ts";
import { A, B, handshake, isLinked, packetType, pair, syn, tunnelType, URL_A } from "./link-kit.ts";
import { TestNode } from "./test-node.ts";

test("a repeated SYN is answered again and makes no second session, before the handshake and after", (t) => {
  const network = new FakeNetwork(23);
  const a = new TestNode(network, { address: A });
  network.log = [];
  const sacks = (): number =>
    network.log!.filter((datagram) => datagram.from === A && tunnelType(datagram) === TunnelType.sack).length;
  for (let at = 0; at < 5; at++) network.send(syn("192.0.2.9", 5000, 99));
  network.run(20);
  t.is(sacks(), 5);
  t.is(a.node.counters().half_open, 1);
  network.send(handshake("192.0.2.9", 5000, 99, 1234));
  network.run(20);
  t.is(a.node.counters().links, 1);
  network.send(syn("192.0.2.9", 5000, 99));
  network.run(20);
  t.is(sacks(), 6);
  t.is(a.node.counters().half_open, 0);
  t.is(a.node.counters().links, 1);
});

test("a SACK goes out only after the session is there: what follows at once is understood", (t) => {
  const network = new FakeNetwork(24);
  const a = new TestNode(network, { address: A });
  // Both in the same instant.
  network.send(syn("192.0.2.9", 5000, 99));
  network.send(handshake("192.0.2.9", 5000, 99, 1234));
  network.run(20);
  t.deepEqual(a.direct, [1234]);
});

test("packets that come in the same batch as the handshake find the link that it made", (t) => {
  const network = new FakeNetwork(25);
  const a = new TestNode(network, { address: A });
  network.send(syn("192.0.2.9", 5000, 99));
  network.run(20);
  const { bytes: shake } = handshake("192.0.2.9", 5000, 99, 1234);
  const ping = new Uint8Array(28);
  writeTunnelHeader(ping, 0, 99, TunnelType.data, 20);
  writePeerHeader(ping, 8, 1234, a.peerId, 4, 0, 4);
  // As the host hands them over when both were read before the link was known to it: two whole datagrams.
  const { pool } = a.underlay;
  const listener = [...a.underlay.sockets.keys()][0]!;
  network.log = [];
  for (const bytes of [shake, ping]) {
    const slot = pool.alloc();
    const start = slot * pool.slotBytes;
    pool.bytes.set(bytes, start);
    pool.bytes.set(parseEndpoint({ address: "192.0.2.9", port: 5000 })!, start + pool.slotBytes - 18);
    const taken = a.node.handleReceived(slot, start, bytes.length, -1, 4, network.now, listener);
    t.false(taken);
    pool.free(slot);
  }
  t.deepEqual(network.log.map(packetType), [2, 5]);
});

test("sessions that never show a handshake are forgotten after five seconds", (t) => {
  const network = new FakeNetwork(26);
  const a = new TestNode(network, { address: A });
  network.send(syn("192.0.2.9", 5000, 99));
  network.run(HALF_OPEN_TIMEOUT_MS - 10);
  t.is(a.node.counters().half_open, 1);
  network.run(100);
  t.is(a.node.counters().half_open, 0);
  t.is(a.node.drops.half_open_expired, 1);
});

test("a flood of SYNs is bounded per address and in all, and does not lock others out", (t) => {
  const network = new FakeNetwork(27);
  const a = new TestNode(network, { address: A });
  for (let at = 0; at < 100; at++) network.send(syn("198.51.100.1", 1000 + at, at));
  network.run(20);
  t.is(a.node.counters().half_open, MAX_HALF_OPEN_PER_ADDRESS);
  // Forged senders, 1000 a second, for as long as it takes.
  const b = new TestNode(network, { address: B, peers: [URL_A] });
  let forged = 0;
  const linked = network.runUntil(
    () => {
      for (let at = 0; at < 10; at++) {
        forged++;
        network.send(syn(`198.51.${forged >> 8}.${forged & 255}`, 1000, forged));
      }
      t.true(a.node.counters().half_open! <= MAX_HALF_OPEN);
      return isLinked(a, b);
    },
    30_000,
    10,
  );
  t.true(linked);
  t.true(a.node.drops.syn_refused! > 1000 || forged < 2000);
});

test("accepted links are bounded; what is dialled still finds room", (t) => {
  const network = new FakeNetwork(28);
  const a = new TestNode(network, { address: A, slots: 2048 });
  for (let at = 0; at < MAX_ACCEPTED_LINKS + 10; at++) {
    const from = `198.51.100.${at}`;
    network.send(syn(from, 1000, at));
    network.send(handshake(from, 1000, at, 1_000_000 + at));
    network.run(20);
  }
  t.is(a.node.counters().links, MAX_ACCEPTED_LINKS);
  t.true(a.eventsOf("link_refused").some(({ reason }) => reason === "table_full"));
  const b = new TestNode(network, { address: B });
  a.node.setPeers([`udp://${B}:11010`], network.now);
  t.true(network.runUntil(() => isLinked(a, b), 3000));
});

test("DATA of an unknown session, STUN, hole punches and reserved types are ignored and counted", (t) => {
  const network = new FakeNetwork(29);
  const a = new TestNode(network, { address: A });
  network.log = [];
  const send = (bytes: Uint8Array): void =>
    network.send({ from: "192.0.2.9", fromPort: 5, to: A, toPort: 11010, bytes });
  send(handshake("192.0.2.9", 5, 1, 2).bytes);
  send(Buffer.from("000100002112a442deadbeef0000000000000007", "hex"));
  for (const type of [2, 4, 5, 6, 7]) {
    const bytes = new Uint8Array(24);
    writeTunnelHeader(bytes, 0, 5, type, 16);
    send(bytes);
  }
  send(Uint8Array.of(1, 2, 3));
  network.run(100);
  const { unknown_session, stun, hole_punch, malformed_datagram } = a.node.drops;
  t.deepEqual(
    { unknown_session, stun, hole_punch, malformed_datagram },
    {
      unknown_session: 1,
      stun: 1,
      hole_punch: 1,
      malformed_datagram: 4,
    },
  );
  t.is(network.log.filter(({ from }) => from === A).length, 0);
});

test("a hole punch from the address that is dialled brings another SYN at once", (t) => {
  const network = new FakeNetwork(30);
  const b = new TestNode(network, { address: B, peers: [URL_A] });
  network.log = [];
  network.run(50);
  const port = network.log[0]!.fromPort;
  const bytes = new Uint8Array(40);
  writeTunnelHeader(bytes, 0, 1, TunnelType.holePunch, 32);
  network.send({ from: "192.0.2.99", fromPort: 11010, to: B, toPort: port, bytes });
  network.run(50);
  t.is(network.log.filter(({ from }) => from === B).length, 1, "somebody else's means nothing");
  network.send({ from: A, fromPort: 11010, to: B, toPort: port, bytes });
  network.run(50);
  t.is(network.log.filter(({ from }) => from === B).length, 2);
  t.is(b.direct.length, 0);
});

test("the address from which the SACK comes is where the link leads", (t) => {
  const { network, a, b } = pair(31, (net) => {
    net.hosts.set("192.0.2.100", {
      deliver: (datagram) => net.hosts.get(A)?.deliver({ ...datagram, to: A }, net.now),
      nextTimeout: Number.POSITIVE_INFINITY,
      handleTimeout: () => {},
    });
  });
  b.node.setPeers(["udp://192.0.2.100:11010"], network.now);
  network.run(1000);
  t.true(isLinked(a, b));
  t.is(b.eventsOf("link_up").at(-1)?.remote, `${A}:11010`);
});
