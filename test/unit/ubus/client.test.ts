import test from "ava";
import fc from "fast-check";
import { encodeFields } from "../../../router-daemon/src/ubus/blobmsg.ts";
import { UbusClient, type UbusState } from "../../../router-daemon/src/ubus/client.ts";
import { MessageType, UbusStatus } from "../../../router-daemon/src/ubus/constants.ts";
import {
  MAX_ANSWER_BYTES,
  MAX_CALLS,
  MAX_REQUESTS,
  MAX_UNSENT_BYTES,
  RECONNECT_MAX_MS,
  RECONNECT_MIN_MS,
  REQUEST_TIMEOUT_MS,
} from "../../../router-daemon/src/ubus/limits.ts";
import { decodeMessage, encodeMessage } from "../../../router-daemon/src/ubus/message.ts";
import type { UbusObject, UbusReply } from "../../../router-daemon/src/ubus/object.ts";
import { UbusPipe } from "../../openwrt/pipe.ts";
import { Ubusd } from "../../openwrt/ubusd.ts";

const ok = (fields: object, maxBytes = 10_000): UbusReply => ({
  status: UbusStatus.ok,
  data: encodeFields(fields, maxBytes) ?? new Uint8Array(),
});

/** Answers `add` with the sum, `fail` with an error that has data, and everything else as unknown. */
const calculator: UbusObject = {
  path: "calculator",
  signature: { add: { a: 5, b: 5 }, fail: {} },
  handle: async (method, args) => {
    if (args === undefined) return { status: UbusStatus.invalidArgument };
    if (method === "add") return ok({ sum: Number(args.a) + Number(args.b) });
    if (method === "fail") return { ...ok({ error: { code: "no" } }), status: UbusStatus.notSupported };
    return { status: UbusStatus.methodNotFound };
  },
};

function stage(pipe: UbusPipe, object: UbusObject = calculator) {
  const clock = { now: 1000 };
  const states: string[] = [];
  const client = new UbusClient({
    streams: pipe,
    path: "/ubus.sock",
    object,
    now: () => clock.now,
    onState: (state: UbusState, reason) => states.push(reason === "" ? state : `${state}: ${reason}`),
  });
  /** Goes to the client's next time. */
  const tick = async () => {
    clock.now = Math.max(clock.now, client.nextTimeout);
    client.handleTimeout(clock.now);
    await pipe.run();
  };
  return { client, clock, states, tick };
}

function ids(first = 0x8000_0001): () => number {
  let next = first;
  return () => next++;
}

test("the object is published, and another client's calls are answered", async (t) => {
  const pipe = new UbusPipe(new Ubusd(ids()));
  const service = stage(pipe);
  service.client.start();
  await pipe.run();
  t.deepEqual(service.states, ["connecting", "connected", "registered"]);
  t.is(service.client.nextTimeout, Number.POSITIVE_INFINITY);

  const caller = stage(pipe, { ...calculator, path: "caller" });
  caller.client.start();
  await pipe.run();
  const call = async (path: string, method: string, args: Record<string, number>) => {
    const result = caller.client.call(path, method, args);
    await pipe.run();
    return result;
  };
  t.deepEqual(await call("calculator", "add", { a: 2, b: 3 }), { status: 0, data: [{ sum: 5 }] });
  t.deepEqual(await call("calculator", "fail", {}), { status: 8, data: [{ error: { code: "no" } }] });
  t.deepEqual(await call("calculator", "subtract", {}), { status: 3, data: [] });
  t.deepEqual(await call("nobody", "add", {}), { status: 4, data: [] });
});

