import test from "ava";
import { MAX_PENDING_REPLIES } from "../../../router-daemon/src/tcp/replies.ts";
import { encodeFrame } from "./naive.ts";
import { pattern, World } from "./world.ts";

test("half-close by the client: its end is told, and the answer still arrives in full", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  client.write(pattern(1000), world.now);
  client.close(world.now);
  world.until(() => server.finished);
  t.is(server.received.length, 1000);
  t.is(server.flow.state, "closeWait");
  t.is(server.reason, undefined);
  world.run(30_000);
  server.write(pattern(200_000));
  server.shutdown();
  world.until(() => client.finReceived);
  t.deepEqual(Uint8Array.from(client.received), pattern(200_000));
  world.until(() => server.reason !== undefined, 100);
  t.is(server.reason, "finished");
});

test("half-close by us: the client goes on sending", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  server.write(pattern(5000));
  server.shutdown();
  world.until(() => client.finReceived);
  world.run(5);
  t.is(server.flow.state, "finWait2");
  world.run(30_000);
  client.write(pattern(100_000, 3), world.now);
  world.until(() => server.received.length === 100_000);
  client.close(world.now);
  world.until(() => server.reason !== undefined);
  t.is(server.reason, "finished");
  world.run(5);
  t.true(client.allAcknowledged);
});

test("both ends at the same moment", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  server.shutdown();
  client.close(world.now);
  world.poll();
  t.is(server.flow.state, "finWait1");
  world.run(1);
  t.is(server.flow.state, "closing");
  world.until(() => server.reason !== undefined && client.allAcknowledged && client.finReceived);
  t.is(server.reason, "finished");
});

test("the states of a connection have the names of RFC 9293", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  const seen: string[] = [server.flow.state];
  const note = () => {
    if (seen.at(-1) !== server.flow.state) seen.push(server.flow.state);
    return server.reason !== undefined;
  };
  client.close(world.now);
  world.until(() => server.finished);
  note();
  world.run(50);
  server.shutdown();
  world.until(note);
  note();
  t.deepEqual(seen, ["established", "closeWait", "lastAck", "closed"]);
});

test("a lost FIN is sent again, ours and the client's", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  const lost = new Set<boolean>();
  world.filter = (segment, up) => {
    if (!segment.flags.has("fin") || lost.has(up)) return true;
    lost.add(up);
    return false;
  };
  client.close(world.now);
  server.shutdown();
  world.until(() => server.reason !== undefined && client.finReceived && client.allAcknowledged);
  t.is(lost.size, 2);
  t.is(server.reason, "finished");
});

test("the last acknowledgement lost: TIME-WAIT answers the client's FIN again", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  server.shutdown();
  world.until(() => client.finReceived);
  world.run(5);
  client.close(world.now);
  let dropped = 0;
  world.filter = (_, up) => up || dropped++ > 0;
  world.until(() => server.reason !== undefined);
  t.is(world.stack.flowCount, 0);
  t.is(world.stack.lingeringCount, 1);
  world.run(2);
  t.false(client.allAcknowledged);
  world.until(() => client.allAcknowledged, 1000);
  t.is(world.plain.length, 0, "late segments are no strangers");
  world.run(20_000);
  t.is(world.stack.lingeringCount, 0);
  t.is(world.stack.nextTimeout, Number.POSITIVE_INFINITY);
});

test("TIME-WAIT does not answer bare acknowledgements", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  server.shutdown();
  client.close(world.now);
  world.until(() => server.reason !== undefined);
  world.run(10);
  const before = world.output.length;
  client.inject({}, ["ack"], world.now);
  world.run(10);
  t.is(world.output.length, before);
  t.is(world.plain.length, 0);
});

test("the ports of a connection in TIME-WAIT can be used again at once by a younger SYN", (t) => {
  const world = new World();
  const { client, server } = world.connected({ timestamps: false, isn: 1000 });
  server.shutdown();
  client.close(world.now);
  world.until(() => server.reason !== undefined);
  world.clients.length = 0;
  const again = world.connected({ timestamps: false, isn: 90_000 });
  again.client.write([1, 2, 3], world.now);
  world.until(() => again.server.received.length === 3);
  t.is(world.stack.lingeringCount, 0);
});

test("an older SYN is not taken for a new connection, unless its timestamp is younger", (t) => {
  const world = new World();
  const { client, server } = world.connected({ isn: 1_000_000 });
  server.shutdown();
  client.close(world.now);
  world.until(() => server.reason !== undefined && client.allAcknowledged);
  const held = world.held.length;
  const old = { sequence: 5000, acknowledgement: 0 };
  client.inject({ ...old, timestamps: { value: 1, echo: 0 } }, ["syn"], world.now);
  world.run(3);
  t.is(world.held.length, held);
  t.deepEqual(world.output.at(-1)!.flags, new Set(["ack"]));
  client.inject({ ...old, timestamps: { value: 1_000_000, echo: 0 } }, ["syn"], world.now);
  world.run(3);
  t.is(world.held.length, held + 1);
});

