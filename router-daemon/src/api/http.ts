import { Hono, type HonoRequest } from "hono";
import { MAX_CONFIG_BYTES } from "../config/toml.ts";
import { argumentInfo } from "./argument.ts";
import { type Answer, ERROR_STATUS, type Refusal, refusal } from "./error.ts";
import { invoke } from "./invoke.ts";
import type { AnyMethod } from "./method.ts";
import { findMethod, METHOD_NAMES } from "./methods.ts";
import { METRICS_TYPE, metricsText } from "./metrics.ts";
import { openApiDocument } from "./openapi.ts";
import type { Role, Tokens } from "./tokens.ts";
import type { DaemonView } from "./view.ts";

/** Largest request body: a configuration to be checked, with JSON's escapes. Whoever reads it from the wire sees to it. */
export const MAX_BODY_BYTES = 4 * MAX_CONFIG_BYTES;
/** Largest answer, in characters of JSON. Pages are far smaller; this bounds hostile host names and the like. */
export const MAX_ANSWER_LENGTH = 4 * 1024 * 1024;
export const API_PREFIX = "/api/v1";
/** Of every answer: JSON that no browser keeps or guesses at. */
export const ANSWER_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "application/json",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

/**
 * The HTTP face of the method table: `GET /api/v1/<read>?argument=…` and `POST /api/v1/<any>` with a JSON object. An answer is
 * the method's result, or `{"error": {"code", "message"}}`. With `tokens` everything needs one that allows it.
 */
export function createHttpApp(
  view: DaemonView,
  onFailure: (error: unknown) => void = () => {},
  tokens?: Tokens,
): Hono {
  const app = new Hono();
  app.use(async (context, next) => {
    const refused = judge(tokens, context.req, "read");
    if (refused !== undefined) return respond(refused);
    await next();
  });
  for (const name of METHOD_NAMES) {
    const path = `${API_PREFIX}/${name}`;
    const found = findMethod(name);
    if (found === undefined) continue;
    if (found.access === "read") {
      app.get(path, async (context) => {
        return respond(await invoke(view, name, fromQuery(context.req.query(), found), onFailure));
      });
    }
    app.post(path, async (context) => {
      const refused = judge(tokens, context.req, found.access);
      if (refused !== undefined) return respond(refused);
      const body = parseBody(await context.req.text());
      return respond(body.ok ? await invoke(view, name, body.result, onFailure) : body);
    });
    const allowed = found.access === "read" ? "GET or POST" : "POST";
    app.all(path, () => respond(refusal("method_not_allowed", `${name} is called with ${allowed}.`)));
  }
  app.get(`${API_PREFIX}/openapi.json`, () => respond({ ok: true, result: openApiDocument(API_PREFIX) }));
  app.get("/metrics", () => {
    const headers = { ...ANSWER_HEADERS, "content-type": METRICS_TYPE };
    return new Response(metricsText(view), { headers });
  });
  app.notFound(() =>
    respond(
      refusal(
        "not_found",
        `There is nothing here. Methods are under ${API_PREFIX}/: ${METHOD_NAMES.join(", ")}.`,
      ),
    ),
  );
  app.onError((error) => {
    onFailure(error);
    return respond(
      refusal("internal", "The request failed inside the daemon. Its log says more; please report it."),
    );
  });
  return app;
}

/** Why a request is not let in, or undefined. Without tokens whoever reaches the socket may do everything. */
function judge(tokens: Tokens | undefined, request: HonoRequest, access: Role): Refusal | undefined {
  const role = tokens === undefined ? "write" : tokens.roleOf(request.header("authorization"));
  if (role === undefined) {
    return refusal("unauthorized", "Send a token of rpc_token_file: Authorization: Bearer TOKEN.");
  }
  if (role === "write" || access === "read") return undefined;
  return refusal("forbidden", "This token may only look. Send one that may write.");
}

function respond(given: Answer<unknown>): Response {
  const text = given.ok ? JSON.stringify(given.result) : JSON.stringify({ error: given.error });
  if (text.length > MAX_ANSWER_LENGTH) {
    return respond(
      refusal(
        "too_large",
        `The answer is larger than ${MAX_ANSWER_LENGTH} bytes. Ask for fewer rows with limit.`,
      ),
    );
  }
  return new Response(text, {
    status: given.ok ? 200 : ERROR_STATUS[given.error.code],
    headers: ANSWER_HEADERS,
  });
}

function parseBody(text: string): Answer<unknown> {
  if (text.trim() === "") return { ok: true, result: {} };
  try {
    return { ok: true, result: JSON.parse(text) as unknown };
  } catch {
    return refusal(
      "invalid_argument",
      "The body is not JSON. Send one object of argument names and values, or nothing.",
    );
  }
}

/** Query texts to the types the method asks for; what does not fit stays text and is refused by the method's schema. */
function fromQuery(query: Record<string, string>, found: AnyMethod): Record<string, unknown> {
  const args: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [name, text] of Object.entries(query)) {
    const schema = Object.hasOwn(found.args, name) ? found.args[name] : undefined;
    args[name] = schema === undefined ? text : fromText(text, argumentInfo(schema).type);
  }
  return args;
}

/** Text of a query or a command line to the plain type of an argument. */
export function fromText(text: string, type: "integer" | "boolean" | "string"): unknown {
  if (type === "integer" && /^-?\d{1,16}$/.test(text)) return Number(text);
  if (type === "boolean" && (text === "true" || text === "false")) return text === "true";
  return text;
}