test("many calls at a time are told apart; those beyond the bound are refused", async (t) => {
  const waiting: (() => void)[] = [];
  const slow: UbusObject = {
    path: "slow",
    signature: { wait: {} },
    handle: (_method, args) =>
      new Promise((resolve) => waiting.push(() => resolve(ok({ number: args?.number ?? -1 })))),
  };
  const ubusd = new Ubusd(ids());
  const pipe = new UbusPipe(ubusd);
  const { client } = stage(pipe, slow);
  client.start();
  await pipe.run();

  // This caller numbers its calls itself.
  const answers: string[] = [];
  let objectId = 0;
  const caller = ubusd.attach({
    write: (bytes) => {
      const message = decodeMessage(bytes);
      if (message?.type === MessageType.data && message.objectPath === "slow")
        objectId = message.objectId ?? 0;
      else if (message?.type === MessageType.status) answers.push(`${message.sequence}:${message.status}`);
    },
    close: () => {},
  });
  const say = (type: number, sequence: number, rest: object) =>
    caller.receive(encodeMessage({ type, sequence, peer: 0, ...rest }) ?? new Uint8Array());
  say(MessageType.lookup, 500, { objectPath: "slow" });
  answers.length = 0;
  for (let sequence = 0; sequence < MAX_CALLS + 2; sequence++)
    say(MessageType.invoke, sequence, { objectId, method: "wait", data: new Uint8Array() });
  await pipe.run();
  t.deepEqual(answers, [`${MAX_CALLS}:11`, `${MAX_CALLS + 1}:11`]);
  for (const done of waiting.reverse()) done();
  await pipe.run();
  t.is(answers.length, MAX_CALLS + 2);
  t.is(answers[2], `${MAX_CALLS - 1}:0`);
  say(MessageType.invoke, 700, { objectId, method: "wait", data: new Uint8Array() });
  await pipe.run();
  t.is(waiting.length, MAX_CALLS + 1, "there is room again");
});

test("malformed arguments reach the object as such; a call for no answer gets none", async (t) => {
  const seen: unknown[] = [];
  const object = {
    ...calculator,
    handle: async (_method: string, args: unknown) => {
      seen.push(args);
      return ok({ a: 1 });
    },
  };
  const ubusd = new Ubusd(ids());
  const pipe = new UbusPipe(ubusd);
  stage(pipe, object).client.start();
  await pipe.run();
  const heard: number[] = [];
  let objectId = 0;
  const caller = ubusd.attach({
    write: (bytes) => {
      const message = decodeMessage(bytes);
      objectId = message?.objectId ?? objectId;
      heard.push(message?.type ?? -1);
    },
    close: () => {},
  });
  const say = (type: number, rest: object) =>
    caller.receive(encodeMessage({ type, sequence: 1, peer: 0, ...rest }) ?? new Uint8Array());
  say(MessageType.lookup, { objectPath: "calculator" });
  heard.length = 0;
  say(MessageType.invoke, { objectId, method: "add", data: Uint8Array.of(1, 2, 3, 4) });
  say(MessageType.invoke, { objectId, method: "add", data: new Uint8Array(), noReply: true });
  await pipe.run();
  t.deepEqual(seen, [undefined, {}]);
  t.deepEqual(heard, [MessageType.data, MessageType.status]);
});

test("without ubusd it tries again, ever more slowly up to the longest pause", async (t) => {
  const pipe = new UbusPipe(undefined);
  const { client, clock, states, tick } = stage(pipe);
  client.start();
  await pipe.run();
  const pauses: number[] = [];
  for (let turn = 0; turn < 8; turn++) {
    pauses.push(client.nextTimeout - clock.now);
    await tick();
  }
  t.deepEqual(pauses.slice(0, 3), [RECONNECT_MIN_MS, 2 * RECONNECT_MIN_MS, 4 * RECONNECT_MIN_MS]);
  t.is(pauses.at(-1), RECONNECT_MAX_MS);
  t.is(pipe.connects, 9);
  t.true(states.includes("waiting: ENOENT"));

  pipe.ubusd = new Ubusd(ids());
  await tick();
  t.is(client.state, "registered");
  pipe.cut();
  await pipe.run();
  t.is(client.nextTimeout - clock.now, RECONNECT_MIN_MS, "after a success the pauses begin anew");
});

test("when ubusd dies, pending requests fail, and the object is published again with the next one", async (t) => {
  const pipe = new UbusPipe(new Ubusd(ids()));
  const { client, states, tick } = stage(pipe);
  client.start();
  await pipe.run();
  const pending = client.call("calculator", "add", { a: 1, b: 1 });
  pipe.cut();
  pipe.ubusd = new Ubusd(ids(0x9000_0001));
  await pipe.run();
  t.deepEqual(await pending, { status: UbusStatus.connectionFailed, data: [] });
  t.is(client.state, "waiting");
  await tick();
  t.is(client.state, "registered");
  t.deepEqual(pipe.ubusd.paths, ["calculator"]);
  t.true(states.includes("waiting: the connection ended"));
});

