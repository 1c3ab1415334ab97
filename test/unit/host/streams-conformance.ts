/** What byte streams must do, whatever engine has them. Registered by calling `streamsConformance`. */
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import {
  type ByteStream,
  MAX_STREAM_BACKLOG_BYTES,
  MAX_WAITING_CLIENTS,
  type StreamAddress,
  type StreamHandlers,
  type StreamListener,
  type Streams,
} from "../../../router-daemon/src/host/streams.ts";
import { StreamEnd } from "./stream-end.ts";

const TEXT = new Uint8Array([104, 101, 108, 108, 111]);

/** A listener of one test, and the ends of its clients in the order they were served. */
interface Server {
  readonly address: StreamAddress;
  readonly listener: StreamListener;
  readonly ends: StreamEnd[];
  /** The end of the n-th client, once it is served. */
  end(index: number): Promise<StreamEnd>;
}

export function streamsConformance(engine: string, streams: Streams): void {
  for (const kind of ["unix", "tcp"] as const) {
    const check = (name: string, body: (t: ExecutionContext) => Promise<void>) =>
      test(`${engine}, ${kind}: ${name}`, body);
    const newAddress = (t: ExecutionContext): StreamAddress =>
      kind === "tcp" ? { ipv4: "127.0.0.1", port: 0 } : { unix: join(folder(t), "s.sock") };
    const serve = (t: ExecutionContext, maxClients = 1000) => open(t, streams, newAddress(t), maxClients);

    check("bytes go both ways, and a stream that both have ended closes in good order", async (t) => {
      const server = await serve(t);
      const client = connect(streams, server.address);
      client.stream?.write(TEXT);
      const other = await server.end(0);
      await other.untilLength(5);
      other.stream?.write(TEXT);
      other.stream?.write(TEXT);
      await client.untilLength(10);
      client.stream?.end();
      await other.untilCalled("ended");
      other.stream?.end();
      t.is(await client.untilClosed(), "");
      t.is(await other.untilClosed(), "");
      t.deepEqual(client.text, "hellohello");
      t.deepEqual(client.calls, ["data", "ended", "closed"]);
      t.deepEqual(other.calls, ["data", "ended", "closed"]);
    });

    check("a half-closed stream still brings the answer", async (t) => {
      const server = await serve(t);
      const client = connect(streams, server.address);
      client.stream?.write(TEXT);
      client.stream?.end();
      const other = await server.end(0);
      await other.untilCalled("ended");
      const answer = pattern(300_000);
      other.stream?.write(answer);
      other.stream?.end();
      await client.untilClosed();
      t.true(equal(client.bytes, answer));
      t.is(client.code, "");
    });

    check("the writer's array is free again as soon as write returns", async (t) => {
      const server = await serve(t);
      const client = connect(streams, server.address);
      const other = await server.end(0);
      other.stream?.pause();
      const chunk = new Uint8Array(65_536);
      let last = true;
      let written = 0;
      for (; last; written++) {
        chunk.fill(written);
        last = client.stream?.write(chunk) ?? false;
      }
      chunk.fill(255);
      client.stream?.end();
      other.stream?.resume();
      await other.untilCalled("ended");
      const { bytes } = other;
      t.is(bytes.length, written * chunk.length);
      t.true(bytes.every((byte, at) => byte === Math.floor(at / chunk.length)));
    });

    check("a slow reader slows the writer down, and gets everything when it reads on", async (t) => {
      const server = await serve(t);
      const client = connect(streams, server.address);
      const other = await server.end(0);
      other.stream?.pause();
      const sent = pattern(256 * 1024);
      let chunks = 0;
      // What the kernel takes at first is its own affair; in the end nothing is drained any more.
      for (let before = -1; before !== client.calls.length; ) {
        before = client.calls.length;
        do chunks++;
        while (client.stream?.write(sent) === true && chunks < 1000);
        await roundTrip(t, streams, newAddress(t));
      }
      t.true(chunks < 100, `${chunks} chunks were taken`);
      t.is(other.length, 0);
      other.stream?.resume();
      const drained = client.calls.length;
      await client.until(() => client.calls.length > drained);
      t.deepEqual(new Set(client.calls), new Set(["drained"]));
      await other.untilLength(chunks * sent.length);
      t.true(equal(other.bytes.subarray(-sent.length), sent));
    });

    check("a stream that is paused keeps back its bytes and its end", async (t) => {
      const server = await serve(t);
      const client = connect(streams, server.address);
      const other = await server.end(0);
      other.stream?.pause();
      client.stream?.write(TEXT);
      client.stream?.end();
      await roundTrip(t, streams, newAddress(t));
      t.deepEqual(other.calls, []);
      other.insideCall = true;
      other.stream?.resume();
      other.insideCall = false;
      await other.untilCalled("ended");
      t.deepEqual(other.calls, ["data", "ended"]);
    });

    check("pausing from inside data stops the next data", async (t) => {
      const server = await serve(t);
      const client = connect(streams, server.address);
      const other = await server.end(0);
      let calls = 0;
      other.onData = () => {
        calls++;
        other.stream?.pause();
      };
      client.stream?.write(pattern(1_000_000));
      await other.until(() => calls > 0);
      await roundTrip(t, streams, newAddress(t));
      t.is(calls, 1);
      other.onData = () => {};
      other.stream?.resume();
      await other.untilLength(1_000_000);
      t.true(equal(other.bytes, pattern(1_000_000)));
    });

    check("what is held back for a reader that never reads is bounded", async (t) => {
      const server = await serve(t);
      const client = connect(streams, server.address);
      const other = await server.end(0);
      other.stream?.pause();
      const chunk = new Uint8Array(1024 * 1024);
      let chunks = 0;
      while (client.calls.length === 0 && chunks < 100) {
        client.stream?.write(chunk);
        chunks++;
        if (chunks % 4 === 0) await roundTrip(t, streams, newAddress(t));
      }
      t.is(await client.untilClosed(), "ENOBUFS");
      t.true(chunks * chunk.length > MAX_STREAM_BACKLOG_BYTES);
      t.true(chunks * chunk.length < 4 * MAX_STREAM_BACKLOG_BYTES);
      t.is(client.closings, 1);
      t.false(client.stream?.write(TEXT));
    });

    check("a peer that goes away with bytes unread is told as such", async (t) => {
      const server = await serve(t);
      const client = connect(streams, server.address);
      const other = await server.end(0);
      other.stream?.pause();
      client.stream?.write(pattern(1_000_000));
      await roundTrip(t, streams, newAddress(t));
      other.stream?.destroy();
      t.is(await other.untilClosed(), "");
      // Whether it is noticed by reading or by writing first is up to the kernel.
      for (let turn = 0; turn < 10 && client.code === undefined; turn++) {
        client.stream?.write(TEXT);
        await roundTrip(t, streams, newAddress(t));
      }
      const code = await client.untilClosed();
      t.true(code === "ECONNRESET" || code === "EPIPE", code);
      t.is(client.closings, 1);
    });

    check("destroy closes once, later, and nothing is written after it", async (t) => {
      const server = await serve(t);
      const client = connect(streams, server.address);
      const other = await server.end(0);
      client.insideCall = true;
      client.stream?.destroy();
      client.stream?.destroy();
      t.false(client.stream?.write(TEXT));
      client.stream?.end();
      client.stream?.pause();
      client.stream?.resume();
      client.insideCall = false;
      t.is(await client.untilClosed(), "");
      await other.untilCalled("ended");
      other.stream?.end();
      await other.untilClosed();
      t.is(other.length, 0);
      t.is(client.closings, 1);
      t.deepEqual(client.calls, ["closed"]);
    });

    check("nothing is written after the end", async (t) => {
      const server = await serve(t);
      const client = connect(streams, server.address);
      client.stream?.write(TEXT);
      client.stream?.end();
      t.false(client.stream?.write(TEXT));
      const other = await server.end(0);
      await other.untilCalled("ended");
      t.is(other.length, 5);
    });

    check("a client that is turned away at once sees only an end", async (t) => {
      const address = newAddress(t);
      const turned = new StreamEnd();
      const listener = await streams.listen(address, { maxClients: 10 }, (stream) => {
        turned.insideCall = true;
        stream.write(TEXT);
        stream.end();
        turned.insideCall = false;
        return turned;
      });
      t.true(listener.ok);
      if (!listener.ok) return;
      t.teardown(() => listener.close());
      const client = connect(streams, at(address, listener));
      await client.untilCalled("ended");
      client.stream?.end();
      await turned.untilClosed();
      t.is(client.text, "hello");
      t.deepEqual(turned.calls, ["ended", "closed"]);
    });

    check("nobody there: the connection fails with the system's code, later and once", async (t) => {
      const server = await serve(t);
      server.listener.close();
      const client = new StreamEnd();
      client.insideCall = true;
      client.stream = streams.connect(server.address, client);
      client.stream.write(TEXT);
      client.insideCall = false;
      t.is(await client.untilClosed(), kind === "unix" ? "ENOENT" : "ECONNREFUSED");
      t.deepEqual(client.calls, ["closed"]);
    });

    check("an address in use is left alone", async (t) => {
      const server = await serve(t);
      const second = await streams.listen(server.address, { maxClients: 1 }, () => new StreamEnd());
      t.deepEqual(second, { ok: false, code: "EADDRINUSE" });
      await roundTrip(t, streams, server.address, server);
    });

    check("closing the listener ends it and every client, and the address is free", async (t) => {
      const server = await serve(t);
      const clients = [connect(streams, server.address), connect(streams, server.address)];
      await server.end(1);
      server.listener.close();
      server.listener.close();
      for (const end of server.ends) t.is(await end.untilClosed(), "");
      for (const client of clients) {
        await client.untilCalled("ended");
        client.stream?.end();
        await client.untilClosed();
      }
      await roundTrip(t, streams, server.address);
    });

    check("a hundred clients at one time are served", async (t) => {
      const server = await serve(t);
      const clients = Array.from({ length: 100 }, () => connect(streams, server.address));
      await server.end(99);
      for (const end of server.ends) end.onData = (bytes) => end.stream?.write(bytes);
      clients.forEach((client, at) => {
        client.stream?.write(new Uint8Array([at, at]));
      });
      for (const client of clients) await client.untilLength(2);
      t.deepEqual(
        clients.map(({ bytes }) => [...bytes]),
        clients.map((_, at) => [at, at]),
      );
      for (const client of clients) client.stream?.destroy();
      for (const end of server.ends) {
        await end.untilCalled("ended");
        end.stream?.end();
        await end.untilClosed();
      }
    });

    check("of too many clients the later ones wait until there is room", async (t) => {
      const server = await serve(t, 2);
      const clients = Array.from({ length: 4 }, () => connect(streams, server.address));
      for (const client of clients) client.stream?.write(TEXT);
      await (await server.end(1)).untilLength(5);
      await roundTrip(t, streams, newAddress(t));
      t.is(server.ends.length, 2);
      for (const end of server.ends) end.stream?.destroy();
      await (await server.end(3)).untilLength(5);
      t.is(server.ends.length, 4);
    });
  }

  test(`${engine}: the socket is its owner's alone, and its file goes with the listener`, async (t) => {
    const path = join(folder(t), "s.sock");
    const server = await open(t, streams, { unix: path }, 10);
    t.is(statSync(path).mode & 0o777, 0o600);
    t.is(server.listener.port, 0);
    server.listener.close();
    t.false(existsSync(path));
  });

  test(`${engine}: of too many waiting clients the last are told so at once`, async (t) => {
    const server = await open(t, streams, { unix: join(folder(t), "s.sock") }, 1);
    const surplus = 20;
    const clients = Array.from({ length: 1 + MAX_WAITING_CLIENTS + surplus }, () =>
      connect(streams, server.address),
    );
    const told = () => clients.filter(({ calls }) => calls.length > 0).length;
    // How many a kernel really lets wait is a matter of one or two.
    for (let turn = 0; told() < surplus - 2 && turn < 100; turn++) {
      await roundTrip(t, streams, { unix: join(folder(t), "turn.sock") });
    }
    t.true(told() >= surplus - 2 && told() <= surplus, `${told()}`);
    t.is(server.ends.length, 1);
    for (const client of clients) client.stream?.destroy();
  });

  test(`${engine}: a socket's file that nobody serves, or any other file, is left alone`, async (t) => {
    const path = join(folder(t), "s.sock");
    writeFileSync(path, "precious");
    const refused = await streams.listen({ unix: path }, { maxClients: 1 }, () => new StreamEnd());
    t.deepEqual(refused, { ok: false, code: "EADDRINUSE" });
    t.is(statSync(path).size, 8);
    const client = connect(streams, { unix: path });
    t.is(await client.untilClosed(), "ECONNREFUSED");
  });

  test(`${engine}: listening on port 0 tells the port`, async (t) => {
    const server = await open(t, streams, { ipv4: "127.0.0.1", port: 0 }, 10);
    t.true(server.listener.port > 0);
  });
}

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), "kcp-router-streams-"));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function at(address: StreamAddress, listener: StreamListener): StreamAddress {
  return "unix" in address ? address : { ipv4: address.ipv4, port: listener.port };
}

