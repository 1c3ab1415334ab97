/** What a peer, or many, cannot do: every limit, and packets that are not for us. */
import test from "ava";
import type { Capabilities } from "../../../router-daemon/src/kcp/conn-data.ts";
import { encodeSyn } from "../../../router-daemon/src/kcp/conn-data.ts";
import { DEFAULT_KCP_LIMITS, KcpEndpoint, Ready } from "../../../router-daemon/src/kcp/index.ts";
import { KcpFlag } from "../../../router-daemon/src/kcp/packet.ts";
import { encode } from "../../../router-daemon/src/wire/messages/encode.ts";
import { KcpConnData } from "../../../router-daemon/src/wire/messages/gen/messages.ts";
import { EMPTY, encodePacket, Probe } from "./probe.ts";

const { syn: SYN, ack: ACK, data: DATA, rst: RST } = KcpFlag;
const OURS: Capabilities = { extendedAcks: true, mtu: 1346, halfClose: true };
const BUSY = 6;
const DENIED = 5;

function target(port: number) {
  return { source: { ip: 0x0a000001, port }, destination: { ip: 0x0a000002, port: 80 } };
}

const ourSyn = (port: number): Uint8Array => encodeSyn(target(port), OURS);
const stockSyn = (port: number): Uint8Array =>
  encode(KcpConnData, {
    src: { ipv4: { addr: 0x0a000001 }, port },
    dst: { ipv4: { addr: 0x0a000002 }, port: 80 },
  });

test("a flood of SYNs is bounded by the half-open limits, per peer and in all, and told so", (t) => {
  for (const syn of [ourSyn, stockSyn]) {
    const probe = new Probe("destination", { maxHalfOpen: 30, maxHalfOpenPerPeer: 20 });
    for (let i = 0; i < 100; i++) probe.put(i, SYN, syn(1_000 + i));
    t.is(probe.endpoint.connectionCount, 20);
    for (let i = 0; i < 100; i++) probe.put(i, SYN, syn(1_000 + i), 99);
    t.is(probe.endpoint.connectionCount, 30);
    t.is(probe.endpoint.counters.refusedBusy, 170);
    const resets = probe.take().filter((packet) => packet.flags === RST);
    t.true(resets.length > 0);
    for (const reset of resets) t.deepEqual(reset.body, syn === ourSyn ? Uint8Array.of(BUSY) : EMPTY);
    probe.dispose();
    t.is(probe.pool.freeSlots, probe.pool.slotCount);
  }
});

test("half-open connections nobody completes go away by themselves", (t) => {
  const probe = new Probe("destination", { maxHalfOpen: 20 });
  for (let i = 0; i < 10; i++) probe.put(i, SYN, stockSyn(1_000 + i));
  for (let i = 10; i < 20; i++) probe.put(i, SYN, ourSyn(1_000 + i));
  for (let seconds = 0; seconds < 30; seconds++) {
    probe.pass(1_000);
    for (let found = probe.endpoint.pollReady(); found !== undefined; found = probe.endpoint.pollReady()) {
      if ((found.takeReady() & Ready.closed) !== 0) found.release(probe.now);
    }
  }
  t.is(probe.endpoint.connectionCount, 0);
  probe.put(50, SYN, stockSyn(5_000));
  t.is(probe.endpoint.connectionCount, 1, "there is room again");
});

test("established connections are bounded, per peer and in all; room comes back", (t) => {
  const probe = new Probe("destination", { maxConnections: 12, maxConnectionsPerPeer: 10 });
  for (let i = 0; i < 20; i++) {
    probe.put(i, SYN, stockSyn(1_000 + i));
    probe.put(i, ACK | DATA);
    probe.put(i, SYN, stockSyn(2_000 + i), 99);
    probe.put(i, ACK | DATA, EMPTY, 99);
  }
  t.is(probe.endpoint.connectionCount, 12);
  const [first] = probe.endpoint.connections;
  first!.release(probe.now);
  probe.pass(5_000);
  t.is(probe.endpoint.connectionCount, 11);
});

