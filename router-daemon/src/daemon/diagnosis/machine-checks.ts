/** What can be wrong with the machine. */
import { type Check, failed, passed, type Scene, skipped } from "./check.ts";
import { FIREWALL_CHECK } from "./firewall-check.ts";

/** 2026-01-01: no wall clock that was ever set is older than the program. */
const OLDEST_SANE_TIME = 1_767_225_600;
const PROC_IPV4 = "/proc/sys/net/ipv4";
const FIREWALL_CONFIG = "/etc/config/firewall";

export const MACHINE_CHECKS: readonly Check[] = [
  {
    code: "tun_device",
    title: "TUN device",
    run: ({ tun }) => {
      if (tun === undefined) {
        return failed("There is no TUN device.", "Install kmod-tun, and look for /dev/net/tun.");
      }
      if (tun.offload) return passed(`The device ${tun.name} is open, with offloads.`);
      return failed(
        `The device ${tun.name} is open, but the kernel gives it no offloads: everything works, more slowly.`,
        "Use a kernel with TUN offloads.",
      );
    },
  },
  {
    code: "clock",
    title: "Clock",
    run: ({ unixTime }) => {
      if (unixTime >= OLDEST_SANE_TIME) return passed("The clock has been set.");
      return failed(
        `The clock says ${isoTime(unixTime)}. The network works, but times in tables and logs are wrong.`,
        "Wait until NTP has set the clock, or name a time server that is reachable.",
      );
    },
  },
  {
    code: "listeners",
    title: "Listening for other nodes",
    run: ({ config, listening }) => {
      if (config.listeners.length === 0) {
        return skipped("No listener is configured: other nodes cannot dial this one, it dials them.");
      }
      const closed = config.listeners.filter(({ url }) => !listening.includes(url)).map(({ url }) => url);
      if (closed.length === 0) return passed(`Listening on ${listening.join(", ")}.`);
      return failed(
        `Not listening on ${closed.join(", ")}.`,
        "Another program may have the port. Choose another one, then restart.",
      );
    },
  },
  {
    code: "ip_forward",
    title: "IP forwarding",
    run: (scene) => {
      const value = scene.readFile(`${PROC_IPV4}/ip_forward`)?.trim();
      if (value === undefined) return skipped("The kernel's setting cannot be read.");
      if (value === "1") return passed("The kernel forwards between the LAN and the network.");
      if (scene.config.proxy_networks.length === 0) {
        return skipped(
          "The kernel does not forward. That is right for this machine alone; devices of a LAN behind it cannot use the network.",
        );
      }
      return failed(
        "The kernel does not forward, so the exported subnets are reached by carried TCP only.",
        "Set net.ipv4.ip_forward to 1.",
      );
    },
  },
  { code: "rp_filter", title: "Reverse path filter", run: checkReversePath },
  FIREWALL_CHECK,
  {
    code: "flow_offloading",
    title: "Flow offloading",
    run: ({ readFile, tun }) => {
      const text = readFile(FIREWALL_CONFIG);
      if (text === undefined) return skipped("This machine has no OpenWrt firewall configuration.");
      if (!/^\s*option\s+flow_offloading(?:_hw)?\s+['"]?(?:1|on|true|yes|enabled)\b/m.test(text)) {
        return passed("Flow offloading is off.");
      }
      const name = tun?.name ?? "the TUN device";
      return passed(
        `Flow offloading is on. It speeds up what does not touch ${name}; the network's own traffic never takes that way.`,
      );
    },
  },
  {
    code: "memory",
    title: "Memory",
    run: ({ budget, residentBytes }) => {
      const { level, totalBytes } = budget;
      const freeShare = 1 - budget.usedShare;
      const free = `${percent(freeShare)} of ${Math.round(totalBytes / 2 ** 20)} MiB for payload are free`;
      const figures = {
        free_share: Math.round(freeShare * 1000) / 1000,
        ...(residentBytes === null ? {} : { resident_bytes: residentBytes }),
      };
      if (level === "normal") return passed(`${free}.`, figures);
      return failed(
        level === "saving"
          ? `Only ${free}: new connections use plain TCP.`
          : `Only ${free}: new connections use plain TCP, and idle ones that hold memory are closed.`,
        "Raise memory_limit_mib if the router has memory to spare, or lower max_connections.",
        figures,
      );
    },
  },
];

/** The strictest of "all" and the device's own value counts. */
function checkReversePath({ readFile, tun, missingRoutes }: Scene) {
  const name = tun?.name ?? "";
  const values = ["all", name].map((device) =>
    device === "" ? undefined : readFile(`${PROC_IPV4}/conf/${device}/rp_filter`)?.trim(),
  );
  if (values.every((value) => value === undefined)) return skipped("The kernel's setting cannot be read.");
  // 1 is strict and 2 loose; of "all" and the device's own the larger number counts.
  const value = Math.max(...values.map((text) => Number(text ?? 0)));
  if (value !== 1) return passed("The kernel does not turn away packets for the way they come.");
  if (missingRoutes === 0) {
    return passed("The kernel is strict about the way packets come, and has a route to every subnet.");
  }
  return failed(
    `The kernel is strict about the way packets come, and ${missingRoutes} subnets of peers have no route here: their packets are dropped.`,
    `Set net.ipv4.conf.${name}.rp_filter to 2, or export fewer subnets.`,
    { missing_routes: missingRoutes },
  );
}

function percent(share: number): string {
  return `${Math.floor(share * 100)} %`;
}

function isoTime(unixSeconds: number): string {
  return new Date(unixSeconds * 1000).toISOString().slice(0, 16).replace("T", " ");
}
