import { readFileSync } from "node:fs";

/** A file of the shared test vectors. */
export function readVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../test/vectors/${name}`, import.meta.url), "utf8")) as T;
}

export function fromHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export interface TraceStep {
  op: "update" | "input" | "send+flush" | "recv" | "state" | "check";
  end: "A" | "B";
  t?: number;
  data?: string;
  ret?: number;
  out?: string[];
  state?: string;
}

export interface Trace {
  name: string;
  conv: number;
  config: {
    stream: number;
    mtu: number;
    sndwnd: number;
    rcvwnd: number;
    nodelay: number;
    interval: number;
    resend: number;
    nc: number;
  };
  steps: TraceStep[];
}

/** A trace's `data`: hex, or "n bytes, byte k = (k*a+b) mod 256". */
export function traceData(text: string): Uint8Array {
  const generated = /^(\d+) bytes, byte k = \(k\*(\d+)\+(\d+)\) mod 256$/.exec(text);
  if (!generated) return fromHex(text);
  const [, count, factor, offset] = generated.map(Number);
  return Uint8Array.from({ length: count! }, (_, k) => (k * factor! + offset!) & 0xff);
}

interface ProxyVectors {
  kcp_segment: { name: string; hex: string; [field: string]: unknown }[];
  kcp_traces: Trace[];
}

export const proxies = readVectors<ProxyVectors>("proxies.json");
