import type { Lab } from "../netns/lab.ts";
import { toolPath } from "../netns/paths.ts";
import { SERVICE } from "../netns/topology.ts";

/** Direction, and Mbit/s at most. */
const CONNECTIONS = [
  ["down", 20],
  ["up", 5],
  ["down", 1],
] as const;
const DAY_MS = 86_400_000;

/** Connections of the LAN's client that last as long as the lab, for the page to show. */
export async function startTraffic(lab: Lab): Promise<void> {
  for (const [direction, mbps] of CONNECTIONS) {
    const port = String(lab.freePort());
    const server = lab.spawn("service", [toolPath("bulk"), "serve", port]);
    await server.waitForLine(/^ready$/);
    lab.spawn("client", [
      toolPath("bulk"),
      "client",
      SERVICE,
      port,
      direction,
      "0",
      String(DAY_MS),
      "-",
      String(mbps),
    ]);
  }
}
