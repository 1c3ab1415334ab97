import test from "ava";
import fc from "fast-check";
import type { HttpRequest } from "../../../router-daemon/src/http1/message.ts";
import {
  MAX_REQUEST_HEAD_BYTES,
  MAX_REQUEST_HEADERS,
  RequestParser,
} from "../../../router-daemon/src/http1/request-parser.ts";
import { bytes, requestText, text } from "./text.ts";

const MAX_BODY_BYTES = 1000;

interface Outcome {
  readonly requests: readonly (Omit<HttpRequest, "body"> & {
    readonly keepAlive: boolean;
    readonly body: string;
  })[];
  /** `status sentence`, or what the parser waits for. */
  readonly end: string;
}

/** Hands in the pieces one after the other, as a server does. */
function parse(pieces: readonly Uint8Array[], end = false): Outcome {
  const parser = new RequestParser(MAX_BODY_BYTES);
  const requests: Outcome["requests"][number][] = [];
  for (const piece of pieces) {
    parser.handleBytes(piece);
    for (let got = parser.take(); got !== undefined; got = parser.take()) {
      requests.push({ ...got, body: text(got.body) });
    }
  }
  if (end) parser.handleEnd();
  const { fault } = parser;
  return {
    requests,
    end: fault !== undefined ? `${fault.status} ${fault.message}` : parser.inRequest ? "more" : "idle",
  };
}

function parseText(given: string): Outcome {
  return parse([bytes(given)]);
}

test("a request without a body", (t) => {
  t.deepEqual(parseText("GET /api/v1/status?x=%20 HTTP/1.1\r\nHost: a\r\nX-Thing: \t b c \t\r\n\r\n"), {
    requests: [
      {
        method: "GET",
        target: "/api/v1/status?x=%20",
        headers: [
          ["host", "a"],
          ["x-thing", "b c"],
        ],
        body: "",
        keepAlive: true,
      },
    ],
    end: "idle",
  });
});

test("bodies by length and in chunks, with extensions and trailers that nobody needs", (t) => {
  const byLength = requestText("POST /a HTTP/1.1", ["Content-Length: 5"], "hello");
  const chunked = requestText(
    "POST /b HTTP/1.1",
    ["Transfer-Encoding: Chunked"],
    '3\r\nhel\r\n02 ; a="b"\r\nlo\r\n0\r\nX-Trailer: 1\r\n\r\n',
  );
  const { requests, end } = parseText(byLength + chunked + byLength);
  t.deepEqual(
    requests.map(({ target, body }) => `${target} ${body}`),
    ["/a hello", "/b hello", "/a hello"],
  );
  t.is(end, "idle");
});

test("what keeps a connection and what ends it", (t) => {
  const keeps = (given: string) => parseText(given).requests[0]?.keepAlive;
  t.true(keeps(requestText("GET / HTTP/1.1")));
  t.true(keeps(requestText("GET / HTTP/1.1", ["Connection: keep-alive, upgrade"])));
  t.false(keeps(requestText("GET / HTTP/1.1", ["Connection: x", "Connection: y, CLOSE"])));
  t.false(keeps("GET / HTTP/1.0\r\n\r\n"));
});

test("a client that takes us for a proxy is understood; an empty line before a request is overlooked", (t) => {
  const { requests } = parseText(`\r\n${requestText("GET http://router:80/a?b HTTP/1.1")}`);
  t.is(requests[0]?.target, "/a?b");
});

test("whoever waits for 100 Continue is told once, and only while the body is missing", (t) => {
  const parser = new RequestParser(MAX_BODY_BYTES);
  const head = requestText("POST / HTTP/1.1", ["Expect: 100-Continue", "Content-Length: 2"]);
  parser.handleBytes(bytes(head.slice(0, 20)));
  t.false(parser.takeExpectation());
  parser.handleBytes(bytes(head.slice(20)));
  t.true(parser.takeExpectation());
  t.false(parser.takeExpectation());
  parser.handleBytes(bytes("ab"));
  t.is(text(parser.take()?.body ?? bytes("")), "ab");
  parser.handleBytes(bytes(`${head}ab`));
  t.false(parser.takeExpectation());
  t.truthy(parser.take());
  parser.handleBytes(bytes(requestText("POST / HTTP/1.1", ["Content-Length: 2"])));
  t.false(parser.takeExpectation());
});

