/** Every table and queue has its bound, and what happens there. */
import test from "ava";
import { FixedSlotPool } from "kcp-ts";
import { World } from "../../../router-daemon/kcp-ts/test/world.ts";
import { ChecksumForm } from "../../../router-daemon/src/quic/checksum.ts";
import { QuicEndpoint } from "../../../router-daemon/src/quic/index.ts";
import {
  CONTROL_SLOTS,
  MAX_CLOSE_REPEATS,
  MAX_HANDSHAKE_RECORDS,
  MAX_REMEMBERED_FORMS,
  MAX_SENT_RECORDS,
} from "../../../router-daemon/src/quic/limits.ts";
import { Peers } from "../../../router-daemon/src/quic/peers.ts";
import {
  MAX_DOUBLINGS,
  MAX_HANDSHAKE_DOUBLINGS,
  MAX_PROBE_TIMEOUT_MS,
  RoundTrip,
} from "../../../router-daemon/src/quic/round-trip.ts";
import { RecordState, SentPackets } from "../../../router-daemon/src/quic/sent-packets.ts";
import {
  decodeParameters,
  MAX_PARAMETER_BYTES,
  MAX_PARAMETERS,
} from "../../../router-daemon/src/quic/transport-parameters.ts";
import { writeVarint } from "../../../router-daemon/src/quic/varint.ts";
import { readDatagram, shortPacket } from "./packets.ts";
import { Side } from "./side.ts";
import { fromHex } from "./vectors.ts";

test("the ring of sent packets ends at its bound, finds numbers, and forgets from the head", (t) => {
  for (const most of [MAX_HANDSHAKE_RECORDS, MAX_SENT_RECORDS]) {
    const sent = new SentPackets(most);
    let number = 0;
    for (; !sent.isFull; number += 3) sent.add(number, 100, 0, undefined, -1, -1);
    t.is(sent.tail - sent.head, most);
    t.is(sent.flying, most);
    // Numbers 0, 3, 6 …: what is asked for may lie between.
    t.is(sent.find(7), 3);
    t.is(sent.number(sent.find(9)), 9);
    t.is(sent.find(number), sent.tail);
    for (let i = 0; i < 10; i++) {
      sent.settle(sent.head, RecordState.acknowledged);
      sent.forgetHead();
    }
    t.is(sent.flying, most - 10);
    t.is(sent.find(0), sent.head);
    sent.add(number, 100, 0, undefined, -1, -1);
    t.is(sent.number(sent.tail - 1), number);
  }
});

test("forms of the checksum are remembered for so many peers, the oldest goes first", (t) => {
  const peers = new Peers<unknown>();
  for (let id = 0; id < MAX_REMEMBERED_FORMS; id++) peers.rememberForm(id, ChecksumForm.narrow);
  peers.rememberForm(0, ChecksumForm.narrow);
  peers.rememberForm(99_999, ChecksumForm.wide);
  t.is(peers.form(1), undefined);
  t.is(peers.form(0), ChecksumForm.narrow);
  t.is(peers.form(99_999), ChecksumForm.wide);
});

test("a block of too many parameters, or too long, is refused", (t) => {
  const bytes = new Uint8Array(2 * MAX_PARAMETER_BYTES);
  let at = 0;
  for (let i = 0; i <= MAX_PARAMETERS; i++) {
    at = writeVarint(bytes, at, 1_000 + i);
    at = writeVarint(bytes, at, 0);
  }
  t.is(typeof decodeParameters(bytes, 0, at, true), "number");
  t.is(typeof decodeParameters(bytes, 0, at - 3, true), "object");
  t.is(typeof decodeParameters(bytes, 0, MAX_PARAMETER_BYTES + 1, true), "number");
});

test("the probe timeout doubles, but not beyond its bounds, unless the path itself is slower", (t) => {
  const roundTrip = new RoundTrip(0);
  roundTrip.handleSample(20);
  const once = roundTrip.backedOffMs(25, false);
  roundTrip.probes = 1;
  t.is(roundTrip.backedOffMs(25, false), 2 * once);
  roundTrip.probes = 1_000;
  t.is(roundTrip.backedOffMs(25, false), once * 2 ** MAX_DOUBLINGS);
  t.is(roundTrip.backedOffMs(25, true), once * 2 ** MAX_HANDSHAKE_DOUBLINGS);
  const far = new RoundTrip(0);
  far.handleSample(400);
  far.probes = 1_000;
  t.is(far.backedOffMs(25, false), MAX_PROBE_TIMEOUT_MS);
  const slow = new RoundTrip(5_000);
  t.true(slow.backedOffMs(25, false) > 5_000);
});

test("a closed connection answers only so often", (t) => {
  const world = new World();
  const source = new Side("source", 1, 2, { seed: 1 });
  const destination = new Side("destination", 2, 1, { seed: 2 });
  let serverCid = "";
  source.filter = (bytes) => {
    for (const { kind, dcid } of readDatagram(bytes)) if (kind === "1RTT") serverCid = dcid;
    return true;
  };
  world.connect(source, destination, { delayMs: 1 }, { delayMs: 1 }, 1);
  source.connect(5000, { end: "never" }, 0);
  world.run(500);
  destination.endpoint.closeConnections(500);
  let closes = 0;
  const count = (bytes: Uint8Array): void => {
    for (const { frames } of readDatagram(bytes))
      for (const { name } of frames) if (/Close$/.test(name)) closes++;
  };
  destination.step(500, count);
  for (let i = 0; i < 5 * MAX_CLOSE_REPEATS; i++) {
    destination.handle(shortPacket(fromHex(serverCid), 3_000 + i, fromHex("01000000")), 500.5);
    destination.step(500.5, count);
  }
  t.is(closes, 1 + MAX_CLOSE_REPEATS);
  destination.step(60_000, count);
  t.is(destination.endpoint.quicConnectionCount, 0);
});

test("an exhausted pool silences nobody: the handshake and acknowledgements have slots of their own", (t) => {
  const world = new World();
  const source = new Side("source", 1, 2, { seed: 1, slots: 64 });
  const destination = new Side("destination", 2, 1, { seed: 2, slots: 64 });
  world.connect(source, destination, { delayMs: 5, loss: 0.02 }, { delayMs: 5, loss: 0.02 }, 1);
  destination.plan = () => ({ send: 300_000, end: "after-peer" });
  const clients = [0, 1, 2].map((i) =>
    source.connect(5000 + i, { send: 100_000, end: "after-sending" }, 0, 30_000),
  );
  world.run(60_000, () => clients.every(({ closeReason }) => closeReason !== undefined));
  t.deepEqual(
    clients.map(({ received, closeReason }) => [received, closeReason]),
    [0, 1, 2].map(() => [300_000, "finished"]),
  );
  t.is(source.leakedSlots, 0);
  t.is(destination.leakedSlots, 0);
});

test("limits that do not fit are refused with a sentence", (t) => {
  const pool = new FixedSlotPool(64);
  const make = (limits: object) => () => new QuicEndpoint({ role: "source", pool, random: () => {}, limits });
  t.throws(make({ maxStreams: 0 }), { instanceOf: RangeError, message: /maxStreams must be above 0/ });
  t.throws(make({ extendedDatagramBytes: 1_199 }), { message: /whole number from 1200 to/ });
  t.throws(
    () => new QuicEndpoint({ role: "source", pool: new FixedSlotPool(CONTROL_SLOTS - 1), random: () => {} }),
    {
      message: /free slots of its own/,
    },
  );
});
