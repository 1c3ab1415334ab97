import type { BlobFields } from "./blobmsg.ts";

/** What a service shows on ubus. */
export interface UbusObject {
  readonly path: string;
  /** By method: argument names with their blobmsg types. Documentation for those who ask: ubusd checks no call against it. */
  readonly signature: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Answers a call. It never rejects; `args` is undefined when they cannot be decoded. */
  handle(method: string, args: BlobFields | undefined): Promise<UbusReply>;
}

export interface UbusReply {
  /** One of `UbusStatus`. */
  readonly status: number;
  /** Encoded fields; they go out before the status, also with one that is an error. */
  readonly data?: Uint8Array;
}

/** The answer to a request of ours. */
export interface UbusResult {
  readonly status: number;
  /** What came before the status, one per DATA message; malformed ones are left out. */
  readonly data: readonly BlobFields[];
}
