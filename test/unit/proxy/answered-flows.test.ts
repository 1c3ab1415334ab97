import test from "ava";
import { AnsweredFlows, MAX_ANSWERED_FLOWS } from "../../../router-daemon/src/proxy/answered-flows.ts";

const REMOTE = 0xc0a80207;
const LOCAL = 0xc0a80107;

test("only what goes back in a flow that the peer's side began is an answer", (t) => {
  const flows = new AnsweredFlows(1);
  flows.handleReceived(REMOTE, 5000, LOCAL, 53);
  t.true(flows.handleSent(REMOTE, 5000, LOCAL, 53));
  t.true(flows.handleSent(REMOTE, 5000, LOCAL, 53));
  t.false(flows.handleSent(REMOTE, 5001, LOCAL, 53));
  t.false(flows.handleSent(REMOTE, 5000, LOCAL, 54));
});

test("what we began stays ours, however often it is answered", (t) => {
  const flows = new AnsweredFlows(1);
  for (let i = 0; i < 3; i++) {
    t.false(flows.handleSent(REMOTE, 53, LOCAL, 5000));
    flows.handleReceived(REMOTE, 53, LOCAL, 5000);
  }
});

test("the memory is bounded; the flow silent for longest is forgotten, not the oldest", (t) => {
  const flows = new AnsweredFlows(1);
  for (let port = 0; port < MAX_ANSWERED_FLOWS; port++) flows.handleReceived(REMOTE, port, LOCAL, 53);
  flows.handleReceived(REMOTE, 0, LOCAL, 53);
  flows.handleReceived(REMOTE, 60_000, LOCAL, 53);
  t.is(flows.size, MAX_ANSWERED_FLOWS);
  t.true(flows.handleSent(REMOTE, 60_000, LOCAL, 53));
  t.true(flows.handleSent(REMOTE, 0, LOCAL, 53));
  t.false(flows.handleSent(REMOTE, 1, LOCAL, 53));
  t.is(flows.size, MAX_ANSWERED_FLOWS);
});
