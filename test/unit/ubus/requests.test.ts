import test from "ava";
import { MessageType } from "../../../router-daemon/src/ubus/constants.ts";
import { MAX_REQUESTS, REQUEST_TIMEOUT_MS } from "../../../router-daemon/src/ubus/limits.ts";
import { MAX_ANSWER_PARTS, type Reply, Requests } from "../../../router-daemon/src/ubus/requests.ts";

const DATA = MessageType.data;
const STATUS = MessageType.status;

test("an answer is matched by sequence and peer, and kept up to a bound", (t) => {
  const requests = new Requests();
  const replies: Reply[] = [];
  requests.add(7, 99, 0, (reply) => replies.push(reply));
  requests.handle({ type: STATUS, sequence: 7, peer: 98, status: 0 }, true);
  requests.handle({ type: STATUS, sequence: 8, peer: 99, status: 0 }, true);
  t.is(replies.length, 0);
  for (let at = 0; at < MAX_ANSWER_PARTS + 10; at++) {
    requests.handle({ type: DATA, sequence: 7, peer: 99, objectId: at }, false);
  }
  requests.handle({ type: STATUS, sequence: 7, peer: 99, status: 0 }, true);
  t.is(replies[0]?.status, 0);
  t.is(replies[0]?.parts.length, MAX_ANSWER_PARTS);
  t.is(replies[0]?.parts[3]?.objectId, 3);
  requests.handle({ type: STATUS, sequence: 7, peer: 99, status: 0 }, true);
  t.is(replies.length, 1, "only once");
});

test("numbers of pending requests are not given again, also after all have been used", (t) => {
  const requests = new Requests();
  const kept = requests.nextSequence();
  requests.add(kept, 0, 0, () => {});
  const seen = new Set<number>();
  for (let at = 0; at < 0x1_0010; at++) seen.add(requests.nextSequence());
  t.false(seen.has(kept));
  t.true([...seen].every((sequence) => sequence >= 0 && sequence <= 0xffff));
});

test("what is not answered in time, or not at all, ends with a status; the table is bounded", (t) => {
  const requests = new Requests();
  const statuses: number[] = [];
  for (let at = 0; at < MAX_REQUESTS; at++) {
    t.true(requests.add(at, 0, at, ({ status }) => statuses.push(status)));
  }
  t.false(requests.add(MAX_REQUESTS, 0, 0, () => t.fail()));
  t.is(requests.nextTimeout, REQUEST_TIMEOUT_MS);
  requests.handleTimeout(REQUEST_TIMEOUT_MS + 1);
  t.deepEqual(statuses, [7, 7]);
  requests.failAll();
  t.is(statuses.length, MAX_REQUESTS);
  t.is(statuses.at(-1), 10);
  t.is(requests.nextTimeout, Number.POSITIVE_INFINITY);
});
