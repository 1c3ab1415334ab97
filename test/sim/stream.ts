/** A TCP connection as a program of the story sees it, whichever model carries it. */
export interface Stream {
  /** Everything read so far. */
  received(): Uint8Array;
  readonly receivedBytes: number;
  /** The other end has finished its direction, and everything before it was read. */
  readonly hasEnded: boolean;
  /** The other end has reset the connection, or it broke. */
  readonly wasReset: boolean;
  /** The connection is set up. */
  readonly isOpen: boolean;
  /** Bytes written that have not left this end. */
  readonly unsentBytes: number;
  /** Called after anything has changed. */
  onChange: () => void;
  write(bytes: Uint8Array): void;
  /** FIN after everything written. */
  end(): void;
  reset(): void;
  /** Stops and resumes reading. */
  pause(): void;
  resume(): void;
}
