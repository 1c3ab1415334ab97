import fc from "fast-check";

import {
  ENDPOINT_BYTES,
  MAX_DATAGRAM_BYTES,
  MAX_LINKS,
  PollEvent,
  RX_PACKET_OFFSET,
  RxFlag,
} from "../../../router-daemon/src/host/host.ts";
import { concat, E, pattern, peerHeader, type Received, tunnel } from "./desk.ts";
import { arrivals, CONN, ME, OTHER, pair } from "./link-pair.ts";
import { KEY, sealed } from "./seal.ts";
import type { Suite } from "./suite.ts";

/** Datagrams out and in, links and routes. */
export function linkConformance(suite: Suite): void {
  suite.test(
    "a control datagram arrives whole, its sender's endpoint at the slot's end",
    async (t, desk, world) => {
      const d = desk();
      const { left, right } = pair(d);
      const stun = Uint8Array.from(Buffer.from("000100002112a442deadbeef0000000001020304", "hex"));
      const datagrams = [
        tunnel(CONN, 1, pattern(8, 1)),
        tunnel(7, 2, pattern(8, 2)),
        tunnel(9, 5, pattern(32, 3)),
        tunnel(1, 6, new Uint8Array(0)),
        stun,
      ];
      for (const datagram of datagrams) t.is(d.datagram(left, right.port, datagram), 1);
      const got = await arrivals(world, d, right, datagrams.length);
      t.deepEqual(
        got.map(({ bytes }) => bytes),
        datagrams,
      );
      for (const { slot, link, flags } of got) {
        t.is(link, -1);
        t.is(flags, RxFlag.datagram);
        const end = (slot + 1) * d.host.memory.slotBytes;
        const from = d.endpoint("127.0.0.1", left.port);
        t.deepEqual(d.bytes.slice(end - ENDPOINT_BYTES, end), d.bytes.slice(from, from + ENDPOINT_BYTES));
      }
    },
  );

  suite.test("what does not add up is dropped and counted", async (t, desk, world) => {
    const d = desk();
    const { left, right } = pair(d);
    const refuse = [
      Uint8Array.of(1),
      new Uint8Array(7),
      tunnel(CONN, 0, pattern(8, 1)),
      tunnel(CONN, 8, pattern(8, 1)),
      tunnel(CONN, 255, pattern(8, 1)),
      tunnel(CONN, 1, pattern(8, 1)).subarray(0, 15),
      concat(tunnel(CONN, 2, pattern(8, 1)), Uint8Array.of(0)),
      concat(tunnel(CONN, 3, pattern(40, 1)), Uint8Array.of(0)),
      tunnel(CONN, 3, pattern(40, 1)).subarray(0, 47),
      tunnel(CONN, 3, pattern(15, 1)),
    ];
    for (const datagram of refuse) d.datagram(left, right.port, datagram);
    d.datagram(left, right.port, tunnel(CONN, 1, pattern(8, 9)));
    const got = await arrivals(world, d, right, 1);
    t.is(got.length, 1);
    t.is(d.count("rxMalformed"), refuse.length);
  });

  suite.test(
    "sealed DATA of another conn_id, sender or socket belongs to no link",
    async (t, desk, world) => {
      const d = desk();
      const { left, right } = pair(d);
      const stranger = d.udp();
      d.identity(ME, KEY);
      const packet = sealed(ME, pattern(20, 4));
      d.datagram(left, right.port, tunnel(CONN + 1, 3, packet));
      d.datagram(stranger, right.port, tunnel(CONN, 3, packet));
      d.datagram(left, stranger.port, tunnel(CONN, 3, packet));
      d.datagram(left, right.port, tunnel(CONN, 3, packet.subarray(0, 15)));
      d.datagram(left, right.port, tunnel(CONN, 3, packet));
      const got = await arrivals(world, d, right, 1);
      t.is(got.length, 1);
      t.is(got[0]!.link, 2);
      t.deepEqual(got[0]!.bytes.subarray(16), pattern(20, 4));
      await world.until(
        () => d.drain(stranger).length === 0 && d.count("rxUnknownLink") === 3,
        "three refusals",
      );
    },
  );

  suite.test("clear DATA of no link comes as a datagram: it may be a handshake", async (t, desk, world) => {
    const d = desk();
    const { left, right } = pair(d);
    const handshake = tunnel(CONN + 1, 3, concat(peerHeader({ to: 0, type: 2 }), pattern(60, 4)));
    d.datagram(left, right.port, handshake);
    d.datagram(left, right.port, tunnel(CONN + 1, 3, pattern(15, 1)));
    d.datagram(left, right.port, tunnel(CONN, 3, concat(peerHeader({ to: 0, type: 2 }), pattern(60, 4))));
    const got = await arrivals(world, d, right, 2);
    t.deepEqual(
      got.map(({ link, flags }) => [link, flags]),
      [
        [-1, RxFlag.datagram],
        [2, RxFlag.untouched],
      ],
    );
    t.deepEqual(got[0]!.bytes, handshake);
    const end = (got[0]!.slot + 1) * d.host.memory.slotBytes;
    const from = d.endpoint("127.0.0.1", left.port);
    t.deepEqual(d.bytes.slice(end - ENDPOINT_BYTES, end), d.bytes.slice(from, from + ENDPOINT_BYTES));
    t.is(d.count("rxUnknownLink"), 1);
  });

  suite.test("plain packets and packets for others come as they are", async (t, desk, world) => {
    const d = desk();
    const { left, right } = pair(d);
    d.identity(ME, KEY);
    const packets = [
      concat(peerHeader({ to: ME }), pattern(50, 1)),
      concat(peerHeader({ to: 0, type: 2 }), pattern(50, 2)),
      sealed(OTHER, pattern(50, 3)),
      peerHeader({ to: ME, type: 4 }),
    ];
    for (const packet of packets) d.datagram(left, right.port, tunnel(CONN, 3, packet));
    const got = await arrivals(world, d, right, packets.length);
    t.deepEqual(
      got.map(({ bytes }) => bytes),
      packets,
    );
    for (const { link, flags } of got) {
      t.is(link, 2);
      t.is(flags, RxFlag.untouched);
    }
  });

  suite.test(
    "trains of mixed sizes on several links arrive complete, in order, with the right contents",
    async (t, desk, world) => {
      const d = desk();
      const { left, right } = pair(d);
      const third = d.udp();
      d.link(3, left, third.port, 5);
      d.link(4, third, left.port, 5);
      d.identity(ME, KEY);
      d.route(1, 1, peerHeader({ from: OTHER, to: ME, flags: 1 }));
      d.route(2, 1, peerHeader({ from: OTHER, to: ME, flags: 0, type: 4 }));
      d.route(3, 3, peerHeader({ from: OTHER, to: ME, flags: 1, type: 12 }));
      // Runs of one size, as KCP makes them, with shorter and longer ones between.
      const run = fc.record({
        length: fc.oneof(fc.integer({ min: 0, max: 1400 }), fc.constantFrom(0, 16, 1360, 1400)),
        count: fc.integer({ min: 1, max: 70 }),
        route: fc.integer({ min: 1, max: 3 }),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(run, { minLength: 1, maxLength: 5 }), async (runs) => {
          let seed = 0;
          const payloads = runs
            .flatMap(({ length, count, route }) => Array.from({ length: count }, () => ({ length, route })))
            .slice(0, 130)
            .map(({ length, route }) => ({ bytes: pattern(length, seed++), route }));
          t.is(d.send(payloads), payloads.length);
          const to = (routes: number[]) => payloads.filter(({ route }) => routes.includes(route));
          for (const [socket, link, expected] of [
            [right, 2, to([1, 2])],
            [third, 4, to([3])],
          ] as const) {
            const got = await arrivals(world, d, socket, expected.length);
            t.is(got.length, expected.length);
            got.forEach((entry, i) => {
              t.is(entry.link, link);
              t.is(entry.flags, expected[i]!.route === 2 ? RxFlag.untouched : RxFlag.opened);
              t.is(Buffer.compare(entry.bytes.subarray(16), expected[i]!.bytes), 0);
            });
          }
        }),
        { numRuns: 25 },
      );
    },
  );

  suite.test(
    "with fewer slots than datagrams the rest waits, and slots are used in order",
    async (t, desk, world) => {
      const d = desk();
      const { right } = pair(d);
      d.identity(ME, KEY);
      d.route(1, 1, peerHeader({ from: OTHER, to: ME, flags: 1 }));
      const payloads = Array.from({ length: 100 }, (_, i) => ({ bytes: pattern(900, i), route: 1 }));
      t.is(d.send(payloads), 100);
      await world.until(() => d.saw(right.handle, PollEvent.readable), "the train");
      const got: Received[] = [];
      await world.until(() => {
        const some = d.receive(right, 7, 40);
        some.forEach(({ slot }, i) => {
          t.is(slot, 40 + i);
          t.is(d.words[d.out + 4 * i], slot * d.host.memory.slotBytes + RX_PACKET_OFFSET);
        });
        got.push(...some);
        return got.length === 100;
      }, "all 100");
      t.true(got.every(({ bytes }, i) => Buffer.compare(bytes.subarray(16), pattern(900, i)) === 0));
      t.is(d.count("rxOverrun"), 0);
    },
  );

  suite.test("a socket that is not read to its end does not disturb others", async (t, desk, world) => {
    const d = desk();
    d.identity(ME, KEY);
    const pairs = [0, 1, 2, 3].map((i) => {
      const left = d.udp();
      const right = d.udp();
      d.link(10 + i, left, right.port, i);
      d.link(20 + i, right, left.port, i);
      d.route(i, 10 + i, peerHeader({ to: ME, flags: 1 }));
      return right;
    });
    for (let i = 0; i < 4; i++)
      d.send(Array.from({ length: 20 }, (_, k) => ({ bytes: pattern(100, 50 * i + k), route: i })));
    for (const right of pairs) await world.until(() => d.saw(right.handle, PollEvent.readable), "the trains");
    const got = pairs.map((right) => d.receive(right, 3));
    for (const [i, right] of pairs.entries()) {
      await world.until(() => got[i]!.push(...d.receive(right, 5)) >= 20, "the rest");
      t.true(
        got[i]!.every(({ bytes, link }, k) => link === 20 + i && bytes[17] === pattern(100, 50 * i + k)[1]),
      );
    }
    t.is(d.count("rxOverrun"), 0);
  });

  suite.test(
    "of too many half-read sockets the first loses its datagrams, counted",
    async (t, desk, world) => {
      const d = desk();
      const pairs = Array.from({ length: 6 }, (_, i) => {
        const left = d.udp();
        const right = d.udp();
        d.link(10 + i, left, right.port, i);
        d.link(20 + i, right, left.port, i);
        d.route(i, 10 + i, peerHeader({ to: ME }));
        return right;
      });
      for (let i = 0; i < 6; i++)
        d.send(Array.from({ length: 20 }, () => ({ bytes: pattern(9, i), route: i })));
      await world.until(() => pairs.every(({ handle }) => d.saw(handle, PollEvent.readable)), "the trains");
      const counts = pairs.map((right) => d.receive(right, 1).length);
      t.deepEqual(counts, Array(6).fill(1));
      for (const [i, right] of pairs.entries()) {
        const rest = d.drain(right);
        t.true(rest.length <= 19 && rest.every(({ link }) => link === 20 + i));
        counts[i]! += rest.length;
      }
      t.true(counts.reduce((sum, count) => sum + count) >= 4 * 20);
      t.is(
        d.count("rxOverrun") > 0,
        counts.some((count) => count < 20),
      );
    },
  );

  suite.test("several links to one address are told apart by their conn_id", async (t, desk, world) => {
    const d = desk();
    const { left, right } = pair(d);
    d.link(3, right, left.port, CONN + 1);
    d.route(1, 1, peerHeader({ to: ME }));
    d.link(4, left, right.port, CONN + 1);
    d.route(4, 4, peerHeader({ to: ME }));
    const list = Array.from({ length: 20 }, (_, i) => ({
      bytes: pattern(50, i),
      route: i % 2 === 0 ? 1 : 4,
    }));
    t.is(d.send(list), 20);
    t.deepEqual(
      (await arrivals(world, d, right, 20)).map(({ link }) => link),
      list.map((_, i) => (i % 2 === 0 ? 2 : 3)),
    );
  });

  suite.test("a flood of refuse does not hide what comes behind it", async (t, desk, world) => {
    const d = desk();
    const { left, right } = pair(d);
    const refuse = tunnel(CONN, 8, pattern(8, 1));
    for (let i = 0; i < 900; i++) d.datagram(left, right.port, refuse);
    d.datagram(left, right.port, tunnel(CONN, 1, pattern(8, 9)));
    const got: Received[] = [];
    // Only when the host says so, as the daemon does.
    await world.until(() => {
      if (d.saw(right.handle, PollEvent.readable)) {
        d.forget();
        got.push(...d.receive(right));
      }
      return got.length > 0;
    }, "the datagram behind the flood");
    t.is(d.count("rxMalformed"), 900);
  });

  suite.test("what does not fit a slot or a datagram is dropped and counted", async (t, desk, world) => {
    const d = desk();
    const { left, right } = pair(d);
    d.identity(ME, KEY);
    const room = d.host.memory.slotBytes - RX_PACKET_OFFSET - 16;
    for (const length of [room, room + 1]) {
      d.datagram(left, right.port, tunnel(CONN, 3, sealed(ME, pattern(length, 1))));
      d.datagram(left, right.port, tunnel(CONN, 3, concat(peerHeader({ to: OTHER }), pattern(length, 2))));
      d.datagram(left, right.port, tunnel(CONN, 1, pattern(length + 16 - 8 - ENDPOINT_BYTES, 3)));
    }
    const got = await arrivals(world, d, right, 3);
    t.deepEqual(
      got.map(({ bytes }) => bytes.length),
      [room + 16, room + 16, room + 16 - ENDPOINT_BYTES],
    );
    await world.until(() => d.drain(right).length === 0 && d.count("rxTooLarge") === 3, "three refusals");

    d.route(1, 1, peerHeader({ to: ME, flags: 1 }));
    d.route(2, 1, peerHeader({ to: ME }));
    const most = MAX_DATAGRAM_BYTES - 8 - 16;
    t.is(
      d.send([
        { bytes: pattern(most - 28, 1), route: 1 },
        { bytes: pattern(most - 27, 1), route: 1 },
        { bytes: pattern(most, 1), route: 2 },
        { bytes: pattern(most + 1, 1), route: 2 },
      ]),
      2,
    );
    t.is(d.count("txTooLarge"), 2);
    t.is(d.host.sendOnLink(1, d.scratch, MAX_DATAGRAM_BYTES - 8), 1);
    t.is(d.host.sendOnLink(1, d.scratch, MAX_DATAGRAM_BYTES - 7), E.MSGSIZE);
    t.is(d.datagram(left, right.port, new Uint8Array(MAX_DATAGRAM_BYTES + 1)), E.MSGSIZE);
  });

  suite.test("sendOnLink sends the packet untouched with the link's conn_id", async (t, desk, world) => {
    const d = desk();
    const { right } = pair(d);
    d.identity(ME, KEY);
    const packet = sealed(OTHER, pattern(100, 8));
    d.bytes.set(packet, d.scratch);
    t.is(d.host.sendOnLink(1, d.scratch, packet.length), 1);
    const [got] = await arrivals(world, d, right, 1);
    t.deepEqual(got!.bytes, packet);
    t.is(got!.link, 2);
    t.is(d.host.sendOnLink(3, d.scratch, packet.length), E.NOENT);
  });

  suite.test(
    "cleared routes and links send nothing, and the others in the list still go",
    async (t, desk, world) => {
      const d = desk();
      const { left, right } = pair(d);
      for (const route of [1, 2, 3]) d.route(route, 1, peerHeader({ to: ME }));
      d.route(4, 77, peerHeader({ to: ME }));
      d.host.routeClear(2);
      const list = [1, 2, 3, 4, -1, 16_383, 16_384, 0x7fff_ffff].map((route) => ({
        bytes: pattern(10, 1),
        route,
      }));
      t.is(d.send(list), 2);
      t.is(d.count("txNoRoute"), 6);
      t.is((await arrivals(world, d, right, 2)).length, 2);
      d.host.linkClear(1);
      t.is(d.send(list), 0);
      // A cleared link no longer receives either, and its meaning is free for another number.
      d.host.linkClear(2);
      d.datagram(left, right.port, tunnel(CONN, 3, sealed(ME, pattern(5, 5))));
      await world.until(() => d.drain(right).length === 0 && d.count("rxUnknownLink") === 1, "the refusal");
      t.is(d.link(7, right, left.port, CONN), 0);
      d.datagram(left, right.port, tunnel(CONN, 3, peerHeader({ to: ME })));
      t.is((await arrivals(world, d, right, 1))[0]!.link, 7);
    },
  );

  suite.test("the table of links behaves as a map, whatever is set and cleared", (t, desk) => {
    const d = desk();
    const sockets = [d.udp(), d.udp()];
    const command = fc.record({
      clear: fc.boolean(),
      link: fc.integer({ min: 0, max: 40 }),
      socket: fc.integer({ min: 0, max: 1 }),
      port: fc.integer({ min: 1, max: 5 }),
      connId: fc.integer({ min: 0, max: 5 }).map((n) => n * 0x2000_0000),
    });
    fc.assert(
      fc.property(fc.array(command, { minLength: 30, maxLength: 300 }), (commands) => {
        const model = new Map<number, string>();
        for (const { clear, link, socket, port, connId } of commands) {
          if (clear) {
            d.host.linkClear(link);
            model.delete(link);
            continue;
          }
          const meaning = `${socket} ${port} ${connId}`;
          const taken = [...model].some(([number, other]) => number !== link && other === meaning);
          t.is(d.link(link, sockets[socket]!, port, connId), taken ? E.EXIST : 0);
          if (!taken) model.set(link, meaning);
        }
        for (const link of model.keys()) d.host.linkClear(link);
      }),
      { numRuns: 50 },
    );
  });

  suite.test("thousands of links are told apart by each part of their meaning", (t, desk) => {
    const d = desk();
    const sockets = [d.udp(), d.udp()];
    // So many that every part of a meaning decides somewhere between neighbours in the table.
    const meaning = (n: number) => ({
      socket: sockets[n & 1]!,
      port: 1 + ((n >> 1) % 45),
      connId: Math.floor(n / 90),
    });
    const set = (link: number, n: number) => {
      const { socket, port, connId } = meaning(n);
      return d.link(link, socket, port, connId);
    };
    const count = MAX_LINKS - 1;
    for (let n = 0; n < count; n++) t.is(set(n, n), 0);
    for (let n = 0; n < count; n++) t.is(set(count, n), E.EXIST);
    for (let n = 0; n < count; n += 2) d.host.linkClear(n);
    for (let n = 1; n < count; n += 2) t.is(set(count, n), E.EXIST);
    for (let n = 0; n < count; n += 2) t.is(set(n, n), 0);
  });

  suite.test("a port in use is refused with a sentence that names it", (t, desk) => {
    const d = desk();
    const socket = d.udp();
    const failure = d.host.udpOpen(d.endpoint("127.0.0.1", socket.port));
    t.true("error" in failure);
    if ("error" in failure) {
      t.is(failure.error, E.ADDRINUSE);
      t.regex(failure.message, new RegExp(`port ${socket.port} on 127\\.0\\.0\\.1 .*another port`));
    }
  });

  suite.test(
    "a socket on :: speaks with IPv4 and with IPv6, one on 127.0.0.1 refuses IPv6",
    async (t, desk, world) => {
      const d = desk();
      const dual = d.udp("::");
      const v4 = d.udp();
      const v6 = d.udp("::1");
      d.link(1, dual, v4.port, 1);
      d.link(2, dual, v6.port, 1, "::1");
      d.link(3, v4, dual.port, 1);
      d.link(4, v6, dual.port, 1, "::1");
      t.is(d.link(5, v4, dual.port, 1, "::1"), E.AFNOSUPPORT);
      d.route(1, 1, peerHeader({ to: ME }));
      d.route(2, 2, peerHeader({ to: ME }));
      t.is(d.send([1, 2, 1, 2].map((route) => ({ bytes: pattern(10, route), route }))), 4);
      t.deepEqual(
        (await arrivals(world, d, v4, 2)).map(({ link }) => link),
        [3, 3],
      );
      t.deepEqual(
        (await arrivals(world, d, v6, 2)).map(({ link }) => link),
        [4, 4],
      );
      d.datagram(v4, dual.port, tunnel(1, 3, peerHeader({ to: ME })));
      d.datagram(v6, dual.port, tunnel(1, 3, peerHeader({ to: ME })), "::1");
      t.deepEqual((await arrivals(world, d, dual, 2)).map(({ link }) => link).sort(), [1, 2]);
    },
    ["ipv6"],
  );

  suite.test("sending to a port where nobody listens does not disturb the socket", async (t, desk, world) => {
    const d = desk();
    const { left, right } = pair(d);
    const gone = d.udp();
    d.host.close(gone.handle);
    for (let i = 0; i < 5; i++) d.datagram(left, gone.port, tunnel(1, 1, pattern(8, 1)));
    await world.pass(5);
    d.datagram(right, left.port, tunnel(1, 1, pattern(8, 1)));
    t.is((await arrivals(world, d, left, 1)).length, 1);
    t.is(d.datagram(left, right.port, tunnel(1, 1, pattern(8, 1))), 1);
    t.is((await arrivals(world, d, right, 1)).length, 1);
  });
}
