/** Bad input: never throws, stays within its bounds, delivers nothing that was not sent. Time-boxed; seeds are printed on failure. */
import test from "ava";
import fc from "fast-check";
import { encodeSegment } from "kcp-ts";
import { Random } from "../../../router-daemon/kcp-ts/test/random.ts";
import { World } from "../../../router-daemon/kcp-ts/test/world.ts";
import { encodeSyn } from "../../../router-daemon/src/kcp/conn-data.ts";
import { type KcpConnection, Ready } from "../../../router-daemon/src/kcp/index.ts";
import type { CarriedStream } from "../../../router-daemon/src/kcp/stream.ts";
import { encode } from "../../../router-daemon/src/wire/messages/encode.ts";
import { KcpConnData } from "../../../router-daemon/src/wire/messages/gen/messages.ts";
import { EMPTY, encodePacket, Probe } from "./probe.ts";
import { RECEIVE_AT, Side } from "./side.ts";

const FUZZ_MS = Number(process.env.FUZZ_SECONDS ?? 2) * 1000;
const BOX = { interruptAfterTimeLimit: FUZZ_MS, markInterruptAsFailure: false, numRuns: 100_000 };
const LIMITS = { maxConnections: 8, maxConnectionsPerPeer: 6, maxHalfOpen: 5, maxHalfOpenPerPeer: 4 };

const target = (port: number) => ({
  source: { ip: 0x0a000001, port },
  destination: { ip: 0x0a000002, port: 80 },
});

/** Counts, slots and timers are what they should be. */
function audit(probe: Probe): void {
  const { endpoint, pool } = probe;
  if (endpoint.connectionCount > LIMITS.maxConnections)
    throw new Error(`${endpoint.connectionCount} connections`);
  let held = 4;
  let listed = 0;
  for (const connection of endpoint.connections) {
    // Those of acknowledgements on their way out, too: it has them until it is polled again.
    held += (connection as unknown as CarriedStream).kcp?.stats.slots ?? 0;
    listed++;
  }
  if (listed !== endpoint.connectionCount)
    throw new Error(`${listed} listed, ${endpoint.connectionCount} counted`);
  if (pool.slotCount - pool.freeSlots !== held) {
    throw new Error(`${pool.slotCount - pool.freeSlots} slots are taken, ${held} are owned`);
  }
  if (Number.isNaN(endpoint.nextTimeout)) throw new Error("nextTimeout is not a number");
}

function finish(probe: Probe): void {
  probe.dispose();
  if (probe.pool.freeSlots !== probe.pool.slotCount) {
    throw new Error(`${probe.pool.slotCount - probe.pool.freeSlots} slots are lost`);
  }
}

test("raw bytes from anybody", (t) => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  const packets = fc.array(fc.record({ bytes, fromUs: fc.boolean(), wait: fc.nat(500) }), { maxLength: 40 });
  fc.assert(
    fc.property(fc.constantFrom("source" as const, "destination" as const), packets, (role, list) => {
      const probe = new Probe(role, LIMITS);
      probe.endpoint.connect && role === "source" && probe.endpoint.connect(probe.peerId, target(1), 0);
      for (const { bytes, fromUs, wait } of list) {
        // With the right ids more of it gets past the first test.
        if (fromUs && bytes.length >= 12) {
          const ids = role === "source" ? [probe.localId, probe.peerId] : [probe.peerId, probe.localId];
          new DataView(bytes.buffer).setUint32(4, ids[0]!, true);
          new DataView(bytes.buffer).setUint32(8, ids[1]!, true);
        }
        probe.raw(bytes);
        audit(probe);
        probe.pass(wait);
        audit(probe);
      }
      finish(probe);
    }),
    BOX,
  );
  t.pass();
});