const REFUSED: readonly (readonly [string, string])[] = [
  ["\0\x01\r\n", "400 A line has control characters in it."],
  ["hello\r\n", "400 The first line is not of the form METHOD /path HTTP/1.1."],
  ["GET  / HTTP/1.1\r\n", "400 The first line is not of the form METHOD /path HTTP/1.1."],
  ["GET / HTTP/1.1\n", "400 A line does not end in CR LF."],
  ["GET / HTTP/1.1\r\r\n", "400 A line has control characters in it."],
  ["GET / HTTP/2.0\r\n", "505 HTTP/2.0 is not spoken here; HTTP/1.1 is."],
  ["BREW / HTTP/1.1\r\n", "501 This method is not known here."],
  ["CONNECT a:1 HTTP/1.1\r\n", "501 This method is not known here."],
  [
    "GET a HTTP/1.1\r\n",
    "400 The path must begin with / and be printable ASCII, anything else written as %XX.",
  ],
  [
    "GET * HTTP/1.1\r\n",
    "400 The path must begin with / and be printable ASCII, anything else written as %XX.",
  ],
  [
    "GET /a#b HTTP/1.1\r\n",
    "400 The path must begin with / and be printable ASCII, anything else written as %XX.",
  ],
  [
    "GET /% HTTP/1.1\r\n",
    "400 The path must begin with / and be printable ASCII, anything else written as %XX.",
  ],
  [
    "GET /\xe9 HTTP/1.1\r\n",
    "400 The path must begin with / and be printable ASCII, anything else written as %XX.",
  ],
  [requestText("GET / HTTP/1.1", ["a : b"]), "400 A header is not of the form name: value."],
  [requestText("GET / HTTP/1.1", ["a: b", " folded"]), "400 A header is not of the form name: value."],
  [requestText("GET / HTTP/1.1", ["Host: again"]), "400 There must be one Host header."],
  ["GET / HTTP/1.1\r\n\r\n", "400 There must be one Host header."],
  [
    requestText("POST / HTTP/1.1", ["Content-Length: 1", "Content-Length: 1"]),
    "400 Content-Length must be there once, as a whole number.",
  ],
  [
    requestText("POST / HTTP/1.1", ["Content-Length: +1"]),
    "400 Content-Length must be there once, as a whole number.",
  ],
  [
    requestText("POST / HTTP/1.1", ["Content-Length: 1", "Transfer-Encoding: chunked"]),
    "400 Content-Length and Transfer-Encoding exclude each other.",
  ],
  [
    requestText("POST / HTTP/1.1", ["Transfer-Encoding: gzip, chunked"]),
    "501 Of the transfer codings only chunked is understood.",
  ],
  [
    "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "400 HTTP/1.0 has no transfer codings. Send Content-Length.",
  ],
  [requestText("POST / HTTP/1.1", ["Expect: more"]), "417 Nothing but 100-continue can be expected here."],
  [
    requestText("POST / HTTP/1.1", ["Content-Length: 1001"]),
    "413 The body is larger than 1000 bytes. Send less.",
  ],
  [
    requestText("POST / HTTP/1.1", ["Transfer-Encoding: chunked"], "ffffffff\r\n"),
    "413 The body is larger than 1000 bytes. Send less.",
  ],
  [
    requestText("POST / HTTP/1.1", ["Transfer-Encoding: chunked"], "-1\r\n"),
    "400 The size of a chunk is not a hexadecimal number.",
  ],
  [
    requestText("POST / HTTP/1.1", ["Transfer-Encoding: chunked"], "1\r\nab\r\n"),
    "400 A chunk is longer than its size says.",
  ],
];

test("what is not a request is refused with a status and a sentence, and nothing is read after it", (t) => {
  for (const [given, refusal] of REFUSED) {
    const good = requestText("GET / HTTP/1.1");
    t.deepEqual(parseText(`${given}${good}`), { requests: [], end: refusal }, JSON.stringify(given));
    t.like(
      parseText(`${good}${given}${good}`),
      { requests: { length: 1 }, end: refusal },
      JSON.stringify(given),
    );
  }
});

test("start line, headers, their number, chunk lines and bodies are bounded, exactly", (t) => {
  const filled = (bytes_: number) => {
    const empty = requestText("GET / HTTP/1.1", ["X: "]);
    return requestText("GET / HTTP/1.1", [`X: ${"x".repeat(bytes_ - empty.length)}`]);
  };
  t.is(parseText(filled(MAX_REQUEST_HEAD_BYTES)).end, "idle");
  t.regex(parseText(filled(MAX_REQUEST_HEAD_BYTES + 1)).end, /^431 Start line and headers are larger than/);
  // Without a line's end nothing is kept for long.
  t.regex(parseText("x".repeat(MAX_REQUEST_HEAD_BYTES + 1)).end, /^431 /);

  const many = (count: number) =>
    requestText(
      "GET / HTTP/1.1",
      Array.from({ length: count - 1 }, () => "a: b"),
    );
  t.is(parseText(many(MAX_REQUEST_HEADERS)).end, "idle");
  t.regex(parseText(many(MAX_REQUEST_HEADERS + 1)).end, /^431 There are more than 64 headers/);

  const chunks = "1\r\na\r\n".repeat(MAX_BODY_BYTES);
  const chunkedHead = requestText("POST / HTTP/1.1", ["Transfer-Encoding: chunked"]);
  t.is(parseText(`${chunkedHead}${chunks}0\r\n\r\n`).requests[0]?.body.length, MAX_BODY_BYTES);
  t.regex(parseText(`${chunkedHead}${chunks}1\r\n`).end, /^413 /);
  t.regex(parseText(`${chunkedHead}1;${"x".repeat(MAX_REQUEST_HEAD_BYTES)}`).end, /^431 /);
  t.regex(parseText(`${chunkedHead}0\r\n${"a: b\r\n".repeat(MAX_REQUEST_HEAD_BYTES)}`).end, /^431 /);
});

