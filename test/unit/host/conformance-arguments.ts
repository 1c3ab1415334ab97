import fc from "fast-check";

import { type Host, MAX_IOV, MAX_LINKS, MAX_ROUTES } from "../../../router-daemon/src/host/host.ts";
import { E, peerHeader } from "./desk.ts";
import type { Suite } from "./suite.ts";

/** Calls that take integers only and cannot reach outside, with the number of their arguments. */
const CALLS: readonly (readonly [keyof Host & string, number])[] = [
  ["poll", 2],
  ["setTimer", 1],
  ["tunConfigure", 4],
  ["tunRead", 3],
  ["tunWrite", 3],
  ["tunSplit", 7],
  ["seahash", 5],
  ["linkSet", 4],
  ["linkClear", 1],
  ["routeSet", 3],
  ["routeClear", 1],
  ["udpReceive", 4],
  ["udpFollowers", 4],
  ["send", 2],
  ["sendOnLink", 3],
  ["tcpError", 1],
  ["tcpRead", 3],
  ["tcpWrite", 3],
  ["tcpShutdown", 1],
  ["identitySet", 2],
];

function call(host: Host, name: keyof Host & string, args: readonly unknown[]): unknown {
  return (host[name] as (...args: unknown[]) => unknown).apply(host, [...args]);
}

