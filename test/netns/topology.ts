/**
 * Networks of the lab, as data. `Lab.create` makes them real.
 *
 * The usual one, `twoRouters()`:
 *
 *      client            routerA                              routerB            service
 *   ┌──────────┐      ┌────────────┐       provider        ┌────────────┐      ┌──────────┐
 *   │ TCP cubic│ lan  │ lan    wan │  veth, or linkem with  │ wan    lan │ lan  │ TCP cubic│
 *   │      eth ├──────┤            ├════════════════════════┤            ├──────┤ eth      │
 *   └──────────┘      └────────────┘  delay loss rate queue └────────────┘      └──────────┘
 *    10.81.0.2        10.81.0.1  192.0.2.1          192.0.2.2   10.82.0.1        10.82.0.2
 *    GRO on routers' `lan` as a real NIC has it; no segmentation offload on `wan`, as a plain NIC
 *
 * The client's and the service's default route is their router. The routers know only their own LANs and `wan`, so that
 * nothing gets from one LAN to the other but through a virtual network. The exception is the reference measurement: each
 * end host has a second address (10.81.1.2, 10.82.1.2) and the routers forward between those two subnets.
 *
 * With a third node, `withRelay()`:
 *
 *   client ── routerA ══ wanA ══ relay ══ wanB ══ routerB ── service       (no path from A to B but through the relay's node)
 */

/** One direction of an emulated link. Times in milliseconds, probabilities 0..1; what is left out is 0 = off. */
export interface LinkParameters {
  readonly delayMs?: number;
  /** 0..jitterMs more per packet, uniform, order kept. */
  readonly jitterMs?: number;
  /** Probability that a packet is held back by `reorderDelayMs`, so that later ones overtake it. */
  readonly reorder?: number;
  readonly reorderDelayMs?: number;
  /** Probability of loss, independent per packet. */
  readonly loss?: number;
  /** Gilbert–Elliott: probability per packet to enter and to leave the bad state, and of loss inside. */
  readonly burstEnter?: number;
  readonly burstLeave?: number;
  readonly burstLoss?: number;
  readonly duplicate?: number;
  /** Mbit/s of IP bytes. */
  readonly rateMbit?: number;
  readonly queueBytes?: number;
  /** Larger packets vanish silently (a path MTU black hole); the device's MTU stays 1500. */
  readonly mtu?: number;
}

/** `veth` is as fast as the machine and can only lose packets; `emulated` has every fault. */
export type LinkKind = "veth" | "emulated";

export interface LinkEnd {
  readonly host: string;
  readonly device: string;
  /** Addresses with prefix length, the first is the primary one. */
  readonly addresses: readonly string[];
}

export interface LinkSpec {
  readonly name: string;
  readonly kind: LinkKind;
  readonly a: LinkEnd;
  readonly b: LinkEnd;
  /** `lan`: GRO on, segmentation left whole; `wan`: no offload of any kind. */
  readonly role: "lan" | "wan";
  readonly both?: LinkParameters;
  readonly seed?: number;
}

/** What follows `ip route add`. */
export interface Route {
  readonly to: string;
  readonly via: string;
  readonly source?: string;
}

export interface HostSpec {
  readonly name: string;
  /** A router forwards. */
  readonly forward: boolean;
  /** Congestion control of the host's TCP (applied to its routes: works without touching the machine's settings). */
  readonly congestion: "cubic" | "bbr" | "reno";
  readonly routes: readonly Route[];
}

export interface Topology {
  readonly hosts: readonly HostSpec[];
  readonly links: readonly LinkSpec[];
}

export const CLIENT = "10.81.0.2";
export const SERVICE = "10.82.0.2";
/** The service's address that the routers' kernels forward to without any of us: the reference for kernel TCP. */
export const SERVICE_BY_KERNEL = "10.82.1.2";
export const CLIENT_LAN = "10.81.0.0/24";
export const SERVICE_LAN = "10.82.0.0/24";
export const ROUTER_A_WAN = "192.0.2.1";
export const ROUTER_B_WAN = "192.0.2.2";

export interface TwoRoutersOptions {
  /** Default: veth, no loss. With a delay, rate … it must be `emulated`, which is then the default. */
  readonly kind?: LinkKind;
  readonly wan?: LinkParameters;
  readonly congestion?: HostSpec["congestion"];
  readonly seed?: number;
  /** More addresses of the service (each with its router's gateway address), one per virtual network in a comparison. */
  readonly serviceSubnets?: readonly string[];
}

