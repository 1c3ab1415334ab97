import { batch, signal } from "@preact/signals";
import type { InputOf } from "../../../router-daemon/src/api/methods.ts";
import type { NodeInfo, Overview, StatusInfo } from "../../../router-daemon/src/api/reports.ts";
import { answerOf, CallFailure, daemon } from "../luci/call.ts";
import { TICK_SECONDS } from "../luci/poller.ts";
import { RateHistory } from "./rate-history.ts";
import { orderService, type ServiceState, serviceState } from "./service.ts";

/** Ticks that may be missing between two points of the chart. */
const MAX_GAP_MS = 4 * TICK_SECONDS * 1000;

/** What a page wants to know at each tick beyond the state itself. */
export type Question = InputOf<"overview">;

/** Is it working? The head of every page, and the one call of every tick. */
export class DaemonState {
  readonly status = signal<StatusInfo | undefined>(undefined);
  readonly node = signal<NodeInfo | undefined>(undefined);
  readonly uptimeMs = signal(0);
  /** Live connections by transport. */
  readonly transports = signal<Overview["transports"]>({ tcp: 0, kcp: 0, quic: 0 });
  /** Set while the daemon does not answer. */
  readonly service = signal<ServiceState | undefined>(undefined);
  /** The last question got no answer, but the daemon is there. */
  readonly failure = signal<CallFailure | undefined>(undefined);
  /** An order to procd is under way. */
  readonly busy = signal(false);
  readonly rates = new RateHistory();
  #lastMs = Number.NEGATIVE_INFINITY;

  /** One tick. `take` is given the answer, when there is one; `asked` = the question is on its way already. */
  async refresh(
    question: Question,
    take: (answer: Overview) => void,
    asked?: Promise<unknown>,
  ): Promise<void> {
    try {
      const answer =
        asked === undefined ? await daemon("overview", question) : ((await answerOf(asked)) as Overview);
      batch(() => {
        this.#take(answer);
        take(answer);
      });
    } catch (failure) {
      if (!(failure instanceof CallFailure)) throw failure;
      if (failure.code === "absent") await this.#askService();
      else this.failure.value = failure;
    }
  }

  #take(answer: Overview): void {
    const now = performance.now();
    if (now - this.#lastMs > MAX_GAP_MS) this.rates.clear();
    this.#lastMs = now;
    this.status.value = answer.status;
    this.node.value = answer.node;
    this.uptimeMs.value = answer.uptimeMs;
    this.transports.value = answer.transports;
    this.service.value = undefined;
    this.failure.value = undefined;
    this.rates.add({ up: answer.status.upRate, down: answer.status.downRate });
  }

  async #askService(): Promise<void> {
    const service = await serviceState();
    batch(() => {
      this.service.value = service;
      this.status.value = undefined;
      this.failure.value = undefined;
      this.rates.clear();
    });
  }

  /** Start, stop or restart; a failure is shown like that of a tick. */
  async order(action: "start" | "stop" | "restart"): Promise<void> {
    this.busy.value = true;
    try {
      await orderService(action);
    } catch (failure) {
      if (!(failure instanceof CallFailure)) throw failure;
      this.failure.value = failure;
    } finally {
      this.busy.value = false;
    }
  }
}
