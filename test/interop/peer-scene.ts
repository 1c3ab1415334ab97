/** Our daemon on routerA, the real EasyTier core on routerB, joined directly or through a relay of theirs. */
import type { ExecutionContext } from "ava";
import { Lab } from "../netns/lab.ts";
import type { Endpoints } from "../netns/measure.ts";
import { KcpRouter, type RouterConfig, untilKernelRoute } from "../netns/router.ts";
import {
  CLIENT,
  CLIENT_LAN,
  RELAY_WAN_A,
  RELAY_WAN_B,
  ROUTER_A_WAN,
  ROUTER_B_WAN,
  SERVICE,
  SERVICE_LAN,
  type TwoRoutersOptions,
  twoRouters,
  withRelay,
} from "../netns/topology.ts";
import { type EasyTierFlags, EasyTierPeer, prepareEasyTier } from "./peer/easytier-peer.ts";

export const MIB = 1024 * 1024;
export const NETWORK = { networkName: "lab", networkSecret: "between the two of us" };
const OURS = "10.91.0.1";
export const THEIRS = "10.91.0.2";
const PORT = 11_010;
export const LISTENERS = [`udp://0.0.0.0:${PORT}`];

/** Connections from our LAN, and from theirs. */
export const TO_THEIR_LAN = { client: "client", server: "service", address: SERVICE } as const;
export const TO_THEM = { client: "client", server: "routerB", address: THEIRS } as const;
export const TO_OUR_LAN = { client: "service", server: "client", address: CLIENT } as const;
export const TO_US = { client: "service", server: "routerA", address: OURS } as const;

/** `make soak` runs everything whole; the ordinary run takes a share. */
export const SOAK = process.env.SOAK === "1";
export const TRANSFERS = SOAK ? 100 : 10;

interface Scene {
  readonly lab: Lab;
  readonly ours: KcpRouter;
  readonly theirs: EasyTierPeer;
}

interface SceneOptions extends TwoRoutersOptions {
  readonly whoDials?: "ours" | "theirs";
  readonly relayed?: boolean;
  readonly ourFlags?: RouterConfig["flags"];
  readonly theirFlags?: EasyTierFlags;
}

/** Our daemon on routerA, the real peer on routerB, joined. */
export async function withPeer(
  t: ExecutionContext,
  options: SceneOptions,
  story: (scene: Scene) => Promise<void>,
): Promise<void> {
  const missing = await prepareEasyTier();
  if (missing !== undefined) {
    t.log(`skipped: ${missing}`);
    t.pass();
    return;
  }
  const { whoDials = "ours", relayed = false } = options;
  const lab = await Lab.create(relayed ? withRelay(options) : twoRouters(options));
  try {
    if (relayed) {
      await EasyTierPeer.start(lab, "relay", {
        ...NETWORK,
        hostname: "relay",
        listeners: LISTENERS,
        flags: { no_tun: true },
      });
    }
    const ourPeers = relayed
      ? [`udp://${RELAY_WAN_A}:${PORT}`]
      : whoDials === "ours"
        ? [`udp://${ROUTER_B_WAN}:${PORT}`]
        : [];
    const theirPeers = relayed
      ? [`udp://${RELAY_WAN_B}:${PORT}`]
      : whoDials === "theirs"
        ? [`udp://${ROUTER_A_WAN}:${PORT}`]
        : [];
    const theirs = await EasyTierPeer.start(lab, "routerB", {
      ...NETWORK,
      hostname: "theirs",
      ipv4: `${THEIRS}/24`,
      listeners: LISTENERS,
      peers: theirPeers,
      proxyNetworks: [SERVICE_LAN],
      flags: { enable_kcp_proxy: true, use_smoltcp: true, disable_p2p: true, ...options.theirFlags },
    });
    const ours = await KcpRouter.start(lab, "routerA", {
      ...NETWORK,
      hostname: "ours",
      ipv4: `${OURS}/24`,
      listeners: LISTENERS,
      peers: ourPeers,
      proxyNetworks: [CLIENT_LAN],
      flags: { enable_kcp_proxy: true, ...options.ourFlags },
    });
    await ours.untilPeer("theirs", (peer) => peer.exportedSubnets.includes(SERVICE_LAN));
    await theirs.untilRoute("ours", ({ hostname }) => hostname === "ours");
    await untilKernelRoute(lab, "routerA", SERVICE_LAN);
    await untilKernelRoute(lab, "routerB", CLIENT_LAN);
    await story({ lab, ours, theirs });
  } finally {
    await lab.stop();
  }
}

