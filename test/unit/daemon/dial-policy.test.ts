import test from "ava";
import { ServedAddresses } from "../../../router-daemon/src/daemon/dial-policy.ts";

const ip = (text: string): number =>
  text.split(".").reduce((value, octet) => (value * 256 + Number(octet)) >>> 0, 0);

const served = new ServedAddresses({
  ipv4: ip("10.126.126.1"),
  exports: [{ network: ip("192.168.1.0"), prefixLength: 24 }],
  localAddresses: [ip("192.168.1.1"), ip("203.0.113.5")],
  protectedPorts: [15888],
});

test("peers may have our virtual address and exported hosts dialled, nothing else", (t) => {
  const cases: [string, number, ReturnType<ServedAddresses["mayDial"]>][] = [
    ["10.126.126.1", 22, "yes"],
    ["192.168.1.10", 80, "yes"],
    ["192.168.1.1", 22, "yes"],
    ["192.168.1.0", 80, "destination_not_exported"],
    ["192.168.1.255", 80, "destination_not_exported"],
    ["192.168.2.10", 80, "destination_not_exported"],
    ["10.126.126.2", 80, "destination_not_exported"],
    ["203.0.113.5", 80, "destination_not_exported"],
    ["8.8.8.8", 53, "destination_not_exported"],
    ["127.0.0.1", 80, "destination_not_exported"],
    ["0.0.0.0", 80, "destination_not_exported"],
    ["224.0.0.1", 80, "destination_not_exported"],
    ["192.168.1.10", 0, "destination_not_exported"],
  ];
  for (const [address, port, expected] of cases) t.is(served.mayDial(ip(address), port), expected, address);
});

test("the daemon's own ports are protected on every address of the machine, and only there", (t) => {
  t.is(served.mayDial(ip("10.126.126.1"), 15888), "destination_protected");
  t.is(served.mayDial(ip("192.168.1.1"), 15888), "destination_protected");
  t.is(served.mayDial(ip("192.168.1.10"), 15888), "yes");
});

test("without an address of our own and exports nothing is served; a /31 has no broadcast", (t) => {
  const none = new ServedAddresses({ ipv4: 0, exports: [], localAddresses: [], protectedPorts: [] });
  t.is(none.mayDial(0, 80), "destination_not_exported");
  const pair = new ServedAddresses({
    ipv4: 0,
    exports: [{ network: ip("10.0.0.2"), prefixLength: 31 }],
    localAddresses: [],
    protectedPorts: [],
  });
  t.is(pair.mayDial(ip("10.0.0.2"), 80), "yes");
  t.is(pair.mayDial(ip("10.0.0.3"), 80), "yes");
});
