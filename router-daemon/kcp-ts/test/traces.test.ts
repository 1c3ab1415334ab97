import test from "ava";
import { Command, decodeSegments, fixedWindow } from "../src/index.ts";
import { Bare } from "./bare.ts";
import { fromHex, proxies, readVectors, toHex, traceData } from "./vectors.ts";

/** What one end of a trace says, in order, with the time at which it says it. */
function outputs(trace: (typeof proxies.kcp_traces)[number], end: "A" | "B") {
  const said: { at: number; datagram: Uint8Array }[] = [];
  let now = 0;
  for (const step of trace.steps) {
    if (step.op === "update" && step.end === end) now = step.t!;
    if (step.end === end) for (const hex of step.out ?? []) said.push({ at: now, datagram: fromHex(hex) });
  }
  return said;
}

for (const trace of proxies.kcp_traces) {
  for (const end of ["A", "B"] as const) {
    test(`what ${end} of "${trace.name}" sends is received, acknowledged and delivered`, (t) => {
      const b = new Bare({ conv: trace.conv, receiveWindow: Math.max(128, trace.config.rcvwnd) });
      const sent = new Map<number, Uint8Array>();
      const clocks = new Set<string>();
      const acknowledged = new Set<number>();
      let una = 0;
      let now = 0;
      let delivered = "";
      for (const { at, datagram } of outputs(trace, end)) {
        now = Math.max(now + 2, at);
        const { segments, error } = decodeSegments(datagram);
        t.is(error, undefined);
        for (const s of segments) {
          // What it acknowledges we must have sent: single bytes will do.
          while (b.kcp.stats.sent < Math.max(s.una, s.cmd === Command.ack ? s.sn + 1 : 0)) {
            b.kcp.write(Uint8Array.of(1));
            b.poll(now++);
          }
          if (s.cmd !== Command.push) continue;
          if (sent.has(s.sn)) t.deepEqual(s.data, sent.get(s.sn));
          sent.set(s.sn, s.data);
          clocks.add(`${s.sn} ${s.ts}`);
        }
        b.give(datagram, now);
        delivered += toHex(b.read());
        for (const answer of b.poll(now).flat()) {
          if (answer.cmd !== Command.ack) continue;
          t.true(clocks.has(`${answer.sn} ${answer.ts}`), "echoes a ts that was sent");
          acknowledged.add(answer.sn);
          t.true(answer.una >= una);
          una = answer.una;
        }
      }
      t.is(b.kcp.stats.rejected, 0);
      for (const sn of sent.keys()) t.true(sn < una || acknowledged.has(sn), `${sn} was not acknowledged`);
      t.is(una, sent.size, "a trace loses nothing for good that is in it");
      t.is(delivered, Array.from(sent.keys(), (_, sn) => toHex(sent.get(sn)!)).join(""));
      b.kcp.dispose();
      t.is(b.usedSlots, 0);
    });
  }

  test(`we send what A of "${trace.name}" sends, and take its peer's acknowledgements`, (t) => {
    const a = new Bare({
      conv: trace.conv,
      mtu: trace.config.mtu,
      sendWindow: trace.config.sndwnd,
      congestion: fixedWindow(trace.config.sndwnd),
      secondCopies: false,
    });
    const theirs = new Map<number, string>();
    for (const { datagram } of outputs(trace, "A")) {
      for (const s of decodeSegments(datagram).segments)
        if (s.cmd === Command.push) theirs.set(s.sn, toHex(s.data));
    }
    const ours = new Map<number, string>();
    let delivered = 0;
    let now = 0;
    const poll = () => {
      // The traces flush every write; here small ones wait up to a millisecond for company.
      for (let turn = 0; turn < 2; turn++, now += 1.01) {
        for (const s of a.poll(now).flat()) if (s.cmd === Command.push) ours.set(s.sn, toHex(s.data));
      }
    };
    for (const step of trace.steps) {
      if (step.end !== "A") continue;
      if (step.op === "update") now = Math.max(now, step.t!);
      if (step.op === "send+flush") {
        const data = traceData(step.data!);
        for (let at = 0; at < data.length; ) at += a.kcp.write(data.subarray(at));
      } else if (step.op === "input") {
        const datagram = traceData(step.data!);
        // Data of the other direction begins with una = 0 and is no concern here.
        a.give(datagram, now);
        for (const s of decodeSegments(datagram).segments) delivered = Math.max(delivered, s.una);
        t.is(a.kcp.remoteWindow, decodeSegments(datagram).segments.at(-1)!.wnd);
      }
      poll();
    }
    t.is(a.kcp.stats.rejected, 0);
    for (const [sn, data] of theirs) if (ours.has(sn)) t.is(ours.get(sn), data, `segment ${sn}`);
    t.is(ours.size >= theirs.size, true);
    t.true(a.kcp.stats.sendQueueSegments <= theirs.size - delivered + (ours.size - theirs.size) + 1);
    a.kcp.dispose();
    t.is(a.usedSlots, 0);
  });
}

interface Captures {
  kcp: {
    name: string;
    packets: {
      t_ms: number;
      dir: string;
      payload: string;
      decoded: { conv: number; flags: string; segments?: { cmd: string; sn: number; data: string }[] };
    }[];
  }[];
}

const captures = readVectors<Captures>("captures-proxies.json").kcp;
/** Bytes of EasyTier's connection header in front of the segments (proxies.md 3.1). */
const CONNECTION_HEADER = 14;

for (const capture of captures) {
  test(`the captured connection "${capture.name}" decodes and can be joined in either place`, (t) => {
    const conv = capture.packets[0]!.decoded.conv;
    for (const dir of ["source->destination", "destination->source"]) {
      // We are the receiver of this direction. What it acknowledges, we must have sent.
      const b = new Bare({ conv });
      const expected = new Map<number, string>();
      for (const packet of capture.packets.filter((p) => p.dir === dir && p.decoded.segments)) {
        const body = fromHex(packet.payload).slice(CONNECTION_HEADER);
        const { segments, error } =
          body.length > 0 ? decodeSegments(body) : { segments: [], error: undefined };
        t.is(error, undefined);
        t.deepEqual(
          segments.map((s) => ({ sn: s.sn, data: toHex(s.data) })),
          packet.decoded.segments!.map((s) => ({ sn: s.sn, data: s.data })),
        );
        const acks = Math.max(0, ...segments.map((s) => s.una));
        while (b.kcp.stats.sent < acks) {
          b.kcp.write(Uint8Array.of(1));
          b.poll(packet.t_ms);
        }
        for (const s of segments) if (s.cmd === Command.push) expected.set(s.sn, toHex(s.data));
        if (body.length > 0) b.give(body, packet.t_ms);
        b.poll(packet.t_ms);
      }
      t.is(b.kcp.stats.rejected, 0);
      t.is(toHex(b.read()), [...expected.values()].join(""));
      t.is(b.kcp.unacknowledgedBytes, 0);
    }
  });
}
