/** Calls over LuCI's `rpc`: calls made in one frame travel as one request, and LuCI looks after the session. */
import type { InputOf, MethodName, ResultOf } from "../../../router-daemon/src/api/methods.ts";

export type FailureCode =
  /** The object is not there: the daemon, or what is asked, does not run. */
  | "absent"
  /** This login may not. */
  | "denied"
  /** No answer in time. */
  | "timeout"
  | "failed";

/** A call that went wrong. */
export class CallFailure extends Error {
  readonly code: FailureCode;
  constructor(code: FailureCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Status numbers of ubus (`UBUS_STATUS_…`) and error numbers of the JSON-RPC front (conventions.md 3). */
const CODES: Readonly<Record<string, FailureCode>> = {
  "-32000": "absent",
  "-32001": "denied",
  "-32002": "denied",
  "-32003": "timeout",
  "4": "absent",
  "5": "failed",
  "6": "denied",
  "7": "timeout",
  "10": "absent",
};

/** One ubus call. Rejects with a {@link CallFailure} only. */
export async function ubus(object: string, method: string, args: object, slow = false): Promise<unknown> {
  const params = Object.keys(args);
  try {
    const invoke = rpc.declare({ object, method, params, reject: true, nobatch: slow });
    return await invoke(...Object.values(args));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const number = /(?:error|code) (-?\d+)/.exec(message)?.[1] ?? "";
    throw new CallFailure(CODES[number] ?? "failed", message);
  }
}

/** A method of the daemon's table; a `slow` one does not hold up the others. */
export async function daemon<Name extends MethodName>(
  name: Name,
  args: InputOf<Name>,
  slow = false,
): Promise<ResultOf<Name>> {
  return (await ubus("kcp-router", name, args, slow)) as ResultOf<Name>;
}
