/** What is compared: something between the two routers that carries a client's TCP connection to the service. */
import type { Lab } from "../../netns/lab.ts";

export const CONTENDERS = [
  "kcp-router",
  "kcp-router-quic",
  "easytier-kcp",
  "easytier-quic",
  "kcptun",
  "kcptun-fec",
  "tcp-bbr",
  "tcp-cubic",
] as const;
export type ContenderName = (typeof CONTENDERS)[number];

/** What a connection is for; a forwarder of single ports needs to know. */
export type Purpose = "bulk" | "latency";

export interface Target {
  /** Where the client connects. */
  readonly address: string;
  /** Where the client connects and the service listens; without it any port will do. */
  readonly port?: number;
}

/** A contender at work in a lab. */
export interface Running {
  target(purpose: Purpose): Target;
  /** Of the end hosts' sockets, where that is what is compared. */
  readonly congestion?: "bbr" | "cubic";
  /** Its processes on the client's and on the service's side; none for the kernel. */
  readonly processes?: { readonly source: readonly number[]; readonly destination: readonly number[] };
  /** What it is exactly, for the report. */
  readonly description: string;
  stop(): Promise<void>;
}

export interface Contender {
  readonly name: ContenderName;
  start(lab: Lab): Promise<Running>;
}

/** Two nodes with one proxy switched on: what tells such pairs apart that run side by side. */
export interface ProxyPair {
  readonly name: ContenderName;
  readonly proxy: "KCP" | "QUIC";
  readonly flag: "enable_kcp_proxy" | "enable_quic_proxy";
  readonly subnet: string;
  readonly service: string;
  /** First three numbers of the virtual network. */
  readonly network: string;
  readonly port: number;
  readonly device: string;
}
