import type { SlotPool, SlotQuota } from "kcp-ts";
import type { ReorderStore } from "./assembler.ts";
import type { TcpCounters } from "./counters.ts";
import type { TcpFlow } from "./flow.ts";
import type { FrameWriter } from "./frame-writer.ts";
import type { TcpLimits } from "./limits.ts";
import type { Replies } from "./replies.ts";
import type { TimerTable } from "./timer-table.ts";
import type { TcpEvents } from "./types.ts";

/** What a flow needs of its stack. */
export interface FlowHome {
  readonly pool: SlotPool;
  readonly quota: SlotQuota | undefined;
  readonly limits: TcpLimits;
  readonly timers: TimerTable;
  readonly events: TcpEvents;
  readonly counters: TcpCounters;
  readonly writer: FrameWriter;
  readonly replies: Replies;
  readonly reorder: ReorderStore;
  /** Of the device, without options. */
  readonly mss: number;
  readonly maxFrameBytes: number;
  readonly random: () => number;
  /** The flow has something to send: `output` will be called by the next `poll`. */
  wantsOutput(flow: TcpFlow): void;
  /** The flow has ended and freed its slots; `linger` is a `LingerKind`, or -1 = to be forgotten at once. */
  ended(flow: TcpFlow, linger: number, now: number): void;
}
