import test from "ava";
import fc from "fast-check";
import {
  checkIpv4,
  IPV4_HEADER_BYTES,
  IpProtocol,
  ipv4ChecksumIsRight,
  ipv4Destination,
  ipv4DontFragment,
  ipv4IsFragment,
  ipv4IsLaterFragment,
  ipv4Protocol,
  ipv4Source,
  ipv4TotalLength,
  isUnicastAddress,
  writeIpv4Header,
} from "../../../router-daemon/src/wire/ipv4.ts";
import { encodeFrame, naiveSum } from "../tcp/naive.ts";

const address = fc.nat(0xffff_ffff);

test("a written header reads back, has a right checksum and equals the naive twin's", (t) => {
  fc.assert(
    fc.property(
      address,
      address,
      fc.nat(0xffff),
      fc.nat(1400),
      (source, destination, identification, length) => {
        const frame = encodeFrame({
          source,
          destination,
          sourcePort: 1,
          destinationPort: 2,
          sequence: 0,
          acknowledgement: 0,
          flags: new Set(["ack"]),
          window: 0,
          payload: new Uint8Array(length),
          identification,
        });
        const packet = new Uint8Array(frame.length - 10 + 3);
        writeIpv4Header(
          packet,
          3,
          frame.length - 10,
          identification,
          64,
          IpProtocol.tcp,
          source,
          destination,
        );
        t.deepEqual(packet.subarray(3, 23), frame.subarray(10, 30));
        t.is(checkIpv4(packet, 3, packet.length - 3), IPV4_HEADER_BYTES);
        t.is(ipv4Source(packet, 3), source);
        t.is(ipv4Destination(packet, 3), destination);
        t.is(ipv4Protocol(packet, 3), 6);
        t.is(ipv4TotalLength(packet, 3), frame.length - 10);
        t.true(ipv4ChecksumIsRight(packet, 3, 20));
        t.true(ipv4DontFragment(packet, 3));
        t.false(ipv4IsFragment(packet, 3));
      },
    ),
    { numRuns: 50 },
  );
});

test("a damaged header has a wrong checksum", (t) => {
  const packet = new Uint8Array(20);
  writeIpv4Header(packet, 0, 20, 7, 64, 17, 0x0a000001, 0x0a000002);
  packet[15]! ^= 4;
  t.false(ipv4ChecksumIsRight(packet, 0, 20));
});

test("whatever is no whole IPv4 packet is refused", (t) => {
  const good = new Uint8Array(40);
  writeIpv4Header(good, 0, 40, 1, 64, 6, 1, 2);
  t.is(checkIpv4(good, 0, 40), 20);
  t.is(checkIpv4(good, 0, 19), 0, "shorter than a header");
  t.is(checkIpv4(good, 0, 39), 0, "cut off");
  t.is(checkIpv4(good, 0, 60), 20, "with padding behind");
  const change = (at: number, value: number) => {
    const bad = good.slice();
    bad[at] = value;
    return checkIpv4(bad, 0, 40);
  };
  t.is(change(0, 0x65), 0, "IPv6");
  t.is(change(0, 0x44), 0, "a header of 16 bytes");
  t.is(change(0, 0x4b), 0, "a header longer than the packet");
  t.is(change(0, 0x4a), 40, "a header that fills the packet");
  t.is(change(3, 19), 0, "a total length below the header's");
});

test("any bytes are read without throwing and within their length", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const header = checkIpv4(bytes, 0, bytes.length);
      if (header === 0) return true;
      return header >= 20 && header <= 60 && ipv4TotalLength(bytes, 0) <= bytes.length;
    }),
  );
  t.pass();
});

test("fragments are known, the first one too", (t) => {
  const packet = new Uint8Array(20);
  writeIpv4Header(packet, 0, 20, 1, 64, 6, 1, 2);
  packet[6] = 0x20;
  t.true(ipv4IsFragment(packet, 0));
  t.false(ipv4IsLaterFragment(packet, 0));
  packet[6] = 0x00;
  packet[7] = 0x01;
  t.true(ipv4IsFragment(packet, 0));
  t.true(ipv4IsLaterFragment(packet, 0));
});

test("only addresses of single hosts are unicast", (t) => {
  for (const good of [0x0a000001, 0xc0a80101, 0x01000000, 0xdfffffff]) t.true(isUnicastAddress(good));
  for (const bad of [0, 0x00ffffff, 0x7f000001, 0xe0000001, 0xefffffff, 0xf0000000, 0xffffffff]) {
    t.false(isUnicastAddress(bad));
  }
});

test("sums of headers with options are taken over all of them", (t) => {
  const packet = new Uint8Array(24);
  packet.set([0x46, 0, 0, 24]);
  packet.set([0x94, 0x04, 0, 0], 20);
  const sum = 0xffff - naiveSum(packet);
  packet[10] = sum >> 8;
  packet[11] = sum;
  t.is(checkIpv4(packet, 0, 24), 24);
  t.true(ipv4ChecksumIsRight(packet, 0, 24));
  t.false(ipv4ChecksumIsRight(packet, 0, 20));
});