/** Whatever it is given, a host answers with an error and stays whole. */
export function argumentConformance(suite: Suite): void {
  suite.test("places outside the arena are refused", (t, desk) => {
    const d = desk();
    const { host } = d;
    const socket = d.udp();
    d.link(1, socket, 9, 9);
    const end = d.bytes.length;
    const lastWord = end / 4;
    for (const [offset, length] of [
      [-1, 4],
      [end - 3, 4],
      [end, 1],
      [0, -1],
      [0x7fff_ffff, 0x7fff_ffff],
      [0, end + 1],
    ] as const) {
      t.is(host.sendOnLink(1, offset, length), E.INVAL);
      t.is(host.sendDatagram(socket.handle, d.endpoint("127.0.0.1", 9), offset, length), E.INVAL);
      t.is(host.tunSplit(offset, length, 1400, d.slots, d.out, 4, 0), E.INVAL);
      d.words.set([offset, length, 1, 0], d.list);
      t.is(host.send(d.list, 1), E.INVAL);
    }
    for (const at of [-1, end - ENDPOINT_ROOM, end, 0x7fff_ffff]) {
      t.is(host.linkSet(2, socket.handle, at, 1), E.INVAL);
      t.is(host.sendDatagram(socket.handle, at, 0, 4), E.INVAL);
      t.true("error" in host.udpOpen(at));
      t.is(host.routeSet(1, 1, at), E.INVAL);
      if (at >= 0) t.is(host.identitySet(1, at), E.INVAL);
    }
    for (const [word, count] of [
      [-1, 1],
      [lastWord, 1],
      [0, lastWord],
      [0, -1],
      [0x7fff_ffff, 1],
      [0, 0x7fff_ffff],
    ] as const) {
      t.is(host.poll(word, count), E.INVAL);
      t.is(host.send(word, count), E.INVAL);
      t.is(host.udpReceive(socket.handle, d.slots, count, word), E.INVAL);
      if (word !== 0) t.is(host.udpReceive(socket.handle, word, count, d.out), E.INVAL);
    }
    for (const link of [-1, MAX_LINKS, 0x7fff_ffff]) {
      t.is(host.linkSet(link, socket.handle, d.endpoint("127.0.0.1", 9), 1), E.INVAL);
      t.is(host.routeSet(1, link, d.scratch), E.INVAL);
      t.is(host.sendOnLink(link, d.scratch, 4), E.NOENT);
      t.notThrows(() => host.linkClear(link));
    }
    for (const route of [-1, MAX_ROUTES, 0x7fff_ffff]) {
      t.is(host.routeSet(route, 1, d.scratch), E.INVAL);
      t.notThrows(() => host.routeClear(route));
    }
  });

  suite.test("slot numbers that do not exist are refused and lose no datagram", async (t, desk, world) => {
    const d = desk();
    const socket = d.udp();
    d.datagram(socket, socket.port, Uint8Array.of(1, 2, 3, 4, 1, 0, 0, 0));
    await world.until(() => d.saw(socket.handle, 1), "the datagram");
    for (const slot of [-1, d.host.memory.slotCount, 0x7fff_ffff]) {
      d.words[d.slots] = slot;
      t.is(d.host.udpReceive(socket.handle, d.slots, 1, d.out), E.INVAL);
    }
    t.is(d.receive(socket).length, 1);
  });

  suite.test(
    "too many pairs are refused",
    async (t, desk, world) => {
      const d = desk();
      const service = await world.service();
      const handle = d.host.tcpConnect(0x7f00_0001, service.port);
      for (const count of [MAX_IOV + 1, -1, 0x7fff_ffff]) {
        t.is(d.host.tcpRead(handle, d.list, count), E.INVAL);
        t.is(d.host.tcpWrite(handle, d.list, count), E.INVAL);
      }
      d.iov([[d.bytes.length - 1, 2]]);
      t.is(d.host.tcpRead(handle, d.list, 1), E.INVAL);
      t.is(d.host.tcpWrite(handle, d.list, 1), E.INVAL);
      t.is(d.host.tcpWrite(handle, d.list, 0), 0);
      service.close();
    },
    ["tcp"],
  );

  suite.test(
    "arguments of another type throw a TypeError that names the call",
    (t, desk) => {
      const { host } = desk();
      const wrong = ["1", null, undefined, {}, [], true, 5n, Symbol("s"), () => 1];
      for (const [name, count] of CALLS) {
        for (let i = 0; i < count; i++) {
          for (const value of wrong) {
            const args: unknown[] = Array.from({ length: count }, () => 0);
            args[i] = value;
            t.throws(() => call(host, name, args), {
              instanceOf: TypeError,
              message: new RegExp(`^${name}: .*\\.$`),
            });
          }
        }
        t.throws(() => call(host, name, []), { instanceOf: TypeError });
      }
      for (const value of [1, null, undefined, {}]) {
        t.throws(() => call(host, "tunOpen", [value]), { instanceOf: TypeError });
        t.throws(() => call(host, "onReady", [value]), { instanceOf: TypeError });
      }
      t.throws(() => call(host, "udpOpen", ["x"]), { instanceOf: TypeError });
      t.throws(() => call(host, "describeError", ["x"]), { instanceOf: TypeError });
    },
    ["native-arguments"],
  );

  suite.test("any integers at all leave the host whole", (t, desk) => {
    const d = desk();
    const socket = d.udp();
    const handles = [socket.handle, 0, -1, 1];
    const places = [0, 1, d.list, d.scratch, d.bytes.length - 20, d.bytes.length / 4 - 1, d.bytes.length];
    const value = fc.oneof(
      fc.constantFrom(...handles, ...places),
      fc.integer({ min: -5, max: 2000 }),
      fc.integer(),
      fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, 1e300, -1e300, 0.5, 2 ** 32, 2 ** 31),
    );
    const step = fc.tuple(fc.nat({ max: CALLS.length - 1 }), fc.array(value, { minLength: 7, maxLength: 7 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        for (const [number, args] of steps) {
          const [name, count] = CALLS[number]!;
          // Links lead to the loopback only: what random calls send must not leave the machine.
          if (name === "linkSet") args[2] = d.endpoint("127.0.0.1", 9);
          const result = call(d.host, name, args.slice(0, count));
          t.true(result === undefined || typeof result === "number");
        }
      }),
      { numRuns: 200 },
    );
    d.identity(1, undefined);
    for (let link = 0; link < MAX_LINKS; link++) d.host.linkClear(link);
    t.is(d.link(1, socket, socket.port, 3), 0);
    d.route(1, 1, peerHeader({ to: 1 }));
    t.is(d.send([{ bytes: Uint8Array.of(1), route: 1 }]), 1);
  });
}

/** Fewer bytes than any small thing (endpoint 18, header 16, key 16) needs. */
const ENDPOINT_ROOM = 15;
