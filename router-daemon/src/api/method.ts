import type * as v from "valibot";
import type { ArgumentSchemas } from "./argument.ts";
import type { Answer } from "./error.ts";
import type { DaemonView } from "./view.ts";

/** One method of the API. HTTP routes, the ubus object, the CLI's commands and whatever else shows the daemon are views of these. */
export interface Method<Schemas extends ArgumentSchemas, Result extends v.GenericSchema> {
  /** `read`: changes nothing. `write`: needs the right to. */
  readonly access: "read" | "write";
  /** One sentence for people. */
  readonly doc: string;
  readonly args: Schemas;
  /** What it answers. */
  readonly result: Result;
  handle(
    view: DaemonView,
    args: ArgumentsOf<Schemas>,
  ): Answer<v.InferOutput<Result>> | Promise<Answer<v.InferOutput<Result>>>;
}

export type ArgumentsOf<Schemas extends ArgumentSchemas> = {
  readonly [K in keyof Schemas]: v.InferOutput<Schemas[K]>;
};

/** The table's entries for code that treats all alike. */
export type AnyMethod = Method<ArgumentSchemas, v.GenericSchema>;

export function method<const Schemas extends ArgumentSchemas, Result extends v.GenericSchema>(
  definition: Method<Schemas, Result>,
): Method<Schemas, Result> {
  return definition;
}
