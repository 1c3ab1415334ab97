import test from "ava";
import fc from "fast-check";
import { createHttpApp } from "../../../router-daemon/src/api/http.ts";
import { findMethod, METHOD_NAMES } from "../../../router-daemon/src/api/methods.ts";
import { MAX_TOKENS, MIN_TOKEN_LENGTH, Tokens } from "../../../router-daemon/src/api/tokens.ts";
import { FakeView } from "./fake-view.ts";

const WRITE = "0123456789abcdef-write";
const READ = "0123456789abcdef-read";

function tokens(text = `# ours\nwrite ${WRITE}\r\n\nread  ${READ}\n`): Tokens {
  const parsed = Tokens.parse(text);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

test("a file of tokens is read, or told what is wrong with it", (t) => {
  t.is(tokens().roleOf(`Bearer ${WRITE}`), "write");
  t.is(tokens().roleOf(`bearer  ${READ}`), "read");
  const cases: readonly [string, RegExp][] = [
    ["", /^There is no token in it\./],
    ["# nothing\n", /^There is no token in it\./],
    [`admin ${WRITE}`, /^Line 1 is none of: /],
    [`write ${WRITE}\nread two words here`, /^Line 2 is none of: /],
    [
      `write ${"x".repeat(MIN_TOKEN_LENGTH - 1)}`,
      /^The token in line 1 has 15 characters; allowed are 16 to 256\.$/,
    ],
    [`write ${"x".repeat(257)}`, /^The token in line 1 has 257 characters/],
    [`read ${READ}\n`.repeat(MAX_TOKENS + 1), /^It holds 17 tokens; at most 16 are taken\.$/],
  ];
  for (const [text, sentence] of cases) {
    const parsed = Tokens.parse(text);
    t.regex(typeof parsed === "string" ? parsed : "taken", sentence);
    if (typeof parsed === "string") t.false(parsed.includes(WRITE) || parsed.includes(READ));
  }
});

test("nothing but a whole token is taken", (t) => {
  const known = tokens();
  for (const header of [
    undefined,
    "",
    "Bearer",
    `Basic ${WRITE}`,
    WRITE,
    `Bearer ${WRITE}x`,
    `Bearer ${WRITE.slice(0, -1)}`,
    `Bearer x${WRITE.slice(1)}`,
    `Bearer ${WRITE} ${READ}`,
    `Bearer ${WRITE.toUpperCase()}`,
  ]) {
    t.is(known.roleOf(header), undefined, header);
  }
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => known.roleOf(`Bearer ${text}`) === undefined),
  );
});

test("without a token nothing is shown; a reading one may only look; on the socket none is needed", async (t) => {
  const view = new FakeView();
  const app = createHttpApp(view, undefined, tokens());
  const ask = async (path: string, method: string, token: string | undefined) => {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return (await app.request(path, { method, headers })).status;
  };
  const paths = [...METHOD_NAMES.map((name) => `/api/v1/${name}`), "/metrics", "/api/v1/openapi.json", "/x"];
  for (const path of paths) {
    for (const method of ["GET", "POST"]) t.is(await ask(path, method, undefined), 401, path);
    t.is(await ask(path, "POST", "0123456789abcdef-wrong"), 401, path);
  }
  for (const name of METHOD_NAMES) {
    const writes = findMethod(name)?.access === "write";
    const status = await ask(`/api/v1/${name}`, "POST", READ);
    t.is(status === 403, writes, `${name}: ${status}`);
    t.not(await ask(`/api/v1/${name}`, "POST", WRITE), 403, name);
  }
  t.is(await ask("/api/v1/close%5Fconnection", "POST", READ), 403, "however its name is written");
  t.is(await ask("/metrics", "GET", READ), 200);
  t.deepEqual(view.closed, []);
  t.is(view.reloads, 1, "by the writing token");
  t.is((await createHttpApp(view).request("/api/v1/status")).status, 200);
});
