/**
 * Our Headers, Request and Response against those of the engine the test runs in: Node's, which are the standard's. (Inside QuickJS they are
 * compared with themselves.)
 */
import test from "ava";
import fc from "fast-check";
import { WebHeaders } from "../../../router-daemon/src/host/quickjs/web/headers.ts";
import { WebRequest } from "../../../router-daemon/src/host/quickjs/web/request.ts";
import { WebResponse } from "../../../router-daemon/src/host/quickjs/web/response.ts";

/** What came of it, in a form that can be compared: a value, or the kind of the error. */
function outcome(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return (error as Error).name;
  }
}
async function laterOutcome(run: () => Promise<unknown>): Promise<unknown> {
  try {
    return await run();
  } catch (error) {
    return (error as Error).name;
  }
}

const name = fc.oneof(
  fc.constantFrom(
    "Accept",
    "accept",
    "X-A",
    "x-a",
    "Set-Cookie",
    "Content-Type",
    "",
    "a b",
    "é",
    "__proto__",
  ),
  fc.string({ maxLength: 3 }),
);
const value = fc.oneof(
  fc.constantFrom("", " a ", "a, b", "\t", "a\r\nb", "\n a", "\0", "é", "€"),
  fc.string({ maxLength: 5 }),
);
const change = fc.record({ what: fc.constantFrom("append", "set", "delete"), name, value } as const);

test("headers answer as the engine's do, whatever is done to them", (t) => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), fc.array(name, { maxLength: 4 }), (changes, asked) => {
      const play = (headers: Headers | WebHeaders) => [
        changes.map((one) =>
          outcome(() =>
            one.what === "delete" ? headers.delete(one.name) : headers[one.what](one.name, one.value),
          ),
        ),
        asked.map((one) => outcome(() => [headers.has(one), headers.get(one)])),
        [...headers],
        [...headers.entries()],
        [...headers.keys()],
        [...headers.values()],
        headers.getSetCookie(),
      ];
      t.deepEqual(play(new WebHeaders()), play(new Headers()));
    }),
    { numRuns: 500 },
  );
});

test("headers are made from pairs, objects and other headers, and visited in order", (t) => {
  const pairs: [string, string][] = [
    ["b", "1"],
    ["A", "2"],
    ["b", "3"],
  ];
  const seen: string[] = [];
  new WebHeaders(new WebHeaders(pairs)).forEach((value, name) => void seen.push(`${name}=${value}`));
  t.deepEqual(seen, ["a=2", "b=1, 3"]);
  t.deepEqual([...new WebHeaders({ b: "1", a: "2" })], [...new Headers({ b: "1", a: "2" })]);
  t.deepEqual([...new WebHeaders(pairs)], [...new Headers(pairs)]);
});

const body = fc.oneof(fc.constant(null), fc.string({ unit: "binary" }), fc.uint8Array({ maxLength: 20 }));
const readAs = fc.constantFrom("text", "json", "arrayBuffer" as const);

test("responses answer as the engine's do", async (t) => {
  const status = fc.constantFrom(undefined, 0, 199, 200, 204, 304, 404, 599, 600);
  await fc.assert(
    fc.asyncProperty(body, status, fc.boolean(), readAs, async (given, code, typed, as) => {
      const init = {
        ...(code === undefined ? {} : { status: code }),
        headers: typed ? { "content-type": "a/b" } : { x: "y" },
      };
      const play = async (Kind: typeof Response | typeof WebResponse) => {
        const made = outcome(() => new (Kind as typeof Response)(given, init));
        if (typeof made === "string") return made;
        const response = made as Response;
        return [
          [response.status, response.statusText, response.ok, response.bodyUsed, response.body === null],
          [...response.headers],
          await laterOutcome(() => response[as]()),
          response.bodyUsed,
          await laterOutcome(() => response.text()),
        ];
      };
      t.deepEqual(await play(WebResponse), await play(Response));
    }),
    { numRuns: 300 },
  );
});

test("requests answer as the engine's do", async (t) => {
  const method = fc.constantFrom(undefined, "GET", "get", "HEAD", "POST", "post", "DELETE");
  await fc.assert(
    fc.asyncProperty(body, method, readAs, async (given, verb, as) => {
      const init = { ...(verb === undefined ? {} : { method: verb }), body: given, headers: { x: "y" } };
      const play = async (Kind: typeof Request | typeof WebRequest) => {
        const made = outcome(() => new (Kind as typeof Request)("http://localhost/a?b=c", init));
        if (typeof made === "string") return made;
        const request = made as Request;
        return [
          [request.method, request.url, request.bodyUsed, request.body === null],
          [...request.headers],
          await laterOutcome(() => request[as]()),
          await laterOutcome(() => request.text()),
        ];
      };
      t.deepEqual(await play(WebRequest), await play(Request));
    }),
    { numRuns: 300 },
  );
});

test("a message's body goes on into another, as Hono does when it answers HEAD or adds headers", async (t) => {
  const first = new WebResponse("text", { status: 404, headers: { a: "b" } });
  const second = new WebResponse(first.body, first);
  t.deepEqual([second.status, second.headers.get("a"), await second.text()], [404, "b", "text"]);
  const request = new WebRequest(new WebRequest("http://localhost/", { method: "POST", body: "x" }), {
    body: new Uint8Array([65]),
  });
  t.deepEqual([request.method, await request.text()], ["POST", "A"]);
  t.throws(() => new WebResponse({} as string), { instanceOf: TypeError });
});

/** Bytes, and the text that the standard makes of them; a byte order mark is left out. */
const DECODED: readonly (readonly [number[], string])[] = [
  [[], ""],
  [[0xef, 0xbb, 0xbf, 0x41], "A"],
  [[0x41, 0xef, 0xbb, 0xbf], "A\ufeff"],
  [[0xef, 0xbb], "\ufffd"],
  [[0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x9b, 0x9c], "é€🛜"],
  [[0xc3, 0x41], "\ufffdA"],
  [[0xed, 0xa0, 0x80], "\ufffd\ufffd\ufffd"],
  [[0xf0, 0x9f, 0x9b], "\ufffd"],
  [[0xff, 0xc0, 0xaf], "\ufffd\ufffd\ufffd"],
];

test("texts are encoded and decoded as the standard says", (t) => {
  for (const [bytes, text] of DECODED) {
    t.is(new TextDecoder().decode(Uint8Array.from(bytes)), text, bytes.join(" "));
  }
  t.is(new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.of(0xef, 0xbb, 0xbf)), "\ufeff");
  t.throws(() => new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.of(0xff)), {
    instanceOf: TypeError,
  });
  t.throws(() => new TextDecoder("ebcdic"), { instanceOf: RangeError });
  t.deepEqual([...new TextEncoder().encode("é\ud800")], [0xc3, 0xa9, 0xef, 0xbf, 0xbd]);
  t.deepEqual([...new TextEncoder().encode()], []);
});
