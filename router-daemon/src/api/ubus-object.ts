import { type BlobFields, encodeFields } from "../ubus/blobmsg.ts";
import { BlobType, UbusStatus } from "../ubus/constants.ts";
import { MAX_ANSWER_BYTES } from "../ubus/limits.ts";
import type { UbusObject, UbusReply } from "../ubus/object.ts";
import { type ArgumentInfo, argumentInfo } from "./argument.ts";
import { type Answer, type ErrorCode, type Refusal, refusal } from "./error.ts";
import type { InTurn } from "./in-turn.ts";
import { invoke } from "./invoke.ts";
import { findMethod, METHOD_NAMES } from "./methods.ts";
import type { DaemonView } from "./view.ts";

/** What the daemon is called on ubus, and the name of the events it sends. */
export const UBUS_PATH = "kcp-router";
export const UBUS_EVENT = "kcp-router.event";

/** uhttpd puts the session into every call that comes from a browser (ubus-wire.md 6); rpcd has judged it already. */
const SESSION_FIELD = "ubus_rpc_session";

const FIELD_TYPES: Readonly<Record<ArgumentInfo["type"], number>> = {
  integer: BlobType.int32,
  boolean: BlobType.bool,
  string: BlobType.string,
};

/** ubus' own numbers for what went wrong. "Not found" is left to ubusd, for objects: a missing entry has no data. */
const STATUS: Readonly<Record<ErrorCode, number>> = {
  bad_request: UbusStatus.invalidArgument,
  invalid_argument: UbusStatus.invalidArgument,
  unauthorized: UbusStatus.permissionDenied,
  forbidden: UbusStatus.permissionDenied,
  method_not_allowed: UbusStatus.permissionDenied,
  not_found: UbusStatus.noData,
  too_large: UbusStatus.noMemory,
  config_refused: UbusStatus.notSupported,
  internal: UbusStatus.unknownError,
};

/**
 * The ubus face of the method table: each method with its arguments' types. An answer is the method's result; an error is a
 * status with `{"error": {"code", "message"}}` as data. Who may call what is decided by rpcd's access list, which is made
 * from the same table (`acl.ts`); ubusd lets nobody else in but root.
 */
export function createUbusObject(
  view: DaemonView,
  onFailure: (error: unknown) => void,
  inTurn: InTurn,
): UbusObject {
  return {
    path: UBUS_PATH,
    signature: Object.fromEntries(METHOD_NAMES.map((name) => [name, argumentTypes(name)])),
    async handle(method, args) {
      if (findMethod(method) === undefined) return { status: UbusStatus.methodNotFound };
      if (args === undefined)
        return reply(refusal("invalid_argument", `${method}: the arguments are malformed.`));
      const { [SESSION_FIELD]: _session, ...rest } = args;
      return inTurn(async () => reply(await invoke(view, method, rest, onFailure)));
    },
  };
}

function argumentTypes(name: string): Record<string, number> {
  const args = Object.entries(findMethod(name)?.args ?? {});
  return Object.fromEntries(args.map(([key, schema]) => [key, FIELD_TYPES[argumentInfo(schema).type]]));
}

function reply(answer: Answer<unknown>): UbusReply {
  if (!answer.ok) return failure(answer);
  const data = encodeFields(answer.result as BlobFields, MAX_ANSWER_BYTES);
  if (data !== undefined) return { status: UbusStatus.ok, data };
  return failure(
    refusal(
      "too_large",
      `The answer is larger than ${MAX_ANSWER_BYTES} bytes. Ask for fewer rows with limit.`,
    ),
  );
}

function failure({ error }: Refusal): UbusReply {
  const data = encodeFields({ error }, MAX_ANSWER_BYTES);
  const status = STATUS[error.code];
  return data === undefined ? { status } : { status, data };
}
