import test from "ava";
import { EntryTable } from "../../../router-daemon/src/proxy/entry.ts";
import {
  MAX_PLAIN_FLOWS,
  PLAIN_IDLE_MS,
  PLAIN_SYN_IDLE_MS,
  PlainFlows,
} from "../../../router-daemon/src/proxy/plain-flows.ts";

const CLIENT = 0xc0a80107;
const TARGET = 0x0a7e7e02;
const SYN = 2;
const ACK = 16;
const FIN = 1;
const RST = 4;

function open(flows: PlainFlows, clientPort: number, now: number): void {
  flows.open(
    { clientAddress: CLIENT, clientPort, targetAddress: TARGET, targetPort: 80 },
    { transport: "tcp", peerId: 9, reason: "peer_kcp_input_disabled" },
    now,
  );
}

test("a plain connection has a row with its reason, its bytes both ways and its states", (t) => {
  const entries = new EntryTable();
  const flows = new PlainFlows(entries, 1);
  open(flows, 5000, 0);
  const [row] = [...entries.list()];
  t.like(row, { transport: "tcp", reason: "peer_kcp_input_disabled", state: "SynReceived" });
  flows.handleUp(CLIENT, 5000, TARGET, 80, SYN, 0, 0);
  flows.handleDown(TARGET, 80, CLIENT, 5000, SYN | ACK, 0, 1);
  t.is(row!.state, "Connected");
  flows.handleUp(CLIENT, 5000, TARGET, 80, ACK, 100, 2);
  flows.handleDown(TARGET, 80, CLIENT, 5000, ACK, 3000, 3);
  flows.handleUp(CLIENT, 5000, TARGET, 80, ACK | FIN, 0, 4);
  t.is(row!.state, "ClosingDst");
  flows.handleDown(TARGET, 80, CLIENT, 5000, ACK | FIN, 0, 5);
  t.like(row, {
    state: "Closed",
    upBytes: 100,
    downBytes: 3000,
    endedAt: 5,
    reason: "peer_kcp_input_disabled",
  });
  t.is(flows.count, 0);
});

test("a repeated SYN is the same row, other connections do not touch it", (t) => {
  const entries = new EntryTable();
  const flows = new PlainFlows(entries, 1);
  open(flows, 5000, 0);
  open(flows, 5000, 1000);
  flows.handleDown(TARGET, 80, CLIENT, 5001, RST, 0, 5);
  flows.handleDown(TARGET, 81, CLIENT, 5000, RST, 0, 5);
  t.is(entries.liveCount, 1);
});

test("a reset before the answer is a refusal, afterwards a reset of the service", (t) => {
  const entries = new EntryTable();
  const flows = new PlainFlows(entries, 1);
  open(flows, 1, 0);
  flows.handleDown(TARGET, 80, CLIENT, 1, RST | ACK, 0, 1);
  open(flows, 2, 0);
  flows.handleDown(TARGET, 80, CLIENT, 2, SYN | ACK, 0, 1);
  flows.handleDown(TARGET, 80, CLIENT, 2, RST, 0, 2);
  t.deepEqual(
    [...entries.list()].map((e) => e.reason),
    ["destination_refused", "service_reset"],
  );
});

test("silent connections are forgotten, unanswered ones sooner", (t) => {
  const entries = new EntryTable();
  const flows = new PlainFlows(entries, 1);
  open(flows, 1, 0);
  open(flows, 2, 0);
  flows.handleDown(TARGET, 80, CLIENT, 2, SYN | ACK, 0, 1);
  flows.handleTimeout(PLAIN_SYN_IDLE_MS + 5001);
  t.is(flows.count, 1);
  flows.handleTimeout(PLAIN_IDLE_MS + 20_000);
  t.is(flows.count, 0);
  t.is(flows.nextTimeout, Number.POSITIVE_INFINITY);
});

test("the table is bounded: the one silent for longest makes room", (t) => {
  const entries = new EntryTable();
  const flows = new PlainFlows(entries, 1);
  for (let port = 0; port < MAX_PLAIN_FLOWS + 10; port++) open(flows, port, port);
  t.is(flows.count, MAX_PLAIN_FLOWS);
  t.is(entries.liveCount, MAX_PLAIN_FLOWS);
  const ports = [...entries.list()].filter((e) => e.endedAt === undefined).map((e) => e.key.sourcePort);
  t.is(Math.min(...ports), 10);
});
