import { readFileSync } from "node:fs";
import { join } from "node:path";
import { encodeFields } from "../../../router-daemon/src/ubus/blobmsg.ts";
import { MAX_MESSAGE_BYTES } from "../../../router-daemon/src/ubus/limits.ts";
import type { UbusMessage } from "../../../router-daemon/src/ubus/message.ts";

interface FieldVector {
  readonly name: string;
  readonly fields: Record<string, unknown>;
  readonly hex: string;
  /** Encoders have another form for the same value. */
  readonly onlyDecoded?: boolean;
}
interface MessageVector {
  readonly name: string;
  readonly message: UbusMessage;
  readonly hex: string;
}

const file = JSON.parse(readFileSync(join(import.meta.dirname, "../../vectors/ubus.json"), "utf8"));

/** ubus-wire.md 9, V1 to V10f and V27: blobmsg fields. */
export const FIELD_VECTORS: readonly FieldVector[] = file.fields;

/** ubus-wire.md 9, V11 to V26: whole messages. */
export const MESSAGE_VECTORS: readonly MessageVector[] = file.messages.map(
  ({ name, hex, type, sequence, peer, attributes }: Record<string, unknown>) => {
    const { signature, data, ...rest } = attributes as Record<string, object | undefined>;
    const message = {
      type,
      sequence,
      peer,
      ...rest,
      ...(signature === undefined ? {} : { signature: encodeFields(signature, MAX_MESSAGE_BYTES) }),
      ...(data === undefined ? {} : { data: encodeFields(data, MAX_MESSAGE_BYTES) }),
    };
    return { name, hex, message } as MessageVector;
  },
);

export function hex(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "undefined" : Buffer.from(bytes).toString("hex");
}

export function unhex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "hex"));
}
