/** What Node gives the daemon's process. */
import { lookup } from "node:dns/promises";
import { lstatSync, unlinkSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { nodeFiles } from "../cli/node-io.ts";
import { parseIpv4 } from "../config/ipv4.ts";
import { createNodeHost } from "../host/node/host.ts";
import { nodeStreams } from "../host/node/streams.ts";
import { nodeTimers } from "../host/node/timers.ts";
import { type Engine, type InterfaceAddress, MAX_SMALL_FILE_BYTES } from "./engine.ts";

export const nodeEngine: Engine = {
  name: `node ${process.versions.node}`,
  streams: nodeStreams,
  timers: nodeTimers,
  createHost: (slotCount) => createNodeHost({ slotCount }),

  fileKind(path) {
    try {
      return lstatSync(path).isSocket() ? "socket" : "other";
    } catch (error) {
      return { code: codeOf(error) };
    }
  },
  removeFile(path) {
    try {
      unlinkSync(path);
      return "";
    } catch (error) {
      return codeOf(error);
    }
  },
  readFile(path) {
    // The CLI's reader, since it bounds what has no size: files of /proc and /sys.
    const file = nodeFiles.read(path, MAX_SMALL_FILE_BYTES);
    return file.ok ? file.text : undefined;
  },

  async resolve(name) {
    try {
      return (await lookup(name, { all: true })).map(({ address }) => address);
    } catch {
      return [];
    }
  },
  interfaceAddresses() {
    const found: InterfaceAddress[] = [];
    for (const [name, addresses] of Object.entries(networkInterfaces())) {
      for (const entry of addresses ?? []) {
        const address = entry.family === "IPv4" && !entry.internal ? parseIpv4(entry.address) : undefined;
        const prefixLength = Number(entry.cidr?.split("/")[1]);
        if (address !== undefined && prefixLength > 0) found.push({ name, address, prefixLength });
      }
    }
    return found;
  },
  residentBytes: () => process.memoryUsage.rss(),
};

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "EIO";
}
