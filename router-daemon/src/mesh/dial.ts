/**
 * One attempt to open a link to one endpoint, as client (links.md 2.2, 4.2).
 *
 * ```
 *  syn ──SACK──▶ pause ──20 ms──▶ handshake ──answer──▶ (the link layer takes over)
 *   └─────────────────── 3 s after the first SYN ──────────────────▶ over
 * ```
 *
 * Each attempt has a local port of its own: stock 2.6.4 listeners know sessions by address alone.
 */
import { TunnelType } from "../wire/udp-tunnel.ts";
import type { ControlIo } from "./control-io.ts";
import { DIAL_BUDGET_MS, HANDSHAKE_REPEAT_MS, SACK_PAUSE_MS, SYN_RESEND_MS } from "./limits.ts";
import type { Link } from "./link-table.ts";
import type { Random32 } from "./types.ts";

/** What is due when a dial's time has come. */
export type DialStep = "nothing" | "send_handshake" | "timed_out" | "send_failed";

export class Dial {
  readonly socket: number;
  readonly target: Uint8Array;
  readonly connId: number;
  readonly magicLow: number;
  readonly magicHigh: number;
  /** Set once the SACK has come. */
  link: Link | undefined;
  readonly #io: ControlIo;
  readonly #deadlineMs: number;
  #nextSendMs: number;
  /** The negative result of a SYN that could not be sent. */
  error = 0;

  constructor(io: ControlIo, random: Random32, socket: number, target: Uint8Array, now: number) {
    this.#io = io;
    this.socket = socket;
    this.target = target;
    this.connId = random();
    this.magicLow = random();
    this.magicHigh = random();
    this.#deadlineMs = now + DIAL_BUDGET_MS;
    this.#nextSendMs = now;
  }

  get nextTimeout(): number {
    return Math.min(this.#nextSendMs, this.#deadlineMs);
  }

  handleTimeout(now: number): DialStep {
    if (now >= this.#deadlineMs) return "timed_out";
    if (now < this.#nextSendMs) return "nothing";
    if (this.link !== undefined) {
      this.#nextSendMs = now + HANDSHAKE_REPEAT_MS;
      return "send_handshake";
    }
    return this.#sendSyn(this.target, now) ? "nothing" : "send_failed";
  }

  /** The other side opened its NAT towards us: ask again at once, to that address (links.md 2.7). */
  handleHolePunch(now: number): void {
    if (this.link === undefined) this.#sendSyn(this.target, now);
  }

  /** True when the SACK is the answer to our SYN; the caller then makes the link and calls `opened`. */
  matches(connId: number, magicLow: number, magicHigh: number): boolean {
    return (
      this.link === undefined &&
      connId === this.connId &&
      magicLow === this.magicLow &&
      magicHigh === this.magicHigh
    );
  }

  opened(link: Link, now: number): void {
    this.link = link;
    this.#nextSendMs = now + SACK_PAUSE_MS;
  }

  #sendSyn(to: Uint8Array, now: number): boolean {
    this.#nextSendMs = now + SYN_RESEND_MS;
    const { socket, connId, magicLow, magicHigh } = this;
    const sent = this.#io.sendSyn(socket, to, connId, TunnelType.syn, magicLow, magicHigh);
    if (sent < 0) this.error = sent;
    return sent >= 0;
  }
}