test("a client that is irritated by TIME-WAIT's answer gets through with its next SYN", (t) => {
  const world = new World();
  const { client, server } = world.connected({ isn: 1_000_000, timestamps: false });
  server.shutdown();
  client.close(world.now);
  world.until(() => server.reason !== undefined && client.allAcknowledged);
  world.clients.length = 0;
  const again = world.client({ isn: 1000, timestamps: false });
  again.connect(world.now);
  world.until(() => again.state === "open", 5000);
  t.is(world.held.length, 2);
});

test("TIME-WAIT is bounded, the oldest goes first", (t) => {
  const world = new World({ stack: { limits: { maxLingering: 4 } } });
  for (let port = 1; port <= 10; port++) {
    const { client, server } = world.connected({ port });
    server.shutdown();
    client.close(world.now);
    world.until(() => server.reason !== undefined && client.allAcknowledged);
    t.true(world.stack.lingeringCount <= 4);
  }
  world.clients[0]!.inject({ payload: Uint8Array.from([1]) }, ["ack"], world.now);
  world.run(2);
  t.is(world.plain.length, 1, "the first one is forgotten");
  world.clients[9]!.inject({ payload: Uint8Array.from([1]) }, ["ack"], world.now);
  world.run(2);
  t.is(world.plain.length, 1, "the last one is not");
});

test("the client's RST at the expected place ends the flow at once", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  client.write(pattern(100), world.now);
  server.write(pattern(50_000));
  world.run(10);
  client.reading = false;
  server.write(pattern(500_000));
  world.run(10);
  t.true(world.usedSlots > 0);
  client.abort(world.now);
  world.until(() => server.reason !== undefined, 10);
  t.is(server.reason, "clientReset");
  t.is(world.usedSlots, 0);
  t.is(server.received.length, 100);
});

test("segments under way behind the client's RST are swallowed", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  client.abort(world.now);
  world.until(() => server.reason !== undefined, 10);
  client.inject({ payload: pattern(100) }, ["ack"], world.now);
  world.run(5);
  t.is(world.plain.length, 0);
  const answers = world.output.length;
  world.run(100);
  t.is(world.output.length, answers);
});

test("abort sends RST, and RST again to whatever still comes", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  server.write(pattern(30_000));
  world.run(20);
  server.flow.abort(world.now);
  t.is(server.reason, "aborted");
  t.is(server.flow.state, "closed");
  t.is(world.usedSlots, 0);
  world.run(5);
  t.is(client.state, "reset");
  const late = { sequence: client.nextSequence, acknowledgement: client.expectedSequence };
  client.inject({ ...late, payload: pattern(10) }, ["ack"], world.now);
  world.run(5);
  const reset = world.output.at(-1)!;
  t.deepEqual(reset.flags, new Set(["rst"]));
  t.is(reset.sequence, client.expectedSequence);
  t.is(world.plain.length, 0);
});

test("abort with data under way still ends a client that insists on the exact number", (t) => {
  const world = new World({ down: { delayMs: 5 } });
  const { client, server } = world.connected();
  server.write(pattern(10_000));
  world.run(1);
  // All of the data is lost: the RST lies beyond what the client expects, and it asks back (RFC 5961).
  world.filter = (segment) => segment.payload.length === 0;
  server.flow.abort(world.now);
  for (const one of world.output) if (one.payload.length > 0) t.pass();
  world.run(100);
  t.is(client.state, "reset");
});

test("a silent client is probed and given up", (t) => {
  const world = new World({
    stack: { limits: { keepAliveIdleMs: 10_000, keepAliveIntervalMs: 2000, keepAliveProbes: 3 } },
  });
  const { client, server } = world.connected();
  client.silent = true;
  const start = world.now;
  world.until(() => server.reason !== undefined, 100_000);
  t.is(server.reason, "timeout");
  t.true(world.now - start > 15_000 && world.now - start < 18_000, `${world.now - start}`);
  world.run(1);
  const probes = world.output.slice(1).filter((segment) => !segment.flags.has("rst"));
  t.is(probes.length, 3);
  t.true(world.output.at(-1)!.flags.has("rst"));
  t.is(world.stack.flowCount, 0);
});

test("a client that answers keep-alive probes stays, for hours", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  world.run(4 * 3_600_000);
  t.is(server.reason, undefined);
  client.write([1], world.now);
  world.until(() => server.received.length === 1, 10);
});

