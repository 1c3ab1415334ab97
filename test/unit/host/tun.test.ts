import test, { type ExecutionContext } from "ava";

import { E } from "./desk.ts";
import { playScene, whyNoScenes } from "./namespace.ts";

const reason = whyNoScenes();
/** Where a build is judged nothing is skipped; elsewhere the reason is shown. */
const scene = reason === undefined || process.env.CI !== undefined ? test.serial : test.serial.skip;
const why = reason === undefined ? "" : ` (${reason})`;

interface Failure {
  readonly error: number;
  readonly message: string;
}

async function cross(
  t: ExecutionContext,
  near: string,
  far: string,
  mode: "whole" | "cut",
): Promise<Readonly<Record<string, unknown>>> {
  const result = await playScene("crossing", [near, far, mode]);
  t.like(result, { v4Up: true, v4Down: true, v6Up: true, v6Down: true });
  t.is(result.checksumErrors, 0);
  t.is(result.badChecksums, 0);
  t.deepEqual(result.refused, []);
  t.deepEqual(result.datagrams, { good: 40 + 13 + 64 + 5, bad: 0 });
  return result;
}

scene(`TCP and UDP cross two TUNs as super-segments${why}`, async (t) => {
  const result = await cross(t, "", "", "whole");
  t.true(result.offload);
  t.true(Number(result.upLargest) > 20_000 && Number(result.downLargest) > 20_000);
  t.is(Number(result.udpTrains) > 0, result.udpOffload as boolean);
});

scene(`super-segments cut by tunSplit pass the far kernel's checksum tests${why}`, async (t) => {
  const result = await cross(t, "", "", "cut");
  t.true(Number(result.upLargest) > 20_000);
});

scene(`super-segments are cut by tunWrite where the device has no vnet header${why}`, async (t) => {
  const result = await cross(t, "", "vnet", "whole");
  t.true(Number(result.upLargest) > 20_000);
  t.true(Number(result.downLargest) <= 1360);
});

scene(`without any offload packets of the MTU cross${why}`, async (t) => {
  const result = await cross(t, "vnet,udp-segment,udp-gro", "vnet", "whole");
  t.is(result.offload, false);
  t.true(Number(result.upLargest) <= 1360 && Number(result.downLargest) <= 1360);
});

scene(`with the vnet header but without negotiated offload packets of the MTU cross${why}`, async (t) => {
  const result = await cross(t, "tun-offload", "tun-offload", "cut");
  t.is(result.offload, false);
  t.true(Number(result.upLargest) <= 1360 && Number(result.downLargest) <= 1360);
});

scene(`address, MTU, queue and routes are set, changed and taken away${why}`, async (t) => {
  const result = await playScene("configure");
  t.like(result.first as object, { mtu: 1360, txqlen: 4096 });
  t.true((result.first as { flags: string[] }).flags.includes("UP"));
  t.like(result.first as object, { addr_info: [{ local: "10.77.0.1", prefixlen: 24 }] });
  t.deepEqual(result.firstRoutes, ["10.77.0.0/24"]);
  t.deepEqual(result.added, ["10.128.0.0/9", "10.77.0.0/24", "192.168.1.5", "192.168.100.0/24"]);
  t.deepEqual(result.removed, ["10.77.0.0/24", "192.168.1.5", "192.168.100.0/24"]);
  t.like(result.second as object, { mtu: 1300 });
  t.is((result.second as { addr_info: unknown[] }).addr_info.length, 1);
  t.like(result.second as object, { addr_info: [{ local: "10.78.0.9", prefixlen: 16 }] });
  t.deepEqual(result.wrong, Array(6).fill(E.INVAL));
  t.true(result.gone);
});

scene(`a device that cannot be had is refused with a sentence and its remedy${why}`, async (t) => {
  const result = await playScene("names");
  for (const { error, message } of result.bad as Failure[]) {
    t.is(error, E.INVAL);
    t.regex(message, /no valid device name: 1 to 15 .*\.$/);
  }
  t.like(result.twice as object, { error: -16 });
  t.regex((result.twice as Failure).message, /kr0 is in use by another program.*another device name\.$/);
  t.regex((result.loopback as Failure).message, /lo belongs to .* not a TUN device.*another device name\.$/);
  t.is((result.longest as Failure).error, 0);
  t.is((result.noDevice as Failure).error, E.NOENT);
  t.regex((result.noDevice as Failure).message, /no TUN device .*modprobe tun.*kmod-tun\.$/);
  if (result.noPermission !== "not tried")
    t.regex((result.noPermission as Failure).message, /CAP_NET_ADMIN\.$/);
});

scene(`many small frames come in one read, and wrong frames are refused${why}`, async (t) => {
  const result = await playScene("frames");
  t.is(result.garbage, E.INVAL);
  t.is(result.downWrite, -5);
  t.is(result.nothing, 0);
  t.true(result.readable);
  t.is(result.few, 3);
  t.is(result.many, 47);
  t.true(result.contents);
  t.deepEqual(result.end, [0, 0]);
  t.deepEqual(result.wrong, Array(7).fill(E.INVAL));
  t.true(result.deleted);
});

// Steering packets to another CPU is for the machine's root.
const asRoot = process.getuid?.() === 0 ? scene : test.serial.skip;
asRoot(`a full device returns 0 and is reported writable when there is room${why}`, async (t) => {
  const result = await playScene("full");
  t.deepEqual(result.rounds, Array(5).fill({ full: true, writable: true }));
  t.true(Number(result.counted) >= 5);
});
