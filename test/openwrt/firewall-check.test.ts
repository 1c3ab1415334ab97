import test from "ava";
import type { Scene } from "../../router-daemon/src/daemon/diagnosis/check.ts";
import { FIREWALL_CHECK } from "../../router-daemon/src/daemon/diagnosis/firewall-check.ts";

const NETWORK = "config interface 'kcp'\n\toption proto 'none'\n\toption device 'kcp0'\n";
const LAN = "config zone\n\toption name 'lan'\n\tlist network 'lan'\n";
const FORWARDING = "config forwarding\n\toption src 'lan'\n\toption dest 'kcp'\n";

function outcome(firewall: string | undefined, network: string | undefined = NETWORK): string {
  const readFile = (path: string) =>
    ({ "/etc/config/firewall": firewall, "/etc/config/network": network })[path];
  const finding = FIREWALL_CHECK.run({ readFile, config: { dev_name: "kcp0" } } as Scene);
  if (finding instanceof Promise) throw new Error("it reads two files and nothing else");
  return `${finding.outcome}: ${finding.message}`;
}

function zone(lines: string): string {
  return `${LAN}config zone\n\toption name 'kcp'\n${lines}`;
}

test("a zone holds the device by its name, by a wildcard, by its interface, in a list or in one option", (t) => {
  const good = "passed: The zone kcp holds kcp0; into it come lan, out of it one gets to no zone.";
  t.is(outcome(zone("\tlist device 'kcp0'\n") + FORWARDING), good);
  t.is(outcome(zone("\tlist device 'kcp+'\n") + FORWARDING), good);
  t.is(outcome(zone("\tlist network 'kcp'\n") + FORWARDING), good);
  t.is(outcome(zone("\toption network 'vpn kcp'\n") + FORWARDING), good);
});

test("without a zone, or without forwarding, the finding says what is dropped", (t) => {
  t.regex(outcome(LAN + FORWARDING), /^failed: No zone of the firewall holds kcp0/);
  t.regex(outcome(zone("\tlist device 'kcp1'\n") + FORWARDING), /^failed: No zone/);
  t.regex(
    outcome(zone("\tlist network 'kcp'\n") + FORWARDING, "config interface 'other'\n"),
    /^failed: No zone/,
  );
  t.regex(outcome(zone("\tlist device 'kcp0'\n")), /^failed: .*nothing may be forwarded/);
  const off = `${FORWARDING}\toption enabled '0'\n`;
  t.regex(outcome(zone("\tlist device 'kcp0'\n") + off), /^failed: .*nothing may be forwarded/);
});

test("a machine without OpenWrt's firewall, or with a file that is none, is passed over", (t) => {
  t.regex(outcome(undefined), /^skipped/);
  t.regex(outcome("option without a section\n"), /^skipped/);
});
