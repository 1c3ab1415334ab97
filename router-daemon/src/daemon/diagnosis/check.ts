import type { CheckResult } from "../../api/reports.ts";
import type { Config } from "../../config/config.ts";
import type { TunInfo } from "../../host/host.ts";
import type { KcpConnection } from "../../kcp/types.ts";
import type { PeerInfo } from "../../mesh/routes/types.ts";
import type { MemoryBudget } from "../../proxy/memory-budget.ts";

/** What checks may look at and do. */
export interface Scene {
  readonly config: Config;
  readonly tun: TunInfo | undefined;
  /** Wall clock in whole seconds since 1970. */
  readonly unixTime: number;
  readonly budget: Pick<MemoryBudget, "level" | "totalBytes" | "usedShare">;
  readonly residentBytes: number | null;
  /** Subnets of peers that the kernel has no route to, because there are too many or it refused. */
  readonly missingRoutes: number;
  readonly reachablePeers: number;
  /** URLs that are really being listened on. */
  readonly listening: readonly string[];
  /** Whom to measure; undefined = nobody is reachable. */
  readonly target: Target | undefined;
  /** Monotonic milliseconds. */
  now(): number;
  /** Text of a small file, or undefined. */
  readFile(path: string): string | undefined;
  /** False = the daemon stops: give up. */
  sleep(until: number): Promise<boolean>;
}

/** The peer that is measured. */
export interface Target {
  readonly peer: PeerInfo;
  /** One small question, never repeated; `done` gets the round trip, or null when no answer came in time. */
  probe(timeoutMs: number, done: (rttMs: number | null) => void): void;
  /** Begins a KCP connection to a port of the peer; undefined = a bound is reached. Its owner releases it. */
  connect(port: number, openTimeoutMs: number): KcpConnection | undefined;
}

/** One thing that is examined. */
export interface Check {
  /** Stable code, `tun_device`. */
  readonly code: string;
  readonly title: string;
  run(scene: Scene): Finding | Promise<Finding>;
}

/** What a check found; how it is put into words. */
export type Finding = Pick<CheckResult, "outcome" | "message" | "remedy" | "figures">;

export function passed(message: string, figures: Readonly<Record<string, number>> = {}): Finding {
  return { outcome: "passed", message, remedy: "", figures };
}

export function failed(
  message: string,
  remedy: string,
  figures: Readonly<Record<string, number>> = {},
): Finding {
  return { outcome: "failed", message, remedy, figures };
}

export function skipped(message: string): Finding {
  return { outcome: "skipped", message, remedy: "", figures: {} };
}