test("an answer that comes after a reconnect goes nowhere", async (t) => {
  let finish = () => {};
  const slow: UbusObject = {
    ...calculator,
    handle: () => new Promise((resolve) => (finish = () => resolve(ok({})))),
  };
  const first = new Ubusd(ids());
  const pipe = new UbusPipe(first);
  const { client, tick } = stage(pipe, slow);
  client.start();
  await pipe.run();
  const caller = stage(pipe, { ...calculator, path: "caller" });
  caller.client.start();
  await pipe.run();
  void caller.client.call("calculator", "add", {});
  await pipe.run();
  // The new ubusd gives the same ids: only the connection tells the two apart.
  pipe.cut();
  pipe.ubusd = new Ubusd(ids());
  await pipe.run();
  await tick();
  t.is(client.state, "registered");
  const before = pipe.writes;
  finish();
  await pipe.run();
  t.is(pipe.writes, before);
});

test("while the name is taken, registration is asked for again", async (t) => {
  const ubusd = new Ubusd(ids());
  const pipe = new UbusPipe(ubusd);
  const older = stage(pipe);
  older.client.start();
  const newer = stage(pipe);
  newer.client.start();
  await pipe.run();
  t.is(newer.client.state, "connected");
  t.true(newer.states.includes("connected: ubusd refused the object (status 2)"));
  await newer.tick();
  t.is(newer.client.state, "connected");
  older.client.close();
  await pipe.run();
  await newer.tick();
  t.is(newer.client.state, "registered");
  t.is(pipe.connects, 2, "on the same connection");
});

test("a ubusd that does not greet is left after a while; one that does not answer does not hold a request", async (t) => {
  const silent = { attach: () => ({ receive: () => {}, detach: () => {} }) } as unknown as Ubusd;
  const pipe = new UbusPipe(silent);
  const { client, clock, tick } = stage(pipe);
  client.start();
  await pipe.run();
  t.is(client.nextTimeout, clock.now + REQUEST_TIMEOUT_MS);
  await tick();
  t.is(client.state, "waiting");

  pipe.ubusd = new Ubusd(ids());
  await tick();
  t.is(client.state, "registered");
  const dumb: UbusObject = { ...calculator, path: "dumb", handle: () => new Promise(() => {}) };
  const other = stage(pipe, dumb);
  other.client.start();
  await pipe.run();
  const result = client.call("dumb", "add", {});
  await pipe.run();
  await tick();
  t.deepEqual(await result, { status: UbusStatus.timeout, data: [] });
});

test("requests beyond the bound, or without a connection, fail at once", async (t) => {
  const pipe = new UbusPipe(new Ubusd(ids()));
  const { client } = stage(pipe);
  t.is((await client.call("calculator", "add", {})).status, UbusStatus.connectionFailed);
  client.start();
  await pipe.run();
  const calls = Array.from({ length: MAX_REQUESTS + 1 }, () =>
    client.call("calculator", "add", { a: 1, b: 1 }),
  );
  t.is((await calls[MAX_REQUESTS])?.status, UbusStatus.connectionFailed);
  await pipe.run();
  t.is((await calls[0])?.status, UbusStatus.ok);
});

test("while what was written does not leave, answers are bounded; short ones in a crowd are not refused", async (t) => {
  const pipe = new UbusPipe(new Ubusd(ids()));
  const text = "x".repeat(100_000);
  const { client } = stage(pipe, { ...calculator, handle: async () => ok({ text }, MAX_ANSWER_BYTES) });
  client.start();
  await pipe.run();
  const caller = stage(pipe, { ...calculator, path: "caller" });
  caller.client.start();
  await pipe.run();
  const callAll = async (count: number) => {
    const calls = Array.from({ length: count }, () => caller.client.call("calculator", "add", {}));
    await pipe.run();
    return (await Promise.all(calls)).map(({ status }) => status);
  };
  pipe.takesMore = false;
  const fit = Math.ceil(MAX_UNSENT_BYTES / text.length);
  t.deepEqual(await callAll(fit - 1), Array(fit - 1).fill(UbusStatus.ok));
  // Those that were let in before the bound was reached are refused as well.
  const answers = await callAll(5);
  t.deepEqual(answers, [UbusStatus.ok, ...Array(4).fill(UbusStatus.noMemory)]);
  t.false(client.sendEvent("calculator.event", {}));
  pipe.takesMore = true;
  t.deepEqual(await callAll(1), [UbusStatus.noMemory]);
  t.deepEqual(await callAll(2), [UbusStatus.ok, UbusStatus.ok], "what waited has left");
});

