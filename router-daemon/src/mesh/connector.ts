/**
 * Keeps one configured peer connected (links.md 8.1): resolve, dial, and dial again for as long as it is configured. It
 * decides when and where to; the link layer dials.
 */
import { ADDRESS_BYTES, type Endpoint, isIpv4Mapped, parseEndpoint } from "../wire/endpoint.ts";
import type { UdpUrl } from "../wire/udp-url.ts";
import type { Dial } from "./dial.ts";
import {
  MAX_ADDRESSES_PER_NAME,
  REDIAL_MS,
  REDIAL_REFUSED_MS,
  RESOLVE_RETRY_MAX_MS,
  RESOLVE_RETRY_MIN_MS,
  RESOLVE_TIMEOUT_MS,
} from "./limits.ts";
import type { Link } from "./link-table.ts";
import type { LinkReason } from "./reason.ts";
import type { Random32 } from "./types.ts";

/** Reasons that another attempt a second later will not cure. */
const LASTING: readonly LinkReason[] = ["wrong_network_secret", "wrong_network_name", "self_connection"];

export type ConnectorStep =
  | { readonly do: "nothing" }
  | { readonly do: "resolve" }
  | { readonly do: "unresolved" }
  | { readonly do: "dial"; readonly endpoint: Uint8Array };

export class Connector {
  /** Its `url` is as configured: it names the peer everywhere. */
  readonly target: UdpUrl;
  dial: Dial | undefined;
  link: Link | undefined;
  /** Attempts since the last link. */
  attempts = 0;
  /** Why the last attempt failed; undefined after a link. */
  failure: LinkReason | undefined;

  #endpoints: readonly Uint8Array[] = [];
  /** Addresses still to be tried in this round: one IPv4, then one IPv6. */
  #round: Uint8Array[] = [];
  #roundStartMs = Number.NEGATIVE_INFINITY;
  #nextAttemptMs = Number.NEGATIVE_INFINITY;

  #wantResolve: boolean;
  #askedAtMs = Number.NaN;
  #nextResolveMs = Number.NEGATIVE_INFINITY;
  #resolveRetryMs = RESOLVE_RETRY_MIN_MS;

  constructor(target: UdpUrl) {
    this.target = target;
    this.#wantResolve = target.family === 0;
    if (target.family !== 0) {
      const endpoint = parseEndpoint({ address: target.host, port: target.port });
      if (endpoint !== undefined) this.#endpoints = [endpoint];
    }
  }

  get hasEndpoints(): boolean {
    return this.#endpoints.length > 0;
  }

  get nextTimeout(): number {
    if (this.link !== undefined) return Number.POSITIVE_INFINITY;
    if (this.dial !== undefined) return this.dial.nextTimeout;
    const asking = !Number.isNaN(this.#askedAtMs);
    const resolveMs = asking
      ? this.#askedAtMs + RESOLVE_TIMEOUT_MS
      : this.#wantResolve
        ? this.#nextResolveMs
        : Number.POSITIVE_INFINITY;
    return this.#endpoints.length === 0 ? resolveMs : Math.min(resolveMs, this.#nextAttemptMs);
  }

  /** What to do now; to be called again until it says "nothing". */
  step(now: number, random: Random32): ConnectorStep {
    if (this.link !== undefined || this.dial !== undefined) return { do: "nothing" };
    if (now >= this.#askedAtMs + RESOLVE_TIMEOUT_MS) {
      this.#askedAtMs = Number.NaN;
      this.#resolveLater(now);
      if (this.#endpoints.length === 0) return { do: "unresolved" };
    }
    if (this.#wantResolve && Number.isNaN(this.#askedAtMs) && now >= this.#nextResolveMs) {
      this.#askedAtMs = now;
      return { do: "resolve" };
    }
    if (this.#endpoints.length === 0 || now < this.#nextAttemptMs) return { do: "nothing" };
    if (this.#round.length === 0) {
      this.#round = pickRound(this.#endpoints, random);
      this.#roundStartMs = now;
    }
    const endpoint = this.#round.shift()!;
    this.attempts++;
    return { do: "dial", endpoint };
  }

  /** The answer to "resolve". False when it holds no usable address. */
  handleResolved(endpoints: readonly Endpoint[], now: number): boolean {
    this.#askedAtMs = Number.NaN;
    this.#wantResolve = false;
    const parsed: Uint8Array[] = [];
    for (const endpoint of endpoints) {
      const bytes = parseEndpoint({ address: endpoint.address, port: endpoint.port || this.target.port });
      if (bytes !== undefined && parsed.length < MAX_ADDRESSES_PER_NAME) parsed.push(bytes);
    }
    if (parsed.length === 0) {
      this.#wantResolve = true;
      this.#resolveLater(now);
      return false;
    }
    const first = this.#endpoints.length === 0;
    this.#endpoints = parsed;
    this.#nextResolveMs = now + this.#resolveRetryMs;
    this.#resolveRetryMs = Math.min(this.#resolveRetryMs * 2, RESOLVE_RETRY_MAX_MS);
    if (first) this.#nextAttemptMs = now;
    return true;
  }

  /** The dial ended without a link. True when the reason is news. */
  failed(reason: LinkReason, now: number): boolean {
    this.dial = undefined;
    if (this.target.family === 0) this.#wantResolve = true;
    this.#retryAfter(reason, now);
    const news = this.failure !== reason;
    this.failure = reason;
    return news;
  }

  connected(link: Link): void {
    this.dial = undefined;
    this.link = link;
    this.attempts = 0;
    this.failure = undefined;
    this.#round = [];
    this.#resolveRetryMs = RESOLVE_RETRY_MIN_MS;
    this.#nextResolveMs = Number.NEGATIVE_INFINITY;
  }

  /** The link ended. */
  disconnected(reason: LinkReason, now: number): void {
    this.link = undefined;
    if (this.target.family === 0) this.#wantResolve = true;
    this.#nextAttemptMs = LASTING.includes(reason) ? now + REDIAL_REFUSED_MS : now;
    if (LASTING.includes(reason)) this.failure = reason;
  }

  #retryAfter(reason: LinkReason, now: number): void {
    if (LASTING.includes(reason)) {
      this.#round = [];
      this.#nextAttemptMs = now + REDIAL_REFUSED_MS;
    } else if (this.#round.length > 0) this.#nextAttemptMs = now;
    else this.#nextAttemptMs = Math.max(now, this.#roundStartMs + REDIAL_MS);
  }

  #resolveLater(now: number): void {
    this.#nextResolveMs = now + this.#resolveRetryMs;
    this.#resolveRetryMs = Math.min(this.#resolveRetryMs * 2, RESOLVE_RETRY_MAX_MS);
  }
}

/** A random IPv4 address, then a random IPv6 address. */
function pickRound(endpoints: readonly Uint8Array[], random: Random32): Uint8Array[] {
  const round: Uint8Array[] = [];
  for (const wantIpv4 of [true, false]) {
    const family = endpoints.filter((endpoint) => isIpv4Mapped(endpoint) === wantIpv4);
    if (family.length > 0) round.push(family[random() % family.length]!);
  }
  return round;
}

/** The address to bind for dialling: any of the target's family. */
export function anyAddressFor(target: Uint8Array): Uint8Array {
  const any = new Uint8Array(target.length);
  if (isIpv4Mapped(target)) any.fill(0xff, 10, 12);
  return any.fill(0, ADDRESS_BYTES);
}
