import test from "ava";
import fc from "fast-check";
import {
  IcmpType,
  icmpType,
  MAX_ICMP_ERROR_BYTES,
  UnreachableCode,
  writeIcmpError,
} from "../../../router-daemon/src/wire/icmp.ts";
import {
  checkIpv4,
  ipv4ChecksumIsRight,
  ipv4Destination,
  ipv4Source,
  writeIpv4Header,
} from "../../../router-daemon/src/wire/ipv4.ts";
import {
  checkUdp,
  UDP_HEADER_BYTES,
  udpChecksumIsRight,
  udpDestinationPort,
  udpSourcePort,
  writeUdpHeader,
} from "../../../router-daemon/src/wire/udp.ts";
import { naiveSum } from "../tcp/naive.ts";

const CLIENT = 0xc0a80102;
const TARGET = 0x0a7e7e02;
const ROUTER = 0xc0a80101;

function packet(protocol: number, payload: number[], source = CLIENT, destination = TARGET): Uint8Array {
  const bytes = new Uint8Array(20 + payload.length);
  writeIpv4Header(bytes, 0, bytes.length, 1, 64, protocol, source, destination);
  bytes.set(payload, 20);
  return bytes;
}

function error(original: Uint8Array, mtu = 1360): Uint8Array {
  const arena = new Uint8Array(original.length + MAX_ICMP_ERROR_BYTES);
  arena.set(original);
  const { unreachable } = IcmpType;
  const { fragmentationNeeded } = UnreachableCode;
  const at = original.length;
  const length = writeIcmpError(arena, at, unreachable, fragmentationNeeded, mtu, ROUTER, 0, original.length);
  return arena.slice(at, at + length);
}

test("an error goes to the sender, quotes the packet and tells the MTU", (t) => {
  const original = packet(
    17,
    Array.from({ length: 1400 }, (_, index) => index & 255),
  );
  const told = error(original);
  t.is(checkIpv4(told, 0, told.length), 20);
  t.true(ipv4ChecksumIsRight(told, 0, 20));
  t.is(ipv4Source(told, 0), ROUTER);
  t.is(ipv4Destination(told, 0), CLIENT);
  t.is(icmpType(told, 0, 20), IcmpType.unreachable);
  t.is(told[21], 4);
  t.is(naiveSum(told.subarray(20)), 0xffff);
  t.deepEqual([told[26], told[27]], [1360 >> 8, 1360 & 255]);
  t.deepEqual(told.subarray(28), original.subarray(0, 48));
  t.true(told.length <= MAX_ICMP_ERROR_BYTES);
});

test("no error is told about errors, later fragments, and what concerns more than one host", (t) => {
  const echo = [8, 0, 0, 0, 0, 1, 0, 1];
  t.true(error(packet(1, echo)).length > 0);
  t.is(error(packet(1, [3, 1, 0, 0, 0, 0, 0, 0])).length, 0, "about an error");
  t.is(error(packet(1, [5, 1, 0, 0, 0, 0, 0, 0])).length, 0, "about a redirect");
  t.is(error(packet(17, echo, CLIENT, 0xe00000fb)).length, 0, "to a group");
  t.is(error(packet(17, echo, 0, TARGET)).length, 0, "to nobody");
  t.is(error(packet(17, echo, 0xffffffff, TARGET)).length, 0, "to all");
  const fragment = packet(17, echo);
  fragment[7] = 3;
  t.is(error(fragment).length, 0, "about a later fragment");
  t.is(error(packet(17, echo).subarray(0, 19)).length, 0, "about no packet");
});

test("errors about arbitrary bytes neither throw nor grow", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      if (bytes.length > 0) bytes[0] = 0x45 + (bytes[0]! & 3);
      return error(bytes).length <= MAX_ICMP_ERROR_BYTES;
    }),
  );
  t.pass();
});

test("a UDP header reads back with a right checksum", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(0xffff), fc.nat(0xffff), (payload, from, to) => {
      const bytes = new Uint8Array(5 + 8 + payload.length);
      bytes.set(payload, 13);
      writeUdpHeader(bytes, 5, from, to, payload.length, CLIENT, TARGET);
      const length = checkUdp(bytes, 5, bytes.length - 5);
      t.is(length, UDP_HEADER_BYTES + payload.length);
      t.is(udpSourcePort(bytes, 5), from);
      t.is(udpDestinationPort(bytes, 5), to);
      t.true(udpChecksumIsRight(bytes, 5, length, CLIENT, TARGET));
      t.false(udpChecksumIsRight(bytes, 5, length, CLIENT, TARGET + 1));
      t.not((bytes[11]! << 8) | bytes[12]!, 0);
    }),
    { numRuns: 60 },
  );
});

test("a UDP checksum that comes out as zero is sent as its other spelling", (t) => {
  const bytes = new Uint8Array(10);
  // Two bytes of payload that make the sum 0xffff.
  writeUdpHeader(bytes, 0, 1, 2, 2, CLIENT, TARGET);
  const sum = (bytes[6]! << 8) | bytes[7]!;
  bytes[8] = sum >> 8;
  bytes[9] = sum;
  writeUdpHeader(bytes, 0, 1, 2, 2, CLIENT, TARGET);
  t.is((bytes[6]! << 8) | bytes[7]!, 0xffff);
  t.true(udpChecksumIsRight(bytes, 0, 10, CLIENT, TARGET));
});

test("a UDP datagram without checksum is fine, one that is cut off is not", (t) => {
  const bytes = Uint8Array.from([0, 1, 0, 2, 0, 9, 0, 0, 7]);
  t.is(checkUdp(bytes, 0, 9), 9);
  t.true(udpChecksumIsRight(bytes, 0, 9, CLIENT, TARGET));
  t.is(checkUdp(bytes, 0, 8), 0);
  t.is(checkUdp(bytes, 0, 7), 0);
  bytes[5] = 7;
  t.is(checkUdp(bytes, 0, 9), 0);
});