type Step =
  | {
      readonly kind: "packet";
      readonly conv: number;
      readonly flags: number;
      readonly body: number;
      readonly salt: number;
    }
  | {
      readonly kind: "segment";
      readonly conv: number;
      readonly cmd: number;
      readonly sn: number;
      readonly una: number;
      readonly wnd: number;
      readonly size: number;
      readonly cut: number;
    }
  | { readonly kind: "command"; readonly which: number; readonly on: number }
  | { readonly kind: "wait"; readonly ms: number };

const near = fc.oneof(fc.nat(6), fc.constantFrom(0xffffffff, 0x7fffffff, 1_100, 5_000));
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("packet" as const),
        conv: fc.nat(8),
        flags: fc.nat(255),
        body: fc.nat(5),
        salt: fc.nat(255),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("segment" as const),
        conv: fc.nat(8),
        cmd: fc.constantFrom(81, 82, 83, 84, 106, 0),
        sn: near,
        una: near,
        wnd: fc.constantFrom(0, 1, 1024, 65535),
        size: fc.constantFrom(0, 1, 100, 1176, 1400),
        cut: fc.nat(30),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("command" as const), which: fc.nat(10), on: fc.nat(8) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("wait" as const),
        ms: fc.constantFrom(0, 1, 15, 300, 3_000, 15_000, 70_000),
      }),
    },
  ),
  { maxLength: 60 },
);

/** Bodies of the typed packets: none, SYNs of both kinds, a FIN's count, a reason, noise. */
function bodyOf(kind: number, salt: number): Uint8Array {
  switch (kind) {
    case 0:
      return EMPTY;
    case 1:
      return encodeSyn(target(salt), { extendedAcks: true, mtu: salt * 8, halfClose: salt % 2 === 0 });
    case 2:
      return encode(KcpConnData, {
        src: { ipv4: { addr: 1 }, port: salt },
        dst: { ipv4: { addr: 2 }, port: 80 },
      });
    case 3:
      return Uint8Array.of(salt, 0, 0, 0);
    case 4:
      return Uint8Array.of(salt % 9);
    default:
      return new Uint8Array(salt).fill(salt);
  }
}

function command(probe: Probe, connection: KcpConnection<string>, which: number): void {
  const { now } = probe;
  switch (which) {
    case 0:
      connection.accept(now);
      break;
    case 1:
      connection.refuse(now, "target_refused");
      break;
    case 2:
    case 3:
      connection.shutdown(now);
      break;
    case 4:
      connection.abort(now);
      break;
    case 5:
      connection.release(now);
      break;
    case 6:
      connection.read(new Uint8Array(5_000));
      break;
    case 7:
      connection.takeReady();
      break;
    case 8: {
      const words = new Int32Array(16);
      const pairs = connection.reserve(words, 0, 8);
      if (pairs > 0) connection.commit(Math.min(1_500, words[1]!));
      break;
    }
    case 9:
      probe.endpoint.forgetPeer(connection.peerId, now);
      break;
    default:
      connection.write(new Uint8Array(3_000));
  }
}

/** Rare, and once wrong: a segment right behind the SYN, acknowledged at once. */
const SYN_AND_SEGMENT: [role: "destination", list: Step[]] = [
  "destination",
  [
    { kind: "packet", conv: 2, flags: 193, body: 2, salt: 0 },
    { kind: "segment", conv: 2, cmd: 81, sn: 0, una: 0xffffffff, wnd: 0, size: 0, cut: 0 },
  ],
];

