import { RxFlag } from "../../../router-daemon/src/host/host.ts";
import { concat, pattern, peerHeader, tunnel } from "./desk.ts";
import { arrivals, CONN, ME, OTHER, pair } from "./link-pair.ts";
import { KEY, opened, sealed } from "./seal.ts";
import type { Suite } from "./suite.ts";

/** Sealing and opening peer packets (links.md 5), differentially against node:crypto. */
export function sealingConformance(suite: Suite): void {
  suite.test(
    "sealed packets are opened: flag cleared, tail cut, other flags kept",
    async (t, desk, world) => {
      const d = desk();
      const { left, right } = pair(d);
      t.is(d.identity(ME, KEY), 0);
      const lengths = [0, 1, 15, 16, 17, 100, 1360, 1400];
      lengths.forEach((length, i) => {
        d.datagram(
          left,
          right.port,
          tunnel(CONN, 3, sealed(ME, pattern(length, i), { type: 12, flags: 0x42 })),
        );
      });
      const got = await arrivals(world, d, right, lengths.length);
      got.forEach(({ bytes, flags, link, slot }, i) => {
        t.is(flags, RxFlag.opened);
        t.is(link, 2);
        t.deepEqual(
          bytes,
          concat(peerHeader({ to: ME, type: 12, flags: 0x42, length: lengths[i]! }), pattern(lengths[i]!, i)),
        );

        t.true(slot >= 0);
      });
      t.is(d.count("rxOpened"), lengths.length);
    },
  );

  suite.test("forged, damaged and truncated packets are dropped and counted", async (t, desk, world) => {
    const d = desk();
    const { left, right } = pair(d);
    d.identity(ME, KEY);
    const good = sealed(ME, pattern(60, 5));
    let forged = 0;
    for (let at = 16; at < good.length; at++) {
      const bad = good.slice();
      bad[at]! ^= 1 << (at % 8);
      d.datagram(left, right.port, tunnel(CONN, 3, bad));
      forged++;
    }
    d.datagram(left, right.port, tunnel(CONN, 3, sealed(ME, pattern(60, 5), { key: pattern(16, 3) })));
    d.datagram(left, right.port, tunnel(CONN, 3, good.subarray(0, good.length - 1)));
    d.datagram(left, right.port, tunnel(CONN, 3, good.subarray(0, 16 + 27)));
    d.datagram(left, right.port, tunnel(CONN, 3, good));
    const got = await arrivals(world, d, right, 1);
    t.is(got.length, 1);
    t.deepEqual(got[0]!.bytes.subarray(16), pattern(60, 5));
    t.is(d.count("rxBadTag"), forged + 2);
    t.is(d.count("rxMalformed"), 1);
  });

  suite.test(
    "with encryption off, encrypted packets to us are dropped and plain ones pass",
    async (t, desk, world) => {
      const d = desk();
      const { left, right } = pair(d);
      t.is(d.identity(ME, undefined), 0);
      d.datagram(left, right.port, tunnel(CONN, 3, sealed(ME, pattern(60, 5))));
      d.datagram(left, right.port, tunnel(CONN, 3, concat(peerHeader({ to: ME }), pattern(9, 1))));
      const got = await arrivals(world, d, right, 1);
      t.is(got.length, 1);
      t.is(got[0]!.flags, RxFlag.untouched);
      t.is(d.count("rxNoKey"), 1);
      d.route(3, 1, peerHeader({ to: ME, flags: 1 }));
      t.is(d.send([{ bytes: pattern(5, 5), route: 3 }]), 0);
      t.is(d.count("txNoKey"), 1);
    },
  );

  suite.test(
    "a new identity takes effect at once, for the peer id and for the key",
    async (t, desk, world) => {
      const d = desk();
      const { left, right } = pair(d);
      const key2 = pattern(16, 77);
      d.identity(ME, KEY);
      d.identity(OTHER, key2);
      d.datagram(left, right.port, tunnel(CONN, 3, sealed(OTHER, pattern(10, 1), { key: KEY })));
      d.datagram(left, right.port, tunnel(CONN, 3, sealed(ME, pattern(10, 1), { key: KEY })));
      d.datagram(left, right.port, tunnel(CONN, 3, sealed(OTHER, pattern(10, 2), { key: key2 })));
      const got = await arrivals(world, d, right, 2);
      t.deepEqual(
        got.map(({ flags }) => flags),
        [RxFlag.untouched, RxFlag.opened],
      );
      t.is(d.count("rxBadTag"), 1);
    },
  );

  suite.test(
    "send seals what node:crypto opens, with fresh nonces, and leaves the arena as it was",
    async (t, desk, world) => {
      const d = desk();
      const { right } = pair(d);
      d.identity(ME, KEY);
      d.route(9, 1, peerHeader({ from: ME, to: OTHER, type: 11, flags: 0x03, length: 999 }));
      const payloads = [0, 1, 16, 700, 1360].map((length, i) => ({ bytes: pattern(length, i), route: 9 }));
      const count = d.put(payloads);
      const before = d.bytes.slice(d.scratch, d.scratch + 4000);
      t.is(d.host.send(d.list, count), count);
      t.deepEqual(d.bytes.slice(d.scratch, d.scratch + 4000), before);
      const got = await arrivals(world, d, right, count);
      const nonces = new Set<string>();
      got.forEach(({ bytes, flags }, i) => {
        t.is(flags, RxFlag.untouched);
        const { header, payload } = opened(bytes);
        const { length } = payloads[i]!.bytes;
        t.deepEqual(header, peerHeader({ from: ME, to: OTHER, type: 11, flags: 0x03, length }));
        t.deepEqual(payload, payloads[i]!.bytes);
        nonces.add(Buffer.from(bytes.subarray(bytes.length - 12)).toString("hex"));
      });
      t.is(nonces.size, count);
    },
  );

  suite.test("payloads of every length are sealed and opened as node:crypto does", async (t, desk, world) => {
    const d = desk();
    const { left, right } = pair(d);
    // Every remainder of the block sizes that implementations work in, and some large ones.
    const lengths = Array.from({ length: 530 }, (_, i) => i).concat([
      767, 768, 1023, 1024, 1279, 1281, 1375, 1376,
    ]);
    for (let first = 0; first < lengths.length; first += 60) {
      const key = pattern(16, first);
      d.identity(ME, key);
      d.route(9, 1, peerHeader({ from: ME, to: OTHER, flags: 1 }));
      const some = lengths.slice(first, first + 60);
      t.is(d.send(some.map((length, i) => ({ bytes: pattern(length, i), route: 9 }))), some.length);
      for (const [i, { bytes }] of (await arrivals(world, d, right, some.length)).entries()) {
        t.is(Buffer.compare(opened(bytes, key).payload, pattern(some[i]!, i)), 0, `${some[i]} bytes`);
      }
      for (const [i, length] of some.entries()) {
        const packet = sealed(ME, pattern(length, i), { key });
        d.datagram(left, right.port, tunnel(CONN, 3, packet));
        // Nothing of the tag may go unlooked at.
        packet[packet.length - 28 + (i % 16)]! ^= 1 << (i % 8);
        d.datagram(left, right.port, tunnel(CONN, 3, packet));
      }
      const got = await arrivals(world, d, right, some.length);
      t.is(got.length, some.length);
      got.forEach(({ bytes, flags }, i) => {
        t.is(flags, RxFlag.opened);
        t.is(Buffer.compare(bytes.subarray(16), pattern(some[i]!, i)), 0, `${some[i]} bytes`);
      });
    }
    await world.until(
      () => d.drain(right).length === 0 && d.count("rxBadTag") === lengths.length,
      "as many forged ones dropped",
    );
  });

  suite.test("no nonce comes twice", async (t, desk, world) => {
    const d = desk();
    const { right } = pair(d);
    d.identity(ME, KEY);
    d.route(9, 1, peerHeader({ from: ME, to: OTHER, flags: 1 }));
    const nonces = new Set<string>();
    for (let round = 0; round < 10; round++) {
      d.send(Array.from({ length: 100 }, () => ({ bytes: Uint8Array.of(1), route: 9 })));
      for (const { bytes } of await arrivals(world, d, right, 100)) {
        nonces.add(Buffer.from(bytes.subarray(bytes.length - 12)).toString("hex"));
      }
    }
    t.is(nonces.size, 1000);
  });
}
