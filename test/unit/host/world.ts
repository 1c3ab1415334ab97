import type { Host } from "../../../router-daemon/src/host/host.ts";

/**
 * What the conformance suite needs around a `Host`: a way to make hosts that reach one another over the loopback
 * address, time that passes, and a TCP service to connect to. One world per implementation: Node's kernel, the simulated
 * network, QuickJS.
 */
export interface World {
  readonly name: string;
  /** A fresh host; the suite disposes it. `slotBytes` is 1536 unless said. */
  host(options?: { slotCount?: number; slotBytes?: number }): Host;
  /** Lets the world go on until `done()`; rejects when it does not come true within some seconds of the world's time. */
  until(done: () => boolean, what: string): Promise<void>;
  /** Lets `ms` of the world's time pass. */
  pass(ms: number): Promise<void>;
  /** A TCP service on 127.0.0.1. */
  service(): Promise<Service>;
  /** A port of 127.0.0.1 where nothing listens. */
  closedPort(): Promise<number>;
  /** What this world cannot do, with the reason; the tests concerned are skipped with it. */
  readonly lacks: Partial<Record<WorldFeature, string>>;
}

export type WorldFeature = "ipv6" | "tcp" | "reset" | "wake" | "native-arguments";

export interface Service {
  readonly port: number;
  /** The next accepted connection. */
  accept(): Promise<ServiceConnection>;
  close(): void;
}

/** The service's end of a connection, half-open after the other end's FIN. */
export interface ServiceConnection {
  /** Bytes received so far. */
  received(): Uint8Array;
  /** The other end has sent its FIN. */
  readonly ended: boolean;
  /** The connection was reset by the other end. */
  readonly wasReset: boolean;
  write(bytes: Uint8Array): void;
  end(): void;
  reset(): void;
  /** Stops and resumes reading. */
  pause(): void;
  resume(): void;
}
