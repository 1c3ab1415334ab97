import test from "ava";
import { PlainKcp } from "./reference/plain-kcp.ts";
import { proxies, toHex, traceData } from "./vectors.ts";

for (const trace of proxies.kcp_traces) {
  test(`the reference reproduces the trace "${trace.name}"`, (t) => {
    const out: string[] = [];
    const { config } = trace;
    const make = () =>
      new PlainKcp({
        conv: trace.conv,
        mtu: config.mtu,
        sendWindow: config.sndwnd,
        receiveWindow: config.rcvwnd,
        nodelay: config.nodelay,
        intervalMs: config.interval,
        fastResend: config.resend,
        noCongestion: config.nc === 1,
        stream: config.stream === 1,
        output: (datagram) => out.push(toHex(datagram)),
      });
    const ends = { A: make(), B: make() };
    // What each end was given to send and has not been received yet: the traces name long data by size only.
    const underWay = { A: "", B: "" };
    for (const [index, step] of trace.steps.entries()) {
      const end = ends[step.end];
      const where = `step ${index}: ${step.op} ${step.end}`;
      out.length = 0;
      switch (step.op) {
        case "update":
          end.update(step.t!);
          break;
        case "send+flush":
          t.is(end.send(traceData(step.data!)), step.ret!, where);
          end.flush();
          underWay[step.end] += toHex(traceData(step.data!));
          break;
        case "input":
          t.is(end.input(traceData(step.data!)), step.ret!, where);
          break;
        case "recv": {
          const data = end.receive();
          t.is(data?.length ?? -1, step.ret!, where);
          if (data === undefined) break;
          const other = step.end === "A" ? "B" : "A";
          t.is(toHex(data), underWay[other].slice(0, 2 * data.length), where);
          underWay[other] = underWay[other].slice(2 * data.length);
          break;
        }
        case "check":
          t.is(end.check(step.t!), step.ret!, where);
          break;
        case "state":
          t.is(
            `una=${end.sndUna} nxt=${end.sndNxt} rcv=${end.rcvNxt} rto=${end.rto} srtt=${end.srtt} var=${end.rttvar} ` +
              `rmt=${end.rmtWnd} cwnd=${end.cwnd} ssth=${end.ssthresh} wait=${end.waiting} state=${end.state} ` +
              `probe_wait=${end.probeWait}`,
            step.state!,
            where,
          );
          break;
      }
      t.deepEqual(out, step.out ?? [], where);
    }
  });
}
