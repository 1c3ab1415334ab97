import test from "ava";
import fc from "fast-check";
import { type CallResult, httpCall } from "../../../router-daemon/src/http1/client.ts";
import { ResponseParser } from "../../../router-daemon/src/http1/response-parser.ts";
import { type PlayedStream, PlayedStreams, VirtualTimers } from "./scene.ts";
import { bytes, text } from "./text.ts";

const LIMITS = { maxBodyBytes: 100, timeoutMs: 1000 };
const REQUEST = { method: "POST", target: "/a", headers: [["x", "y"]] as const, body: bytes("hello") };

/** One call, and the server's end as the test plays it. */
async function call(
  play: (server: PlayedStream, timers: VirtualTimers) => void,
): Promise<{ result: CallResult; sent: string; server: PlayedStream; timers: VirtualTimers }> {
  const streams = new PlayedStreams();
  const timers = new VirtualTimers();
  const pending = httpCall(streams, timers, { unix: "" }, REQUEST, LIMITS);
  const server = streams.connected[0] as PlayedStream;
  const sent = server.taken();
  play(server, timers);
  return { result: await pending, sent, server, timers };
}

test("a call is one request on a connection of its own, and leaves nothing behind", async (t) => {
  const { result, sent, server, timers } = await call((server) =>
    server.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
  );
  t.is(
    sent,
    "POST /a HTTP/1.1\r\nx: y\r\nhost: localhost\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
  );
  t.true(result.ok);
  if (result.ok)
    t.deepEqual(
      { ...result.response, body: text(result.response.body) },
      {
        status: 200,
        headers: [["content-length", "2"]],
        body: "hi",
      },
    );
  t.true(server.gone);
  t.is(timers.running, 0);
});

test("an answer may end with the stream, and interim answers are passed over", async (t) => {
  const { result } = await call((server) => {
    server.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 \r\n\r\nnot here");
    server.handlers?.ended();
  });
  t.like(result, { ok: true, response: { status: 404, body: bytes("not here") } });
});

test("failures have the system's name, or say what was wrong with the answer", async (t) => {
  const cases: [(server: PlayedStream, timers: VirtualTimers) => void, string][] = [
    [(server) => server.handlers?.closed("ECONNREFUSED"), "ECONNREFUSED"],
    [(_, timers) => timers.advance(LIMITS.timeoutMs), "ETIMEDOUT"],
    [(server) => server.send("SSH-2.0-OpenSSH\r\n"), "not http"],
    [(server) => server.send("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n"), "not http"],
    [(server) => server.send(`HTTP/1.1 200 OK\r\n\r\n${"x".repeat(101)}`), "not http"],
    [
      (server) => {
        server.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi");
        server.handlers?.ended();
      },
      "",
    ],
    [
      (server) => {
        server.handlers?.ended();
        server.handlers?.closed("");
      },
      "",
    ],
  ];
  for (const [play, code] of cases) {
    const { result, timers, server } = await call(play);
    t.deepEqual(result, { ok: false, code });
    t.is(timers.running, 0);
    t.true(server.gone || code !== "");
  }
});

test("however an answer is cut, it is the same", (t) => {
  const answers = [
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
  ];
  fc.assert(
    fc.property(fc.constantFrom(...answers), fc.array(fc.nat(70), { maxLength: 10 }), (answer, cuts) => {
      const parser = new ResponseParser(100);
      let at = 0;
      for (const cut of [...cuts.sort((a, b) => a - b), answer.length]) {
        parser.handleBytes(bytes(answer.slice(at, cut)));
        at = Math.max(at, cut);
      }
      const body = parser.take()?.body;
      return body !== undefined && ["hello", "abc"].includes(text(body));
    }),
  );
  t.pass();
});
