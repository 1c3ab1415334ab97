/** The state table of proxies.md 3.5, row by row, and all 32 combinations of the five flags in each state. */
import test from "ava";
import { encodeSyn } from "../../../router-daemon/src/kcp/conn-data.ts";
import type { KcpConnection } from "../../../router-daemon/src/kcp/index.ts";
import { KcpFlag } from "../../../router-daemon/src/kcp/packet.ts";
import { encode } from "../../../router-daemon/src/wire/messages/encode.ts";
import { KcpConnData } from "../../../router-daemon/src/wire/messages/gen/messages.ts";
import { Probe } from "./probe.ts";

const { syn: SYN, ack: ACK, fin: FIN, data: DATA, rst: RST, ping: PING, pong: PONG } = KcpFlag;
const CONV = 0x1234;
const TARGET = { source: { ip: 0x0a000001, port: 40000 }, destination: { ip: 0x0a000002, port: 80 } };
const STOCK_SYN = encode(KcpConnData, {
  src: { ipv4: { addr: TARGET.source.ip }, port: TARGET.source.port },
  dst: { ipv4: { addr: TARGET.destination.ip }, port: TARGET.destination.port },
});

type State = "unknown" | "SynSent" | "SynReceived" | "Established" | "LocalClosed" | "PeerClosed" | "Closed";

interface Stage {
  readonly probe: Probe;
  readonly conv: number;
  readonly connection: KcpConnection<string> | undefined;
}

/** An endpoint with one connection to a stock peer in the given state. */
function stage(role: "source" | "destination", state: State): Stage {
  const probe = new Probe(role);
  let conv = CONV;
  let connection: KcpConnection<string> | undefined;
  if (state === "unknown") return { probe, conv, connection };
  if (role === "source") {
    connection = probe.endpoint.connect(probe.peerId, TARGET, 0)!;
    conv = connection.conv;
    probe.take();
    if (state === "SynSent") return { probe, conv, connection };
    probe.put(conv, SYN | ACK);
  } else {
    probe.put(conv, SYN, STOCK_SYN);
    probe.take();
    connection = [...probe.endpoint.connections][0]!;
    if (state === "SynReceived") return { probe, conv, connection };
    probe.put(conv, ACK | DATA);
  }
  probe.take();
  if (state === "LocalClosed") {
    connection.shutdown(probe.now);
    probe.take();
    // The peer's queue is empty, so the FIN may go.
    probe.putSegment(conv, { cmd: 84 });
    probe.pass(1_500);
  }
  if (state === "PeerClosed") probe.put(conv, FIN);
  if (state === "Closed") probe.put(conv, RST);
  probe.take();
  return { probe, conv, connection };
}

function stateOf({ probe, connection }: Stage): State {
  const found = connection ?? [...probe.endpoint.connections][0];
  if (found === undefined) return "unknown";
  if (found.state === "closed") return "Closed";
  if (found.state === "opening") return "SynSent";
  if (found.state === "offered") return "SynReceived";
  if (found.peerFinished) return "PeerClosed";
  return found.locallyFinished ? "LocalClosed" : "Established";
}

/** New state and reply flags by the table; `extra` = what ours says beyond the table, harmless by its last rows. */
function expected(role: "source" | "destination", state: State, flags: number): [State, number[]] {
  const hasRst = (flags & RST) !== 0;
  const hasFin = (flags & FIN) !== 0;
  switch (state) {
    case "unknown":
      if (hasRst) return ["unknown", []];
      return flags === SYN && role === "destination" ? ["SynReceived", [SYN | ACK]] : ["unknown", [RST]];
    case "SynSent":
      if (flags === (SYN | ACK)) return ["Established", [ACK | DATA]];
      if (hasRst) return ["Closed", []];
      return hasFin ? ["Closed", [RST]] : ["SynSent", []];
    case "SynReceived":
      if (flags === (ACK | DATA)) return ["Established", []];
      if (hasRst) return ["Closed", []];
      if (hasFin) return ["Closed", [RST]];
      // Beyond the table: asked again, answered again.
      return ["SynReceived", flags === SYN ? [SYN | ACK] : []];
    case "Established":
      if (hasRst) return ["Closed", []];
      if (hasFin) return ["PeerClosed", []];
      // Beyond the table: the destination has not seen the third packet.
      return ["Established", flags === (SYN | ACK) && role === "source" ? [ACK | DATA] : []];
    case "LocalClosed":
      if (hasRst || hasFin) return ["Closed", []];
      return ["LocalClosed", flags === (SYN | ACK) && role === "source" ? [ACK | DATA] : []];
    case "PeerClosed":
      if (hasRst) return ["Closed", []];
      return ["PeerClosed", flags === (SYN | ACK) && role === "source" ? [ACK | DATA] : []];
    case "Closed":
      // Beyond the table: a SYN that comes too late hears so at once.
      return ["Closed", flags === SYN ? [RST] : []];
  }
}

