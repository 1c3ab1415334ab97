import test from "ava";
import type { HttpRequest, HttpResponse } from "../../../router-daemon/src/http1/message.ts";
import { LINGER_MS, serveHttp } from "../../../router-daemon/src/http1/server.ts";
import { PlayedStreams, settle, VirtualTimers } from "./scene.ts";
import { bytes, requestText } from "./text.ts";

const TIMEOUT_MS = 5000;

function ok(body: string): HttpResponse {
  return { status: 200, headers: [["content-type", "text/plain"]], body: bytes(body) };
}

/** A server whose requests a test answers when it likes; by itself it answers with the path. */
class Scene {
  readonly streams = new PlayedStreams();
  readonly timers = new VirtualTimers();
  readonly requests: HttpRequest[] = [];
  readonly failures: unknown[] = [];
  handle: (request: HttpRequest) => Promise<HttpResponse> = (request) => Promise.resolve(ok(request.target));

  constructor() {
    void serveHttp(
      this.streams,
      this.timers,
      { unix: "" },
      {
        maxClients: 10,
        maxBodyBytes: 100,
        requestTimeoutMs: TIMEOUT_MS,
        handle: (request) => {
          this.requests.push(request);
          return this.handle(request);
        },
        refuse: ({ status, message }) => ({ status, headers: [], body: bytes(message) }),
        fail: (error) => {
          this.failures.push(error);
          return { status: 500, headers: [], body: bytes("failed") };
        },
      },
    );
  }
}

function answerText(body: string, more = ""): string {
  return `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\n${more}\r\n${body}`;
}

test("requests of one client are answered one after the other, in their order", async (t) => {
  const scene = new Scene();
  const release: (() => void)[] = [];
  scene.handle = (request) => new Promise((resolve) => release.push(() => resolve(ok(request.target))));
  const client = scene.streams.client();
  client.send(["/1", "/2", "/3"].map((path) => requestText(`GET ${path} HTTP/1.1`)).join(""));
  for (const path of ["/1", "/2", "/3"]) {
    await settle();
    t.is(scene.requests.at(-1)?.target, path);
    t.true(client.paused);
    t.is(client.taken(), "");
    release.shift()?.();
    await settle();
    t.is(client.taken(), answerText(path));
  }
  t.false(client.paused);
  t.false(client.finished);
});

test("HEAD is answered with headers alone, and the connection stays usable", async (t) => {
  const scene = new Scene();
  const client = scene.streams.client();
  client.send(requestText("HEAD /abc HTTP/1.1"));
  await settle();
  t.is(client.taken(), "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\n");
  client.send(requestText("GET / HTTP/1.1"));
  await settle();
  t.is(client.taken(), answerText("/"));
});

test("a client that asks to be closed gets its answer and the end", async (t) => {
  const scene = new Scene();
  const client = scene.streams.client();
  client.send(requestText("GET / HTTP/1.1", ["Connection: close"]) + requestText("GET /more HTTP/1.1"));
  await settle();
  t.is(client.taken(), answerText("/", "connection: close\r\n"));
  t.true(client.finished);
  t.is(scene.requests.length, 1);
});

test("a client that has sent everything still gets all its answers", async (t) => {
  const scene = new Scene();
  const client = scene.streams.client();
  client.send(requestText("GET /1 HTTP/1.1") + requestText("GET /2 HTTP/1.1"));
  await settle();
  t.is(client.taken(), answerText("/1") + answerText("/2"));
  client.handlers?.ended();
  t.true(client.finished);
  t.is(client.taken(), "");
});

test("what is no request is refused after the answers before it; the client is heard out, then let go", async (t) => {
  const scene = new Scene();
  const client = scene.streams.client();
  client.send(`${requestText("GET /1 HTTP/1.1")}nonsense\r\n`);
  await settle();
  t.regex(
    client.taken(),
    /^HTTP\/1\.1 200 [\s\S]*\/1HTTP\/1\.1 400 Bad Request\r\n[\s\S]*connection: close\r\n/,
  );
  t.true(client.finished);
  t.false(client.paused);
  client.send(requestText("GET /2 HTTP/1.1"));
  t.is(scene.requests.length, 1);
  scene.timers.advance(LINGER_MS - 1);
  t.false(client.gone);
  scene.timers.advance(1);
  t.true(client.gone);
  await settle();
  t.is(scene.timers.running, 0);
});

