import { END_OF_STREAM, PollEvent } from "../../../router-daemon/src/host/host.ts";
import { type Desk, E, LOOPBACK_NUMBER, pattern } from "./desk.ts";
import type { Suite } from "./suite.ts";
import type { ServiceConnection, World } from "./world.ts";

/** A connected socket and the service's end of it. */
async function connected(
  d: Desk,
  world: World,
): Promise<{ handle: number; far: ServiceConnection; close: () => void }> {
  const service = await world.service();
  const handle = d.host.tcpConnect(LOOPBACK_NUMBER, service.port);
  if (handle < 0) throw new Error(d.host.describeError(handle));
  await world.until(() => d.saw(handle, PollEvent.writable), "the connection");
  if (d.host.tcpError(handle) !== 0) throw new Error(d.host.describeError(d.host.tcpError(handle)));
  return { handle, far: await service.accept(), close: () => service.close() };
}

/** Everything that arrives until the stream ends or `bytes` are there. */
async function readAll(d: Desk, world: World, handle: number, bytes: number): Promise<Uint8Array> {
  const all: number[] = [];
  const at = d.scratch + 150_000;
  await world.until(() => {
    for (;;) {
      const got = d.host.tcpRead(
        handle,
        d.iov([
          [at, 7],
          [at + 1000, 4000],
        ]),
        2,
      );
      if (got === END_OF_STREAM) return true;
      if (got < 0) throw new Error(d.host.describeError(got));
      if (got === 0) return all.length >= bytes;
      const first = Math.min(got, 7);
      all.push(...d.bytes.subarray(at, at + first), ...d.bytes.subarray(at + 1000, at + 1000 + got - first));
    }
  }, `${bytes} bytes`);
  return Uint8Array.from(all);
}

