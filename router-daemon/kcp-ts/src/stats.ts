/** What one connection knows about itself. Counts are of segments unless the name says bytes; bytes include headers. */
export interface KcpStats {
  /** Round trip: smoothed, its variation, smallest; 0 = not measured. Retransmission timeout, and how many in a row. */
  readonly srttMs: number;
  readonly rttVarMs: number;
  readonly minRttMs: number;
  readonly timeoutMs: number;
  readonly timeoutsInARow: number;
  /** Sent for the first time; sent again because lost; of these, known to have been needless; second copies. */
  readonly sent: number;
  readonly retransmitted: number;
  readonly spurious: number;
  readonly duplicated: number;
  /** Data segments received, and those of them that were there already. */
  readonly received: number;
  readonly duplicatesReceived: number;
  /** Data segments not kept: beyond the window, or no free slot. */
  readonly dropped: number;
  /** Datagrams with something that is not KCP of this connection. */
  readonly rejected: number;
  readonly deliveredBytes: number;
  readonly inflightBytes: number;
  readonly congestionWindowBytes: number;
  /** `Infinity` = not paced. */
  readonly pacingBytesPerMs: number;
  /** The peer's window: now, largest ever, and how often it answered a question. */
  readonly remoteWindow: number;
  readonly largestRemoteWindow: number;
  readonly windowAnswers: number;
  /** Written and not acknowledged; received and not read; received out of order. */
  readonly sendQueueSegments: number;
  readonly receiveQueueSegments: number;
  readonly heldSegments: number;
  /** Places of both rings: what the bookkeeping takes grows with them. */
  readonly ringSegments: number;
  /** Slots of the pool that this connection owns. */
  readonly slots: number;
}
