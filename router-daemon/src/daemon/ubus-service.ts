import type { InTurn } from "../api/in-turn.ts";
import type { EventRow } from "../api/rows.ts";
import { createUbusObject, UBUS_EVENT, UBUS_PATH } from "../api/ubus-object.ts";
import type { DaemonView } from "../api/view.ts";
import type { Streams } from "../host/streams.ts";
import type { Timers } from "../host/timers.ts";
import { UbusClient, type UbusState } from "../ubus/client.ts";

/** Events sent per period; what comes beyond is counted, and told with the next one. */
export const MAX_EVENTS_PER_PERIOD = 20;
export const EVENT_PERIOD_MS = 10_000;

export interface UbusServiceOptions {
  readonly streams: Pick<Streams, "connect">;
  readonly timers: Timers;
  /** Socket of ubusd. */
  readonly path: string;
  /** Monotonic milliseconds. */
  now(): number;
  /** netifd says that an interface came, went or has other addresses. */
  interfacesChanged(): void;
  /** For the daemon's log: the object came, went, or was refused. */
  tell(level: "info" | "warning", code: string, message: string): void;
  onFailure(error: unknown): void;
  readonly inTurn: InTurn;
}

/** The daemon on OpenWrt's bus: its methods as an object, its events for those who listen. */
export class UbusService {
  readonly #options: UbusServiceOptions;
  readonly #client: UbusClient;
  #timer = 0;
  #periodStart = 0;
  #sent = 0;
  #leftOut = 0;
  /** What was told last: the same thing is not told again. */
  #told = "";

  constructor(view: DaemonView, options: UbusServiceOptions) {
    this.#options = options;
    this.#client = new UbusClient({
      streams: options.streams,
      path: options.path,
      object: createUbusObject(view, options.onFailure, options.inTurn),
      listen: { pattern: "network.interface", hear: () => options.interfacesChanged() },
      now: options.now,
      onTimeoutChange: () => this.#arm(),
      onState: (state, reason) => this.#tellState(state, reason),
    });
  }

  start(): void {
    this.#client.start();
    this.#arm();
  }

  close(): void {
    this.#client.close();
    this.#options.timers.stopTimer(this.#timer);
  }

  /** An event of the daemon, for listeners and subscribers. */
  event(row: EventRow): void {
    const now = this.#options.now();
    if (now - this.#periodStart >= EVENT_PERIOD_MS) {
      this.#periodStart = now;
      this.#sent = 0;
    }
    if (this.#sent >= MAX_EVENTS_PER_PERIOD) {
      this.#leftOut++;
      return;
    }
    const fields = this.#leftOut === 0 ? row : { ...row, left_out: this.#leftOut };
    if (!this.#client.sendEvent(UBUS_EVENT, fields)) return;
    this.#client.notify("event", fields);
    this.#sent++;
    this.#leftOut = 0;
  }

  #arm(): void {
    const { timers, now } = this.#options;
    timers.stopTimer(this.#timer);
    const at = this.#client.nextTimeout;
    if (at === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.max(0, Math.ceil(at - now()));
    this.#timer = timers.startTimer(() => {
      this.#client.handleTimeout(now());
      this.#arm();
    }, delayMs);
  }

  /** A machine without ubus is none of our business: only what was there, and what was refused, is told. */
  #tellState(state: UbusState, reason: string): void {
    if (state === "registered") {
      this.#tell("info", "ubus_registered", `The ubus object ${UBUS_PATH} is there.`);
    } else if (state === "connected" && reason !== "") {
      this.#tell(
        "warning",
        "ubus_refused",
        `The ubus object ${UBUS_PATH} cannot be published: ${reason}. Another kcp-router may have it; only root may publish it.`,
      );
    } else if (state === "waiting" && this.#told === "ubus_registered") {
      this.#tell("warning", "ubus_lost", `ubus is gone (${reason}); it is tried again.`);
    }
  }

  #tell(level: "info" | "warning", code: string, message: string): void {
    if (this.#told === code) return;
    this.#told = code;
    this.#options.tell(level, code, message);
  }
}