const STATES: Record<"source" | "destination", readonly State[]> = {
  source: ["unknown", "SynSent", "Established", "LocalClosed", "PeerClosed", "Closed"],
  destination: ["unknown", "SynReceived", "Established", "LocalClosed", "PeerClosed", "Closed"],
};

for (const role of ["source", "destination"] as const) {
  for (const state of STATES[role]) {
    test(`${role}, ${state}: every combination of flags does what the table says`, (t) => {
      for (let flags = 0; flags < 32; flags++) {
        const s = stage(role, state);
        t.is(stateOf(s), state, "the stage is set");
        s.probe.put(s.conv, flags, flags === SYN && state === "unknown" ? STOCK_SYN : undefined);
        const replies = s.probe.take().map((packet) => packet.flags);
        const [after, reply] = expected(role, state, flags);
        t.deepEqual([stateOf(s), replies], [after, reply], `flags ${flags.toString(2)}`);
        s.probe.dispose();
        t.is(s.probe.pool.freeSlots, s.probe.pool.slotCount);
      }
    });

    test(`${role}, ${state}: PING is answered by the rules and PONG by nothing`, (t) => {
      const s = stage(role, state);
      const body = Uint8Array.of(1, 2, 3);
      s.probe.put(s.conv, PING, body);
      const replies = s.probe.take();
      if (state === "unknown" || state === "Closed") {
        t.deepEqual(
          replies.map((packet) => packet.flags),
          [RST],
        );
      } else {
        t.is(replies[0]!.flags, PING | PONG);
        t.deepEqual(replies[0]!.body, body);
        // A stock peer that still pings may have missed our FIN.
        t.deepEqual(
          replies.slice(1).map((packet) => packet.flags),
          state === "LocalClosed" ? [FIN] : [],
        );
      }
      t.is(stateOf(s), state);
      s.probe.put(s.conv, PING | PONG, body);
      t.is(s.probe.take().length, 0);
      t.is(stateOf(s), state);
      s.probe.dispose();
    });
  }
}

test("PING of a peer that has ended its direction: no PING of ours follows, its own are answered", (t) => {
  const s = stage("destination", "PeerClosed");
  for (let i = 0; i < 4; i++) {
    t.deepEqual(
      s.probe.pass(20_000).map((packet) => packet.flags),
      [],
    );
    s.probe.put(s.conv, PING);
    t.deepEqual(
      s.probe.take().map((packet) => packet.flags),
      [PING | PONG],
    );
  }
  t.is(stateOf(s), "PeerClosed");
});

test("an established connection is pinged every ten seconds", (t) => {
  const s = stage("destination", "Established");
  const sent = s.probe.pass(35_000).filter((packet) => packet.flags === PING);
  t.is(sent.length, 3);
});

test("an answer nobody confirms is repeated every 300 ms, ten times in all, and then the attempt ends", (t) => {
  const s = stage("destination", "SynReceived");
  const answers = s.probe.pass(3_200).map((packet) => packet.flags);
  t.deepEqual(answers, new Array(9).fill(SYN | ACK));
  t.deepEqual(
    s.probe.pass(200).map((packet) => packet.flags),
    [RST],
  );
  t.is(s.connection!.closeReason, "no_answer");
});

test("a source of ours is told nothing before the destination accepts; a repeated SYN gets a sign of life", (t) => {
  const probe = new Probe("destination");
  const body = encodeSyn(TARGET, { extendedAcks: true, mtu: 1346, halfClose: true });
  probe.put(CONV, SYN, body);
  t.deepEqual(probe.take(), []);
  probe.put(CONV, SYN, body);
  t.deepEqual(
    probe.take().map((packet) => packet.flags),
    [PING | PONG],
  );
  const connection = probe.endpoint.pollReady()!;
  t.deepEqual(connection.source, TARGET.source);
  t.deepEqual(connection.destination, TARGET.destination);
  connection.accept(probe.now);
  t.deepEqual(
    probe.take().map((packet) => packet.flags),
    [SYN | ACK],
  );
});