test("typed packets, segments, commands and time in any order", (t) => {
  fc.assert(
    fc.property(fc.constantFrom("source" as const, "destination" as const), steps, (role, list) => {
      const probe = new Probe(role, LIMITS);
      let port = 1;
      for (const step of list) {
        if (step.kind === "packet") probe.put(step.conv, step.flags, bodyOf(step.body, step.salt));
        else if (step.kind === "segment") {
          const { conv, cmd, sn, una, wnd, size, cut } = step;
          const bytes = encodeSegment({ conv, cmd, frg: 0, wnd, ts: 0, sn, una, data: new Uint8Array(size) });
          probe.put(conv, 0x0a, bytes.subarray(0, bytes.length - (cut < 24 ? 0 : cut)));
        } else if (step.kind === "wait") probe.pass(step.ms);
        else if (role === "source" && step.on === 0)
          probe.endpoint.connect(probe.peerId, target(port++), probe.now);
        else {
          const connections = [...probe.endpoint.connections];
          const connection = connections[step.on % Math.max(1, connections.length)];
          if (connection !== undefined) command(probe, connection, step.which);
        }
        audit(probe);
        if (step.kind !== "wait") probe.take();
        audit(probe);
        for (
          let found = probe.endpoint.pollReady();
          found !== undefined;
          found = probe.endpoint.pollReady()
        ) {
          const bits = found.takeReady();
          if ((bits & Ready.closed) !== 0 && found.closeReason === undefined)
            throw new Error("closed without a reason");
          if ((bits & Ready.closed) !== 0 && step.kind === "wait") found.release(probe.now);
        }
      }
      finish(probe);
    }),
    { ...BOX, examples: [SYN_AND_SEGMENT] },
  );
  t.pass();
});

for (const seed of [1, 2]) {
  test(`a live pair among replays, cut packets, strangers and noise delivers exactly what was sent (seed ${seed})`, (t) => {
    const random = new Random(seed);
    const world = new World();
    const source = new Side("source", 1001, 2002, { seed });
    const destination = new Side("destination", 2002, 1001, { seed: seed + 9 });
    source.isRecording = destination.isRecording = false;
    const link = { delayMs: 5, jitterMs: 5, reorder: true, loss: 0.02, duplicate: 0.05 };
    world.connect(source, destination, link, link, seed);
    destination.plan = () => ({ send: 150_000, end: "after-peer" });
    const clients = Array.from({ length: 10 }, (_, i) =>
      source.connect(6_000 + 2 * i, { send: 100_000, end: "after-sending" }, 0),
    );
    const old: { to: Side; bytes: Uint8Array }[] = [];
    const remember = (to: Side, from: Side) => {
      from.filter = (packet) => {
        if (old.length < 4_000 && random.chance(0.3)) {
          const bytes = encodePacket({
            conv: packet.conv,
            sourceId: 1001,
            destinationId: 2002,
            flags: packet.flags,
            body: packet.body.slice(),
          });
          old.push({ to, bytes });
        }
        return true;
      };
    };
    remember(destination, source);
    remember(source, destination);
    const disturb = (now: number): void => {
      for (let i = 0; i < 5; i++) {
        const { to, bytes } = old[random.below(old.length)] ?? { to: source, bytes: EMPTY };
        const from = to === source ? 2002 : 1001;
        switch (random.below(4)) {
          case 0:
            // A replay. What ends a connection is left out: a replayed RST of a live one means what it says.
            if ((bytes[12]! & 0x14) === 0) to.handleFrom(from, bytes, now);
            break;
          case 1:
            if (bytes[12] === 0x0a) to.handleFrom(from, bytes.subarray(0, random.below(bytes.length)), now);
            break;
          case 2:
            to.handleFrom(77, bytes, now);
            break;
          default:
            to.handleFrom(
              from,
              Uint8Array.from({ length: random.below(100) }, () => random.below(256)),
              now,
            );
        }
      }
      if (now < 20_000) source.at(now + 2, disturb);
    };
    source.at(50, disturb);
    world.run(60_000);
    for (const client of clients) {
      t.is(client.closeReason, "finished");
      t.is(client.received, 150_000);
    }
    t.is(destination.talkers.length, 10);
    for (const server of destination.talkers) t.is(server.received, 100_000);
    t.is(source.leakedSlots + destination.leakedSlots, 0);
    t.is(source.endpoint.connectionCount + destination.endpoint.connectionCount, 0);
  });
}

test("the header lies where the segment header is aligned", (t) => {
  t.is((RECEIVE_AT + 14) % 4, 0);
});
