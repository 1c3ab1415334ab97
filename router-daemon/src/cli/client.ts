import type { ApiError } from "../api/error.ts";
import type { InputOf, MethodName, ResultOf } from "../api/methods.ts";
import { MAX_PAGE_ROWS, type Page } from "../api/page.ts";
import type { CliIo } from "./io.ts";

/** Most rows that a command collects over all pages. */
export const MAX_COLLECTED_ROWS = 100_000;

/** A failed call in a form that a command can end with. */
export class CallError extends Error {
  /** The API's code, or `unreachable`. */
  readonly code: ApiError["code"] | "unreachable";
  constructor(code: ApiError["code"] | "unreachable", message: string) {
    super(message);
    this.code = code;
  }
}

/** The method table as seen from outside: typed calls over a socket. */
export class ApiClient {
  readonly #io: CliIo;
  readonly #socket: string;

  constructor(io: CliIo, socket: string) {
    this.#io = io;
    this.#socket = socket;
  }

  /** Throws a {@link CallError} with a sentence for people. */
  async call<Name extends MethodName>(name: Name, args: InputOf<Name>): Promise<ResultOf<Name>> {
    const answer = await this.#io.request(this.#socket, name, args);
    if (answer.ok) return answer.result as ResultOf<Name>;
    if ("unreachable" in answer) throw new CallError("unreachable", answer.unreachable);
    throw new CallError(answer.error.code, answer.error.message);
  }

  /** All rows of a paged method, page after page, or one page when the arguments name one. */
  async rows<Name extends PagedMethod>(name: Name, args: InputOf<Name>): Promise<readonly RowOf<Name>[]> {
    if ("limit" in args || "offset" in args) return ((await this.call(name, args)) as Page<RowOf<Name>>).rows;
    const rows: RowOf<Name>[] = [];
    while (rows.length < MAX_COLLECTED_ROWS) {
      const window = { ...args, offset: rows.length, limit: MAX_PAGE_ROWS };
      const page = (await this.call(name, window)) as Page<RowOf<Name>>;
      rows.push(...page.rows);
      if (page.rows.length === 0 || rows.length >= page.total) break;
    }
    return rows;
  }
}

type PagedMethod = "peers" | "transports" | "routes" | "connections";
type RowOf<Name extends PagedMethod> = ResultOf<Name> extends Page<infer Row> ? Row : never;
