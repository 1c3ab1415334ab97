import type { Flow, FlowReceiver, FrameSink, TcpStackOptions } from "./types.ts";

/** Counters of a stack, all monotonic. */
export type TcpCounters = Readonly<Record<string, number>>;

/** The signatures that `TcpStack` has. */
export interface TcpStackSurface {
  /** One frame as read from the TUN (vnet header first). False = not ours: the plain path. */
  handleFrame(offset: number, length: number, now: number): boolean;
  /** Answers the held SYN with SYN-ACK; bytes go to `receiver`. */
  accept(flow: Flow, receiver: FlowReceiver, now: number): void;
  /** Answers the held SYN with RST. */
  refuse(flow: Flow, now: number): void;
  /** Forgets the held SYN: send `synOffset`, `synLength` as plain IP before. */
  release(flow: Flow): void;
  /** Answers a frame that belongs to no flow with RST (at the next `poll`). False = not TCP, or itself a RST. */
  sendResetFor(offset: number, length: number): boolean;
  /** Timers and output. */
  poll(now: number, sink: FrameSink): void;
  /** When `poll` must be called without other cause: 0 = there is output waiting now. */
  readonly nextTimeout: number;
  /** Live flows (held ones included), for lists. */
  flows(): Iterable<Flow>;
  readonly counters: TcpCounters;
  /** Closes all flows without a word and frees every slot. */
  dispose(): void;
}
export type { TcpStackOptions };
