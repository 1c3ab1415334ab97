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

/** A call that went wrong. The message is the daemon's own sentence where it gave one. */
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
export function ubus(object: string, method: string, args: object, slow = false): Promise<unknown> {
  const invoke = rpc.declare({ object, method, params: Object.keys(args), nobatch: slow });
  return answerOf(invoke(...Object.values(args)));
}

/**
 * What LuCI's `rpc` has to say, judged. With its `reject` it would make a sentence of its own out of the status number and forget
 * the data, which is where the daemon says what is wrong; without, it gives the data, or the number where there is none.
 */
export async function answerOf(said: Promise<unknown>): Promise<unknown> {
  let answer: unknown;
  try {
    answer = await said;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new CallFailure(CODES[/error (-?\d+)/.exec(message)?.[1] ?? ""] ?? "failed", message);
  }
  if (typeof answer === "number" && answer !== 0)
    throw new CallFailure(CODES[answer] ?? "failed", rpc.getStatusText(answer));
  const sentence = sentenceOf(answer);
  if (sentence !== undefined) throw new CallFailure("failed", sentence);
  return answer;
}

/** `{error: {code, message}}`: what the daemon answers when it refuses. */
function sentenceOf(answer: unknown): string | undefined {
  if (typeof answer !== "object" || answer === null || !("error" in answer)) return undefined;
  const { error } = answer as { readonly error: unknown };
  if (typeof error !== "object" || error === null || !("message" in error)) return undefined;
  return String(error.message);
}

/** A method of the daemon's table; a `slow` one does not hold up the others. */
export async function daemon<Name extends MethodName>(
  name: Name,
  args: InputOf<Name>,
  slow = false,
): Promise<ResultOf<Name>> {
  return (await ubus("kcp-router", name, args, slow)) as ResultOf<Name>;
}
