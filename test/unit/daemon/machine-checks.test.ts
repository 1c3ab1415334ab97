import test from "ava";
import { DEFAULTS } from "../../../router-daemon/src/config/config.ts";
import type { Finding, Scene } from "../../../router-daemon/src/daemon/diagnosis/check.ts";
import { MACHINE_CHECKS } from "../../../router-daemon/src/daemon/diagnosis/machine-checks.ts";
import { lossFinding, PROBES } from "../../../router-daemon/src/daemon/diagnosis/peer-checks.ts";
import type { PeerInfo } from "../../../router-daemon/src/mesh/routes/types.ts";

const SANE = 1_795_514_527;

/** A healthy machine; files by path. */
function scene(changes: Partial<Scene> = {}, files: Readonly<Record<string, string>> = {}): Scene {
  return {
    config: { ...DEFAULTS, ipv4: { address: 0x0a7e7e01, prefixLength: 24 } },
    tun: { handle: 1, name: "kcp0", offload: true, udpOffload: true },
    unixTime: SANE,
    budget: { level: "normal", totalBytes: 32 * 2 ** 20, usedShare: 0.1 },
    residentBytes: 20_000_000,
    missingRoutes: 0,
    reachablePeers: 1,
    listening: ["udp://0.0.0.0:11010"],
    target: undefined,
    now: () => 0,
    readFile: (path) => files[path],
    sleep: async () => true,
    ...changes,
  };
}

async function find(
  code: string,
  changes: Partial<Scene> = {},
  files: Readonly<Record<string, string>> = {},
): Promise<Finding> {
  const check = MACHINE_CHECKS.find((each) => each.code === code);
  if (check === undefined) throw new Error(`There is no check ${code}.`);
  return check.run(scene(changes, files));
}

const FORWARD = "/proc/sys/net/ipv4/ip_forward";
const FILTER_ALL = "/proc/sys/net/ipv4/conf/all/rp_filter";
const FILTER_OWN = "/proc/sys/net/ipv4/conf/kcp0/rp_filter";

test("what failed has a remedy, what did not has none; every sentence is one", async (t) => {
  const scenes = [
    scene(),
    scene({
      tun: undefined,
      unixTime: 12,
      listening: [],
      budget: { level: "shedding", totalBytes: 1e6, usedShare: 1 },
    }),
    scene({ missingRoutes: 3 }, { [FORWARD]: "0\n", [FILTER_ALL]: "1\n" }),
  ];
  for (const { code, run } of MACHINE_CHECKS) {
    for (const each of scenes) {
      const { outcome, message, remedy } = await run(each);
      t.regex(message, /^[A-Z0-9].*\.$/, code);
      t.is(outcome === "failed", remedy !== "", `${code}: ${message}`);
      if (remedy !== "") t.regex(remedy, /^[A-Z].*\.$/, code);
    }
  }
});

test("a clock that was never set is noticed", async (t) => {
  t.is((await find("clock")).outcome, "passed");
  t.like(await find("clock", { unixTime: 83 }), { outcome: "failed" });
  t.regex((await find("clock", { unixTime: 83 })).message, /^The clock says 1970-01-01 00:01\./);
});

test("a listener that is not open is named; none at all is a choice", async (t) => {
  t.is((await find("listeners")).outcome, "passed");
  t.regex(
    (await find("listeners", { listening: [] })).message,
    /^Not listening on udp:\/\/0\.0\.0\.0:11010\.$/,
  );
  const config = { ...scene().config, listeners: [] };
  t.is((await find("listeners", { config, listening: [] })).outcome, "skipped");
});

test("forwarding is asked of a node that exports a subnet, and may be off elsewhere", async (t) => {
  const exporting = { ...scene().config, proxy_networks: [{ network: 0xc0a80100, prefixLength: 24 }] };
  t.is((await find("ip_forward", {}, { [FORWARD]: "1\n" })).outcome, "passed");
  t.is((await find("ip_forward", {}, { [FORWARD]: "0\n" })).outcome, "skipped");
  t.is((await find("ip_forward", { config: exporting }, { [FORWARD]: "0\n" })).outcome, "failed");
  t.is((await find("ip_forward", { config: exporting })).outcome, "skipped", "it cannot be read");
});

test("a strict reverse path filter hurts only where routes are missing; loose beats strict", async (t) => {
  const strict = { [FILTER_ALL]: "0\n", [FILTER_OWN]: "1\n" };
  t.is((await find("rp_filter", { missingRoutes: 2 }, strict)).outcome, "failed");
  t.is((await find("rp_filter", { missingRoutes: 0 }, strict)).outcome, "passed");
  t.is((await find("rp_filter", { missingRoutes: 2 }, { ...strict, [FILTER_ALL]: "2\n" })).outcome, "passed");
  t.is((await find("rp_filter", { missingRoutes: 2 }, { [FILTER_ALL]: "0\n" })).outcome, "passed");
  t.is((await find("rp_filter", { missingRoutes: 2 })).outcome, "skipped");
});

test("flow offloading is recognised in the router's configuration", async (t) => {
  const firewall = (line: string) => ({
    "/etc/config/firewall": `config defaults\n\toption syn_flood '1'\n${line}\n`,
  });
  const message = async (line: string) => (await find("flow_offloading", {}, firewall(line))).message;
  t.is(await message(""), "Flow offloading is off.");
  t.is(await message("\toption flow_offloading '0'"), "Flow offloading is off.");
  t.regex(await message("\toption flow_offloading '1'"), /^Flow offloading is on\./);
  t.regex(await message('\toption flow_offloading_hw "1"'), /^Flow offloading is on\./);
  t.is((await find("flow_offloading")).outcome, "skipped");
});

test("loss and jitter are told; what is missing counts as lost", (t) => {
  const peer = { peerId: 7, hostname: "server" } as PeerInfo;
  const steady = lossFinding(
    peer,
    Array.from({ length: PROBES }, () => 40),
  );
  t.like(steady, { outcome: "passed", figures: { loss_share: 0, rtt_ms: 40, jitter_ms: 0 } });
  const shaky = lossFinding(
    peer,
    Array.from({ length: PROBES }, (_, at) => (at % 2 === 0 ? 30 : 50)),
  );
  t.like(shaky, { outcome: "passed", figures: { loss_share: 0, rtt_ms: 40, jitter_ms: 20 } });
  const lossy = lossFinding(peer, [10, null, null, 12, 14]);
  t.like(lossy, { outcome: "failed", figures: { loss_share: 1 - 3 / PROBES, rtt_ms: 12, jitter_ms: 2 } });
  t.like(lossFinding(peer, [10]), { figures: { jitter_ms: 0 } });
  t.like(lossFinding({ peerId: 7, hostname: "" } as PeerInfo, []), {
    outcome: "failed",
    message: `Peer 7 answered none of ${PROBES} packets.`,
    figures: { loss_share: 1 },
  });
});
