import type { Config, LogLevel } from "../config/config.ts";
import type { Diagnosis, NodeInfo, ReloadReport, StatusInfo, VersionInfo } from "./reports.ts";
import type { ConnectionRow, EventRow, PeerRow, RouteRow } from "./rows.ts";

/**
 * What the API may see of the daemon.
 *
 * The daemon implements {@link DaemonView}; every method of the table in `methods.ts` is answered from it alone, so ubus,
 * HTTP, CLI and page never reach into mesh or proxy. Tests hand in a small fake.
 *
 * Obligations of the implementation: a call answers from memory at once and neither blocks nor changes anything, except
 * `closeConnection`, `reload`, `setLogLevel` and `diagnose`. Rows are fresh objects which the caller may keep. Texts that
 * come from other nodes (host names, versions) are handed on as they were received: whoever shows them makes them safe for
 * its medium.
 */
export interface DaemonView {
  /** Version of the software and the engine it runs on. */
  version(): VersionInfo;
  /** Wall clock in whole seconds since 1970, and milliseconds since the daemon started. */
  clock(): { readonly time: number; readonly uptimeMs: number };
  /** This node. */
  node(): NodeInfo;
  /** Every other node that is known, direct or reached through others. */
  peers(): readonly PeerRow[];
  /** Where addresses lead: one row per virtual address or exported subnet of another node. */
  routes(): readonly RouteRow[];
  /** The proxy table: live entries and the recently closed ones that are still remembered, in any order. */
  connections(): readonly ConnectionRow[];
  /** Is it working, and if not, why not. */
  status(): StatusInfo;
  /** The ring of recent events, oldest first. */
  events(): readonly EventRow[];
  /** The configuration in force. */
  configuration(): Config;
  /** Ends a live entry with a reset to both sides. False = there is no live entry with that id. */
  closeConnection(id: number): boolean;
  /** Reads the configuration again and applies what can change live. On problems nothing changes. */
  reload(): Promise<ReloadResult>;
  /** Prints events of this level and worse, until the configuration is read again. */
  setLogLevel(level: LogLevel): void;
  /**
   * Examines the machine and the way to a peer (0 = one that is reachable). One run at a time: who asks meanwhile is given
   * its result.
   */
  diagnose(peerId: number): Promise<Diagnosis>;
  /** The last diagnosis, or null. */
  readonly lastDiagnosis: Diagnosis | null;
}

export type ReloadResult = ReloadReport | { readonly ok: false; readonly problems: readonly string[] };

/** The rows and reports themselves: who shows the daemon needs nothing else of it. */
export type * from "./reports.ts";
export type * from "./rows.ts";