test("a body that is announced as too large is refused before it comes", (t) => {
  const scene = new Scene();
  const client = scene.streams.client();
  client.send(requestText("POST / HTTP/1.1", ["Content-Length: 101", "Expect: 100-continue"]));
  t.regex(client.taken(), /^HTTP\/1\.1 413 Content Too Large\r\n/);
});

test("a client that waits for permission to send its body gets it", async (t) => {
  const scene = new Scene();
  const client = scene.streams.client();
  client.send(requestText("POST / HTTP/1.1", ["Content-Length: 3", "Expect: 100-continue"]));
  t.is(client.taken(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  await settle();
  t.is(client.taken(), answerText("/"));
});

test("a request that trickles in is refused after its time, however often a byte comes", (t) => {
  const scene = new Scene();
  const client = scene.streams.client();
  scene.timers.advance(TIMEOUT_MS - 1);
  const request = requestText("GET /1234567890 HTTP/1.1");
  for (let at = 0; at < 5; at++) {
    t.is(client.taken(), "");
    client.send(request.charAt(at));
    scene.timers.advance(TIMEOUT_MS / 5);
  }
  t.regex(client.taken(), /^HTTP\/1\.1 408 Request Timeout\r\n[\s\S]*within 5 seconds\.$/);
  t.true(client.finished);
});

test("a silent client is let go without a word", async (t) => {
  const scene = new Scene();
  const client = scene.streams.client();
  client.send(requestText("GET / HTTP/1.1"));
  await settle();
  client.taken();
  scene.timers.advance(TIMEOUT_MS);
  t.is(client.taken(), "");
  t.true(client.finished);
  scene.timers.advance(LINGER_MS);
  t.true(client.gone);
});

test("an answer may take as long as it needs", async (t) => {
  const scene = new Scene();
  let release = (_response: HttpResponse): void => {};
  scene.handle = () => new Promise((resolve) => (release = resolve));
  const client = scene.streams.client();
  client.send(requestText("GET / HTTP/1.1"));
  scene.timers.advance(100 * TIMEOUT_MS);
  release(ok("late"));
  await settle();
  t.is(client.taken(), answerText("late"));
});

test("a client that does not read its answer gets no other, and is cut off in the end", async (t) => {
  const scene = new Scene();
  const client = scene.streams.client();
  client.fast = false;
  client.send(requestText("GET /1 HTTP/1.1") + requestText("GET /2 HTTP/1.1"));
  await settle();
  t.is(scene.requests.length, 1);
  t.true(client.paused);
  client.handlers?.drained();
  await settle();
  t.is(scene.requests.length, 2);
  scene.timers.advance(TIMEOUT_MS);
  t.true(client.gone);
});

test("a client that goes away while it is answered is forgotten", async (t) => {
  const scene = new Scene();
  let release = (_response: HttpResponse): void => {};
  scene.handle = () => new Promise((resolve) => (release = resolve));
  const client = scene.streams.client();
  client.send(requestText("GET /1 HTTP/1.1") + requestText("GET /2 HTTP/1.1"));
  client.handlers?.closed("ECONNRESET");
  release(ok("late"));
  await settle();
  t.is(client.taken(), "");
  t.is(scene.requests.length, 1);
  t.is(scene.timers.running, 0);
});

test("a handler that fails is an answer, and the end of the connection", async (t) => {
  const scene = new Scene();
  scene.handle = () => Promise.reject(new Error("broken"));
  const client = scene.streams.client();
  client.send(requestText("GET / HTTP/1.1"));
  await settle();
  t.regex(client.taken(), /^HTTP\/1\.1 500 Internal Server Error\r\n/);
  t.true(client.finished);
  t.is(scene.failures.length, 1);
});

test("what a handler says cannot forge a header or another answer", async (t) => {
  const scene = new Scene();
  const headers: HttpResponse["headers"] = [
    ["x", "a\r\nset-cookie: b"],
    ["Content-Length", "0"],
    ["Transfer-Encoding", "chunked"],
  ];
  scene.handle = () => Promise.resolve({ status: 204, headers, body: bytes("body") });
  const client = scene.streams.client();
  client.send(requestText("GET / HTTP/1.1"));
  await settle();
  t.is(client.taken(), "HTTP/1.1 204 No Content\r\nx: a  set-cookie: b\r\n\r\n");
});