test("events go out while registered; notifications while somebody is subscribed", async (t) => {
  const ubusd = new Ubusd(ids());
  const pipe = new UbusPipe(ubusd);
  const { client } = stage(pipe);
  t.false(client.sendEvent("calculator.event", { x: 1 }));
  client.start();
  await pipe.run();
  t.false(client.notify("update", { x: 1 }));

  const heard: string[] = [];
  let objectId = 0;
  let target = 0;
  const listener = ubusd.attach({
    write: (bytes) => {
      const message = decodeMessage(bytes);
      if (message?.objectPath !== undefined) target = message.objectId ?? 0;
      else if (message?.type === MessageType.data) objectId = message.objectId ?? 0;
      else if (message?.type === MessageType.invoke) heard.push(message.method ?? "");
    },
    close: () => {},
  });
  const say = (type: number, rest: object) =>
    listener.receive(encodeMessage({ type, sequence: 1, peer: 0, ...rest }) ?? new Uint8Array());
  say(MessageType.lookup, { objectPath: "calculator" });
  say(MessageType.addObject, {});
  const data = encodeFields({ object: objectId | 0, pattern: "calculator.*" }, 1000);
  say(MessageType.invoke, { objectId: 1, method: "register", data });
  say(MessageType.subscribe, { objectId, target });
  await pipe.run();
  t.true(client.hasSubscribers);
  t.true(client.sendEvent("calculator.event", { x: 1 }));
  t.true(client.notify("update", { x: 1 }));
  await pipe.run();
  t.deepEqual(heard, ["calculator.event", "update"]);
  say(MessageType.unsubscribe, { objectId, target });
  await pipe.run();
  t.false(client.hasSubscribers);
});

test("whatever ubusd or others send, the client stays or comes back, and answers again", async (t) => {
  const clock = { now: 0 };
  let next = 0x8000_0001;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 80 }), { maxLength: 6 }),
      async (chunks) => {
        const ubusd = new Ubusd(() => next++);
        const pipe = new UbusPipe(ubusd);
        const client = new UbusClient({
          streams: pipe,
          path: "/ubus",
          object: calculator,
          now: () => clock.now,
        });
        client.start();
        for (const chunk of chunks) pipe.inject(chunk);
        await pipe.run();
        for (let turn = 0; turn < 8 && client.state !== "registered"; turn++) {
          clock.now = client.nextTimeout;
          client.handleTimeout(clock.now);
          await pipe.run();
        }
        t.is(client.state, "registered");
        client.close();
      },
    ),
    { numRuns: 200 },
  );
});

test("events that match are heard, after a reconnect too; our own are not", async (t) => {
  const pipe = new UbusPipe(new Ubusd(ids()));
  const heard: string[] = [];
  const clock = { now: 0 };
  const client = new UbusClient({
    streams: pipe,
    path: "/ubus",
    object: calculator,
    listen: { pattern: "net.*", hear: (id, fields) => heard.push(`${id} ${JSON.stringify(fields)}`) },
    now: () => clock.now,
  });
  client.start();
  const other = stage(pipe, { ...calculator, path: "other" });
  other.client.start();
  await pipe.run();
  const tell = async () => {
    for (const id of ["net.up", "network.up"]) other.client.sendEvent(id, { x: 1 });
    client.sendEvent("net.own", {});
    await pipe.run();
  };
  await tell();
  t.deepEqual(heard, ['net.up {"x":1}']);
  pipe.cut();
  pipe.ubusd = new Ubusd(ids(0x9000_0001));
  await pipe.run();
  clock.now = client.nextTimeout;
  client.handleTimeout(clock.now);
  await other.tick();
  await tell();
  t.deepEqual(heard, ['net.up {"x":1}', 'net.up {"x":1}']);
});

test("closed is closed: no reconnect, and the object is gone", async (t) => {
  const ubusd = new Ubusd(ids());
  const pipe = new UbusPipe(ubusd);
  const { client } = stage(pipe);
  client.start();
  await pipe.run();
  client.close();
  await pipe.run();
  t.deepEqual(ubusd.paths, []);
  t.is(client.nextTimeout, Number.POSITIVE_INFINITY);
  t.is(pipe.connects, 1);
});
