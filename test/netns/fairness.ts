/** One KCP flow, one QUIC flow and one flow of the kernel's BBR, all at once through the same bottleneck. */
import {
  KCP_ROUTER_QUIC_SUBNET,
  KCP_ROUTER_SUBNET,
  kcpRouter,
  kcpRouterQuic,
} from "../bench/contenders/kcp-router.ts";
import { kernelTcp } from "../bench/contenders/kernel.ts";
import { Lab } from "./lab.ts";
import { type LinkParameters, twoRouters } from "./topology.ts";

const RATE_MBIT = 50;
/** 20 ms round trip, two round trips of queue. */
const BOTTLENECK: LinkParameters = { delayMs: 10, rateMbit: RATE_MBIT, queueBytes: 250_000 };
/** The first seconds belong to whoever started first. */
const WARMUP_SECONDS = 3;

/** What each of them carried, as share of a fair third of the link. */
export async function throughBottleneck(
  seconds: number,
  direction: "up" | "down",
): Promise<Readonly<Record<string, number>>> {
  const serviceSubnets = [KCP_ROUTER_SUBNET, KCP_ROUTER_QUIC_SUBNET];
  const lab = await Lab.create(twoRouters({ wan: BOTTLENECK, serviceSubnets }));
  try {
    const flows = await Promise.all(
      [kcpRouter, kcpRouterQuic, kernelTcp("bbr")].map((contender) => contender.start(lab)),
    );
    const results = await Promise.all(
      flows.map((flow) =>
        lab.throughput({
          client: "client",
          server: "service",
          ...flow.target("bulk"),
          direction,
          seconds,
          warmupSeconds: WARMUP_SECONDS,
          ...(flow.congestion && { congestion: flow.congestion }),
        }),
      ),
    );
    const fairMbps = RATE_MBIT / flows.length;
    const [kcp = 0, quic = 0, bbr = 0] = results.map(({ mbps }) => mbps / fairMbps);
    return { kcp, quic, bbr };
  } finally {
    await lab.stop();
  }
}