/** The rows of our table since the last call, told apart by what matters. */
export async function newRows({ ours }: Scene, seen: Set<number>): Promise<string[]> {
  const rows = (await ours.connections()).filter(({ id }) => !seen.has(id));
  for (const { id } of rows) seen.add(id);
  return [...new Set(rows.map(({ role, transport, reason }) => `${role} ${transport} ${reason}`))].sort();
}

/** Downloads and uploads in all four directions, hashes equal; each is carried as said and nothing else. */
export async function fourDirections(
  t: ExecutionContext,
  scene: Scene,
  transport: "kcp" | "quic",
): Promise<void> {
  await crossWays(t, scene, transport, 2 * MIB, [
    [TO_THEM, "source"],
    [TO_THEIR_LAN, "source"],
    [TO_US, "destination"],
    [TO_OUR_LAN, "destination"],
  ]);
}

/**
 * The same where their node leaves TCP to its kernel (proxies.md 2.4): it then carries what begins on the node itself;
 * what comes from its LAN is plain TCP.
 */
export async function aroundKernelMode(
  t: ExecutionContext,
  scene: Scene,
  transport: "kcp" | "quic",
): Promise<void> {
  await crossWays(t, scene, transport, MIB, [
    [TO_THEM, "source"],
    [TO_THEIR_LAN, "source"],
    [{ ...TO_US, client: "routerB" }, "destination"],
    [{ ...TO_OUR_LAN, client: "routerB" }, "destination"],
    [TO_OUR_LAN, undefined],
  ]);
}

/** A download and an upload each way: every byte right, and what our table then lists is our role and the transport, or nothing. */
async function crossWays(
  t: ExecutionContext,
  scene: Scene,
  transport: "kcp" | "quic",
  bytes: number,
  ways: readonly (readonly [ends: Endpoints, role: "source" | "destination" | undefined])[],
): Promise<void> {
  const seen = new Set<number>();
  for (const [ends, role] of ways) {
    for (const mode of ["download", "upload"] as const) {
      const { bad } = await scene.lab.transfer({ ...ends, mode, upBytes: bytes, downBytes: bytes });
      t.deepEqual(bad, [], `${ends.client} to ${ends.address} ${mode}`);
    }
    const rows = role === undefined ? [] : [`${role} ${transport} ${transport}_allowed`];
    t.deepEqual(await newRows(scene, seen), rows, `${ends.client} to ${ends.address}`);
  }
}

/** So many downloads and uploads of 4 MiB in both roles, ended by the sender: none is short, and the link stays. */
export async function manyTransfers(t: ExecutionContext, scene: Scene, count: number): Promise<void> {
  const { lab } = scene;
  const before = await linkIds(scene.theirs);
  for (const ends of [TO_THEIR_LAN, TO_OUR_LAN]) {
    for (const mode of ["download", "upload"] as const) {
      const { ok, bad } = await lab.transfer({
        ...ends,
        mode,
        connections: count,
        concurrency: 4,
        upBytes: 4 * MIB,
        downBytes: 4 * MIB,
        seconds: 10 + count * 3,
      });
      t.deepEqual(bad, [], `${ends.client} to ${ends.address} ${mode}`);
      t.is(ok, count);
    }
  }
  await assertSameLink(t, scene, before);
}

/** What the real peer calls its links. */
export async function linkIds(theirs: EasyTierPeer): Promise<readonly string[]> {
  const text = JSON.stringify((await theirs.peers()).map((peer) => peer.conns ?? peer));
  return text.match(/"conn_id":"[^"]*"/g) ?? [];
}

/** The link of the beginning is still there, by both sides' account. */
export async function assertSameLink(
  t: ExecutionContext,
  { ours, theirs }: Scene,
  before: readonly string[],
): Promise<void> {
  const codes = (await ours.call("events", {})).rows.map(({ code }) => code);
  t.deepEqual(
    codes.filter((code) => code === "link_up" || code === "link_down"),
    ["link_up"],
  );
  t.is(before.length, 1);
  t.deepEqual(await linkIds(theirs), before);
}