async function open(
  t: ExecutionContext,
  streams: Streams,
  address: StreamAddress,
  maxClients: number,
): Promise<Server> {
  const ends: StreamEnd[] = [];
  const arrivals = new StreamEnd();
  const accept = (stream: ByteStream): StreamHandlers => {
    const end = new StreamEnd();
    end.stream = stream;
    ends.push(end);
    arrivals.drained();
    return end;
  };
  const listener = await streams.listen(address, { maxClients }, accept);
  if (!listener.ok) throw new Error(`listen: ${listener.code}`);
  t.teardown(() => listener.close());
  return {
    address: at(address, listener),
    listener,
    ends,
    async end(index) {
      await arrivals.until(() => ends.length > index);
      return ends[index] as StreamEnd;
    },
  };
}

function connect(streams: Streams, address: StreamAddress): StreamEnd {
  const end = new StreamEnd();
  end.stream = streams.connect(address, end);
  return end;
}

/**
 * A byte there and back on a stream of its own: what the kernel had to do for others before is done then, and the loop has
 * turned several times.
 */
async function roundTrip(
  t: ExecutionContext,
  streams: Streams,
  address: StreamAddress,
  given?: Server,
): Promise<void> {
  const server = given ?? (await open(t, streams, address, 10));
  const index = server.ends.length;
  const client = connect(streams, server.address);
  const other = await server.end(index);
  for (let turn = 1; turn <= 3; turn++) {
    client.stream?.write(TEXT);
    await other.untilLength(5 * turn);
    other.stream?.write(TEXT);
    await client.untilLength(5 * turn);
  }
  client.stream?.destroy();
  if (given === undefined) server.listener.close();
}

/** Bytes that show what is missing or doubled. */
function pattern(length: number): Uint8Array {
  return new Uint8Array(length).map((_, at) => (at * 7 + (at >> 8)) & 255);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