/** TCP sockets of the destination side. */
export function tcpConformance(suite: Suite): void {
  suite.test(
    "connect, gathered write, scattered read",
    async (t, desk, world) => {
      const d = desk();
      const { handle, far, close } = await connected(d, world);
      t.is(d.host.tcpRead(handle, d.iov([[d.scratch, 10]]), 1), 0);
      d.bytes.set(pattern(300, 1), d.scratch);
      t.is(
        d.host.tcpWrite(
          handle,
          d.iov([
            [d.scratch, 100],
            [d.scratch + 200, 0],
            [d.scratch + 100, 200],
          ]),
          3,
        ),
        300,
      );
      await world.until(() => far.received().length === 300, "what was written");
      t.deepEqual(far.received(), pattern(300, 1));
      far.write(pattern(10_000, 2));
      t.deepEqual(await readAll(d, world, handle, 10_000), pattern(10_000, 2));
      close();
    },
    ["tcp"],
  );

  suite.test(
    "a refused connection is reported and keeps saying so",
    async (t, desk, world) => {
      const d = desk();
      const handle = d.host.tcpConnect(LOOPBACK_NUMBER, await world.closedPort());
      t.true(handle > 0);
      await world.until(() => d.saw(handle, PollEvent.error), "the refusal");
      t.is(d.host.tcpError(handle), E.CONNREFUSED);
      t.is(d.host.tcpError(handle), E.CONNREFUSED);
      t.regex(d.host.describeError(d.host.tcpError(handle)), /refused/);
      d.host.close(handle);
      t.is(d.host.tcpError(handle), E.BADF);
      for (const port of [0, -1, 65_536]) t.is(d.host.tcpConnect(LOOPBACK_NUMBER, port), E.INVAL);
    },
    ["tcp"],
  );

  suite.test(
    "half-close by us: the other end reads the end and can still answer",
    async (t, desk, world) => {
      const d = desk();
      const { handle, far, close } = await connected(d, world);
      d.bytes.set(pattern(50, 1), d.scratch);
      t.is(d.host.tcpWrite(handle, d.iov([[d.scratch, 50]]), 1), 50);
      t.is(d.host.tcpShutdown(handle), 0);
      await world.until(() => far.ended, "our FIN");
      t.deepEqual(far.received(), pattern(50, 1));
      t.true(d.host.tcpWrite(handle, d.iov([[d.scratch, 50]]), 1) < 0);
      far.write(pattern(5000, 2));
      far.end();
      t.deepEqual(await readAll(d, world, handle, Number.POSITIVE_INFINITY), pattern(5000, 2));
      t.is(d.host.tcpRead(handle, d.iov([[d.scratch, 10]]), 1), END_OF_STREAM);
      close();
    },
    ["tcp"],
  );

  suite.test(
    "half-close by the other end: we read the end and can still write",
    async (t, desk, world) => {
      const d = desk();
      const { handle, far, close } = await connected(d, world);
      d.forget();
      far.write(pattern(100, 1));
      far.end();
      await world.until(() => d.saw(handle, PollEvent.readable | PollEvent.hangup), "the FIN");
      t.deepEqual(await readAll(d, world, handle, Number.POSITIVE_INFINITY), pattern(100, 1));
      d.bytes.set(pattern(60, 2), d.scratch);
      t.is(d.host.tcpWrite(handle, d.iov([[d.scratch, 60]]), 1), 60);
      await world.until(() => far.received().length === 60, "what was written after the FIN");
      t.false(far.ended);
      t.is(d.host.tcpShutdown(handle), 0);
      await world.until(() => far.ended, "our FIN");
      close();
    },
    ["tcp"],
  );

  suite.test(
    "abort resets the connection",
    async (t, desk, world) => {
      const d = desk();
      const { handle, far, close } = await connected(d, world);
      d.host.tcpAbort(handle);
      await world.until(() => far.wasReset, "the reset");
      t.is(d.host.tcpError(handle), E.BADF);
      close();
    },
    ["tcp"],
  );

  suite.test(
    "close ends the connection with a FIN",
    async (t, desk, world) => {
      const d = desk();
      const { handle, far, close } = await connected(d, world);
      d.host.close(handle);
      await world.until(() => far.ended, "the FIN");
      t.false(far.wasReset);
      close();
    },
    ["tcp"],
  );

  suite.test(
    "a reset by the other end is an error of reading",
    async (t, desk, world) => {
      const d = desk();
      const { handle, far, close } = await connected(d, world);
      d.forget();
      far.reset();
      await world.until(() => d.saw(handle, PollEvent.readable), "the reset");
      t.is(d.host.tcpRead(handle, d.iov([[d.scratch, 10]]), 1), E.CONNRESET);
      t.is(d.host.tcpError(handle), E.CONNRESET);
      close();
    },
    ["tcp", "reset"],
  );

  suite.test(
    "a slow reader makes writes return 0, and writable is reported when it goes on",
    async (t, desk, world) => {
      const d = desk();
      const { handle, far, close } = await connected(d, world);
      far.pause();
      d.bytes.set(pattern(100_000, 3), d.scratch);
      let written = 0;
      for (let idle = 0; idle < 20; ) {
        const from = written % 100_000;
        const took = d.host.tcpWrite(handle, d.iov([[d.scratch + from, 100_000 - from]]), 1);
        t.true(took >= 0);
        written += took;
        idle = took === 0 ? idle + 1 : 0;
        if (took === 0) await world.pass(1);
        t.true(written < 100_000_000, "a slow reader must stop the writer");
      }
      d.forget();
      far.resume();
      await world.until(() => far.received().length === written, "what was written");
      t.true(d.saw(handle, PollEvent.writable));
      const all = far.received();
      const one = pattern(100_000, 3);
      for (let at = 0; at < written; at += 100_000) {
        const piece = all.subarray(at, Math.min(at + 100_000, written));
        t.is(Buffer.compare(piece, one.subarray(0, piece.length)), 0);
      }
      close();
    },
    ["tcp"],
  );
}