test("a client that crashed and came back is cut off, and may connect anew", (t) => {
  const world = new World();
  const { client, server } = world.connected({ isn: 5000 });
  client.write(pattern(100), world.now);
  world.run(10);
  client.silent = true;
  world.clients.length = 0;
  // It knows nothing of the connection and uses the same port.
  const again = world.client({ isn: 700_000_000 });
  again.connect(world.now);
  world.until(() => server.reason !== undefined, 10);
  t.is(server.reason, "clientReset");
  world.until(() => again.state === "open", 5000);
  t.is(world.servers.length, 2);
});

test("segments of unknown connections are left alone, and answered with RST only on demand", (t) => {
  const world = new World();
  const client = world.client();
  const send = (flags: string[], payload = 0) => {
    client.inject({ sequence: 1000, acknowledgement: 2000, payload: pattern(payload) }, flags, world.now);
    world.run(3);
    return encodeFrame(world.plain.at(-1)!);
  };
  const data = send(["ack"], 100);
  send(["fin", "ack"]);
  send(["rst"]);
  send(["syn", "ack"]);
  t.is(world.plain.length, 4);
  t.is(world.output.length, 0);
  world.pool.bytes.set(data, 0);
  t.true(world.stack.sendResetFor(0, data.length));
  const syn = encodeFrame({ ...world.plain[0]!, flags: new Set(["syn"]), acknowledgement: 0 });
  world.pool.bytes.set(syn, 0);
  t.true(world.stack.sendResetFor(0, syn.length));
  const reset = encodeFrame({ ...world.plain[0]!, flags: new Set(["rst"]) });
  world.pool.bytes.set(reset, 0);
  t.false(world.stack.sendResetFor(0, reset.length));
  t.false(world.stack.sendResetFor(0, 5));
  world.poll();
  t.is(world.output.length, 2);
  t.like(world.output[0], { sequence: 2000, sourcePort: 80, destinationPort: 40_000, source: 0x0a7e7e02 });
  t.deepEqual(world.output[0]!.flags, new Set(["rst"]));
  t.like(world.output[1], { sequence: 0, acknowledgement: 1101 });
  t.deepEqual(world.output[1]!.flags, new Set(["rst", "ack"]));
});

test("answers without a flow are bounded while the TUN queue is full", (t) => {
  const world = new World();
  world.sinkFull = true;
  const frame = encodeFrame({
    source: 0xc0a80102,
    destination: 0x0a000001,
    sourcePort: 1,
    destinationPort: 2,
    sequence: 3,
    acknowledgement: 4,
    flags: new Set(["ack"]),
    window: 5,
    payload: new Uint8Array(0),
  });
  world.pool.bytes.set(frame, 0);
  for (let count = 0; count < 2 * MAX_PENDING_REPLIES; count++) world.stack.sendResetFor(0, frame.length);
  world.poll();
  world.sinkFull = false;
  world.poll();
  t.is(world.output.length, MAX_PENDING_REPLIES);
  t.is(world.stack.counters.repliesDropped, MAX_PENDING_REPLIES);
});

test("commands on a closed flow do nothing", (t) => {
  const world = new World();
  const { server } = world.connected();
  const { flow } = server;
  flow.abort(world.now);
  flow.abort(world.now);
  flow.shutdown();
  flow.receiveSpaceGrew(world.now);
  world.stack.accept(flow, server, world.now);
  world.stack.refuse(flow, world.now);
  world.stack.release(flow);
  t.is(flow.sendSpace, 0);
  t.is(world.ends.get(flow), "aborted");
});

test("a flow may be ended from inside its receiver and its events", (t) => {
  for (const how of ["receive", "refuse", "finished", "established"]) {
    const world = new World();
    const client = world.client();
    client.write(pattern(5000), world.now);
    client.close(world.now);
    client.connect(world.now);
    world.until(() => world.servers.length === 1);
    const [server] = world.servers;
    const { receive } = server!;
    server!.receive = (offset, length) => {
      const taken = receive.call(server, offset, length);
      if (how === "receive" || how === "refuse") server!.flow.abort(world.now);
      return how === "refuse" ? 0 : taken;
    };
    let established = false;
    Object.defineProperty(server, how === "finished" || how === "established" ? how : "unused", {
      get: () => established,
      set: () => {
        established = true;
        server!.flow.abort(world.now);
      },
    });
    world.until(() => server!.reason !== undefined, 100);
    t.is(server!.reason, "aborted", how);
    world.run(20);
    t.is(world.usedSlots, 0);
    t.is(client.state, "reset");
  }
});

test("dispose frees everything", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  client.inject({ sequence: (client.nextSequence + 5000) >>> 0, payload: pattern(4000) }, ["ack"], world.now);
  client.silent = true;
  server.write(pattern(50_000));
  world.options.accept = false;
  world.client({ port: 9 }).connect(world.now);
  world.run(5);
  t.true(world.usedSlots > 30);
  world.stack.dispose();
  t.is(world.usedSlots, 0);
  t.is(world.stack.flowCount, 0);
  t.is([...world.ends.values()].length, 2);
});