function endHosts(congestion: HostSpec["congestion"]): HostSpec[] {
  const client: Route[] = [
    { to: "default", via: "10.81.0.1" },
    { to: "10.82.1.0/24", via: "10.81.1.1", source: "10.81.1.2" },
  ];
  const service: Route[] = [
    { to: "default", via: "10.82.0.1" },
    { to: "10.81.1.0/24", via: "10.82.1.1", source: "10.82.1.2" },
  ];
  return [
    { name: "client", forward: false, congestion, routes: client },
    { name: "service", forward: false, congestion, routes: service },
  ];
}

function lans(serviceSubnets: readonly string[]): LinkSpec[] {
  const addresses = (last: number): string[] => [
    `10.82.0.${last}/24`,
    `10.82.1.${last}/24`,
    ...serviceSubnets.map((subnet) => `${subnet.replace(/\.0\/24$/, "")}.${last}/24`),
  ];
  return [
    {
      name: "lanA",
      kind: "veth",
      role: "lan",
      a: { host: "client", device: "eth", addresses: ["10.81.0.2/24", "10.81.1.2/24"] },
      b: { host: "routerA", device: "lan", addresses: ["10.81.0.1/24", "10.81.1.1/24"] },
    },
    {
      name: "lanB",
      kind: "veth",
      role: "lan",
      a: { host: "service", device: "eth", addresses: addresses(2) },
      b: { host: "routerB", device: "lan", addresses: addresses(1) },
    },
  ];
}

function wanLink(name: string, a: LinkEnd, b: LinkEnd, options: TwoRoutersOptions): LinkSpec {
  const { wan, seed } = options;
  const needsEmulator = wan !== undefined && Object.keys(wan).some((key) => key !== "loss");
  const kind = options.kind ?? (needsEmulator ? "emulated" : "veth");
  return { name, kind, role: "wan", a, b, ...(wan && { both: wan }), ...(seed !== undefined && { seed }) };
}

/** client – routerA – wan – routerB – service. */
export function twoRouters(options: TwoRoutersOptions = {}): Topology {
  const { congestion = "cubic", serviceSubnets = [] } = options;
  return {
    hosts: [
      ...endHosts(congestion),
      { name: "routerA", forward: true, congestion, routes: [{ to: "10.82.1.0/24", via: ROUTER_B_WAN }] },
      { name: "routerB", forward: true, congestion, routes: [{ to: "10.81.1.0/24", via: ROUTER_A_WAN }] },
    ],
    links: [
      ...lans(serviceSubnets),
      wanLink(
        "wan",
        { host: "routerA", device: "wan", addresses: [`${ROUTER_A_WAN}/24`] },
        { host: "routerB", device: "wan", addresses: [`${ROUTER_B_WAN}/24`] },
        options,
      ),
    ],
  };
}

/** The relay's addresses towards routerA and routerB. */
export const RELAY_WAN_A = "192.0.2.3";
export const RELAY_WAN_B = "198.51.100.3";
export const ROUTER_B_RELAY_WAN = "198.51.100.2";

/** client – routerA – wanA – relay – wanB – routerB – service. The relay's kernel forwards nothing. */
export function withRelay(options: TwoRoutersOptions = {}): Topology {
  const { congestion = "cubic", serviceSubnets = [] } = options;
  return {
    hosts: [
      ...endHosts(congestion),
      { name: "routerA", forward: true, congestion, routes: [] },
      { name: "routerB", forward: true, congestion, routes: [] },
      { name: "relay", forward: false, congestion, routes: [] },
    ],
    links: [
      ...lans(serviceSubnets),
      wanLink(
        "wanA",
        { host: "routerA", device: "wan", addresses: [`${ROUTER_A_WAN}/24`] },
        { host: "relay", device: "wanA", addresses: [`${RELAY_WAN_A}/24`] },
        options,
      ),
      wanLink(
        "wanB",
        { host: "relay", device: "wanB", addresses: [`${RELAY_WAN_B}/24`] },
        { host: "routerB", device: "wan", addresses: [`${ROUTER_B_RELAY_WAN}/24`] },
        options,
      ),
    ],
  };
}
