/** What the stack has counted since its start. */
export class TcpCounters {
  /** Frames that were taken, and that were left to the plain path. */
  framesIn = 0;
  framesPlain = 0;
  framesOut = 0;
  bytesIn = 0;
  bytesOut = 0;
  flowsHeld = 0;
  flowsAccepted = 0;
  /** SYNs left to the plain path because of `maxFlows`, `maxHeldSyns` or a full pool. */
  synsOverLimit = 0;
  /** Held SYNs that had to go for others. */
  synsEvicted = 0;
  /** Further copies of held SYNs. */
  synsAbsorbed = 0;
  badChecksums = 0;
  /** Segments outside the window, with an old timestamp (PAWS), or with an acknowledgement of nothing. */
  outOfWindow = 0;
  oldTimestamps = 0;
  badAcknowledgements = 0;
  challengeAcks = 0;
  /** Payload that arrived inside the window and found no room. */
  refusedBytes = 0;
  retransmittedBytes = 0;
  retransmitTimeouts = 0;
  fastRecoveries = 0;
  recoveriesUndone = 0;
  /** Answers without a flow that were not sent: more than `MAX_PENDING_REPLIES` at once. */
  repliesDropped = 0;
}