test("the source role is bounded too", (t) => {
  const probe = new Probe("source", { maxConnections: 5, maxConnectionsPerPeer: 3 });
  const opened = Array.from({ length: 10 }, (_, i) => probe.endpoint.connect(72, target(i), 0));
  t.is(opened.filter((connection) => connection !== undefined).length, 3);
  const others = Array.from({ length: 10 }, (_, i) => probe.endpoint.connect(73, target(i), 0));
  t.is(others.filter((connection) => connection !== undefined).length, 2);
  t.throws(() => new Probe("destination").endpoint.connect(72, target(1), 0), { instanceOf: TypeError });
});

test("attempts of a race that was given up are reset, also when their answers come late", (t) => {
  const probe = new Probe("source");
  const connection = probe.endpoint.connect(probe.peerId, target(1), 0)!;
  const convs = [...new Set(probe.pass(1_500).map((packet) => packet.conv))];
  t.true(convs.length >= 3);
  connection.abort(probe.now);
  connection.release(probe.now);
  const resets = probe.take().filter((packet) => packet.flags === RST);
  t.deepEqual(resets.map((packet) => packet.conv).sort(), [...convs].sort());
  probe.pass(5_000);
  t.is(probe.endpoint.connectionCount, 0);
  for (const conv of convs) probe.put(conv, SYN | ACK);
  t.deepEqual(
    probe.take().map((packet) => packet.flags),
    convs.map(() => RST),
  );
});

test("packets whose ids are not the sender's and ours are dropped and not answered", (t) => {
  for (const role of ["source", "destination"] as const) {
    const probe = new Probe(role);
    const ids = [probe.localId, probe.peerId, 5];
    let dropped = 0;
    for (const sourceId of ids) {
      for (const destinationId of ids) {
        const isRight =
          role === "source"
            ? sourceId === probe.localId && destinationId === probe.peerId
            : sourceId === probe.peerId && destinationId === probe.localId;
        if (isRight) continue;
        for (const flags of [SYN, ACK | DATA, KcpFlag.ping]) {
          probe.raw(encodePacket({ conv: 1, sourceId, destinationId, flags, body: stockSyn(1) }));
          dropped++;
        }
      }
    }
    t.is(probe.endpoint.counters.droppedForeignIds, dropped);
    t.deepEqual(probe.take(), []);
    t.is(probe.endpoint.connectionCount, 0);
  }
});

test("another peer cannot touch a connection by naming its conv", (t) => {
  const probe = new Probe("destination");
  probe.put(7, SYN, stockSyn(1));
  probe.put(7, ACK | DATA);
  const connection = probe.endpoint.pollReady()!;
  probe.put(7, RST, EMPTY, 99);
  t.is(connection.state, "open");
});

test("short packets and connection data without a target are counted", (t) => {
  const probe = new Probe("destination");
  for (let length = 0; length < 14; length++) probe.raw(new Uint8Array(length));
  t.is(probe.endpoint.counters.droppedShort, 14);
  probe.put(1, SYN, Uint8Array.of(0xff, 0xff, 0xff));
  probe.put(2, SYN, EMPTY);
  const noTarget = encode(KcpConnData, {
    kcpRouter: { extendedAcks: true, maxSegmentBytes: 0, halfClose: true },
  });
  probe.put(3, SYN, noTarget);
  t.is(probe.endpoint.counters.droppedConnectionData, 3);
  t.is(probe.endpoint.connectionCount, 0);
  const replies = new Map(probe.take().map((packet) => [packet.conv, packet]));
  t.deepEqual([...replies.keys()].sort(), [1, 2, 3]);
  for (const packet of replies.values()) t.is(packet.flags, RST);
  t.deepEqual(replies.get(3)!.body, Uint8Array.of(DENIED));
});

test("a SYN that the network held back does not open a second connection", (t) => {
  const probe = new Probe("destination");
  probe.put(7, SYN, stockSyn(1));
  probe.put(7, ACK | DATA);
  const connection = probe.endpoint.pollReady()!;
  probe.put(7, RST);
  connection.release(probe.now);
  probe.pass(5_000);
  t.is(probe.endpoint.connectionCount, 0);
  probe.put(7, SYN, stockSyn(1));
  t.is(probe.endpoint.connectionCount, 0);
  t.deepEqual(
    probe.take().map((packet) => packet.flags),
    [RST],
  );
});