test("a client that leaves in the middle of a request has not sent one", (t) => {
  const whole = requestText("POST / HTTP/1.1", ["Content-Length: 2"], "ab");
  for (let length = 1; length < whole.length; length++) {
    const outcome = parse([bytes(whole.slice(0, length))], true);
    t.deepEqual(outcome, { requests: [], end: "400 The message ends in the middle." }, `${length}`);
  }
  t.is(parse([bytes(whole)], true).end, "idle");
  t.is(parse([], true).end, "idle");
});

/** Well-formed requests, and the body each carries. */
const request = fc
  .record({
    method: fc.constantFrom("GET", "POST", "PUT"),
    path: fc.webPath(),
    headers: fc.array(fc.stringMatching(/^[a-z]{1,8}: [!-~ ]{0,20}$/), { maxLength: 5 }),
    body: fc.string({ maxLength: 60 }).map((body) => text(new TextEncoder().encode(body))),
    chunks: fc.option(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 })),
  })
  .map(({ method, path, headers, body, chunks }) => {
    const names = headers.filter((line) => !/^(host|expect|connection):/.test(line));
    const line = `${method} /${path.replace(/^\//, "")} HTTP/1.1`;
    if (chunks === null) {
      return { body, text: requestText(line, [...names, `Content-Length: ${body.length}`], body) };
    }
    let encoded = "";
    for (let at = 0, index = 0; at < body.length; index++) {
      const part = body.slice(at, at + (chunks[index % chunks.length] ?? 1));
      encoded += `${part.length.toString(16)}\r\n${part}\r\n`;
      at += part.length;
    }
    return { body, text: requestText(line, [...names, "Transfer-Encoding: chunked"], `${encoded}0\r\n\r\n`) };
  });

function split(given: string, lengths: readonly number[]): Uint8Array[] {
  const all = bytes(given);
  const pieces: Uint8Array[] = [];
  for (let at = 0, index = 0; at < all.length; index++) {
    const length = lengths[index % lengths.length] ?? 1;
    pieces.push(all.slice(at, at + length));
    at += length;
  }
  return pieces;
}

const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 });

test("however the bytes are cut, the requests are the same", (t) => {
  fc.assert(
    fc.property(fc.array(request, { maxLength: 4 }), lengths, (given, cuts) => {
      const all = given.map((one) => one.text).join("");
      const outcome = parse(split(all, cuts));
      t.deepEqual(outcome, parseText(all));
      t.deepEqual(
        outcome.requests.map(({ body }) => body),
        given.map(({ body }) => body),
      );
      t.is(outcome.end, "idle");
    }),
    { numRuns: 300 },
  );
});

test("however damaged bytes are cut, requests and refusal are the same", (t) => {
  const damage = fc.array(
    fc.tuple(fc.nat(), fc.constantFrom("", "\r", "\n", "\0", " ", ":", "0", "é", "\r\n\r\n")),
    {
      minLength: 1,
      maxLength: 3,
    },
  );
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 3 }), damage, lengths, (given, wounds, cuts) => {
      let all = given.map((one) => one.text).join("");
      for (const [place, by] of wounds) {
        const at = place % all.length;
        all = all.slice(0, at) + by + all.slice(at + 1);
      }
      t.deepEqual(parse(split(all, cuts)), parseText(all), JSON.stringify(all));
    }),
    { numRuns: 600 },
  );
});

test("bytes of any kind never throw, and little is kept of them", (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (pieces) => {
      const { end } = parse(pieces, true);
      return end === "idle" || /^\d{3} .*\.$/.test(end);
    }),
    { numRuns: 500 },
  );
  t.pass();
});

test("a header of nothing but white space does not take long", (t) => {
  const blank = " \t".repeat(MAX_REQUEST_HEAD_BYTES / 2 - 100);
  t.is(parseText(requestText("GET / HTTP/1.1", [`a:${blank}b${blank.slice(0, 20)}`])).end, "idle");
});