test("a refused client hears the reason again as long as it asks", (t) => {
  const probe = new Probe("destination");
  probe.put(7, SYN, ourSyn(1));
  const connection = probe.endpoint.pollReady()!;
  connection.refuse(probe.now, "target_refused");
  connection.release(probe.now);
  const reasons: number[] = [];
  for (const wait of [1, 250, 1_000, 5_000]) {
    reasons.push(...probe.pass(wait).map((packet) => packet.body[0]!));
    probe.put(7, SYN, ourSyn(1));
    // Another attempt of the same client, right away.
    if (wait === 1) probe.put(8, SYN, ourSyn(1));
    reasons.push(...probe.take().map((packet) => packet.body[0]!));
  }
  t.true(reasons.length >= 5);
  t.deepEqual(new Set(reasons), new Set([2]));
  t.is(probe.endpoint.counters.opened, 1);
});

test("limits that do not fit are refused with a sentence", (t) => {
  const make = (limits: object) => () => new Probe("source", limits);
  t.throws(make({ extendedMtu: 1600 }), { instanceOf: RangeError, message: /extendedMtu/ });
  t.throws(make({ extendedMtu: 100 }), { message: /extendedMtu/ });
  t.throws(make({ extendedWindow: 8192 }), { message: /extendedWindow/ });
  t.throws(make({ maxConnections: 0 }), { message: /maxConnections must be above 0/ });
  t.throws(make({ silenceMs: Number.NaN }), { message: /silenceMs/ });
  t.notThrows(make({ extendedMtu: 1400 }));
  t.true(DEFAULT_KCP_LIMITS.maxConnections >= DEFAULT_KCP_LIMITS.maxHalfOpen);
});

test("a peer that is gone takes its connections with it, and only its", (t) => {
  const probe = new Probe("source");
  const a = probe.endpoint.connect(72, target(1), 0)!;
  const b = probe.endpoint.connect(73, target(2), 0)!;
  probe.take();
  probe.endpoint.forgetPeer(72, 0);
  t.is(a.closeReason, "peer_gone");
  t.is(b.state, "opening");
  t.deepEqual(probe.take(), []);
});

test("a released connection never comes back from pollReady, and its slots are free", (t) => {
  const probe = new Probe("destination");
  probe.put(7, SYN, stockSyn(1));
  probe.put(7, ACK | DATA);
  for (let sn = 0; sn < 10; sn++) probe.putSegment(7, { sn, data: new Uint8Array(1_000) });
  const [connection] = probe.endpoint.connections;
  t.is(connection!.readableBytes, 10_000);
  connection!.release(probe.now);
  t.is(probe.endpoint.pollReady(), undefined);
  t.is(connection!.readableBytes, 0);
  t.is(connection!.writableBytes, 0);
  t.is(connection!.reserve(new Int32Array(8), 0, 4), 0);
  t.is(probe.pool.freeSlots, probe.pool.slotCount - 4);
  probe.pass(5_000);
  t.is(probe.endpoint.connectionCount, 0);
});

test("what was received stays readable after the end, until it is read", (t) => {
  const probe = new Probe("destination");
  probe.put(7, SYN, stockSyn(1));
  probe.put(7, ACK | DATA);
  probe.putSegment(7, { data: new Uint8Array(500) });
  probe.take();
  probe.put(7, KcpFlag.fin);
  const [connection] = probe.endpoint.connections;
  connection!.shutdown(probe.now);
  probe.pass(30_000);
  t.is(connection!.closeReason, "finished");
  t.is(connection!.read(new Uint8Array(1_000)), 500);
});

test("an endpoint needs slots for its control packets, and gives them back", (t) => {
  const pool = new Probe("source").pool;
  while (pool.freeSlots > 3) pool.alloc();
  t.throws(() => new KcpEndpoint({ role: "source", localPeerId: 1, pool, random: () => {} }), {
    instanceOf: RangeError,
  });
});
