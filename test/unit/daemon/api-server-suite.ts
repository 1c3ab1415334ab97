/** What the API's server must do, whatever engine serves it. Registered by calling `apiServerSuite`. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { API_PREFIX, MAX_BODY_BYTES } from "../../../router-daemon/src/api/http.ts";
import { MAX_API_CLIENTS } from "../../../router-daemon/src/api/http-front.ts";
import { METHOD_NAMES } from "../../../router-daemon/src/api/methods.ts";
import {
  type ServeResult,
  type ServingEngine,
  serveApi,
} from "../../../router-daemon/src/daemon/api-server.ts";
import { httpCall } from "../../../router-daemon/src/http1/client.ts";
import { FakeView } from "../api/fake-view.ts";
import { StreamEnd } from "../host/stream-end.ts";
import { bytes, requestText, text } from "../http1/text.ts";

const LIMITS = { maxBodyBytes: 1_000_000, timeoutMs: 10_000 };

export interface ServingWorld {
  readonly name: string;
  readonly engine: ServingEngine;
  /** Makes a socket's file as a killed daemon leaves it: bound once, and nobody listens. */
  leaveStaleSocket(path: string): Promise<void>;
}

export function apiServerSuite({ name, engine, leaveStaleSocket }: ServingWorld): void {
  const check = (title: string, body: (t: ExecutionContext) => Promise<void>) =>
    test(`${name}: ${title}`, body);

  async function serve(t: ExecutionContext, path: string, view = new FakeView()): Promise<ServeResult> {
    const result = await serveApi(view, engine, path);
    if (result.ok) t.teardown(() => result.server.close());
    return result;
  }

  async function ask(unix: string, method: string, target: string, body = "") {
    const request = { method, target, headers: [], body: bytes(body) };
    const result = await httpCall(engine.streams, engine.timers, { unix }, request, LIMITS);
    return result.ok
      ? { status: result.response.status, text: new TextDecoder().decode(result.response.body) }
      : { status: 0, text: result.code };
  }

  function connect(unix: string): StreamEnd {
    const end = new StreamEnd();
    end.stream = engine.streams.connect({ unix }, end);
    return end;
  }

  check("the socket is its owner's alone, answers, and is gone after closing", async (t) => {
    const path = join(folder(t), "api.sock");
    const result = await serveApi(new FakeView(), engine, path);
    t.true(result.ok);
    t.is(statSync(path).mode & 0o777, 0o600);
    t.is((await ask(path, "GET", "/api/v1/version")).status, 200);
    if (result.ok) result.server.close();
    t.false(existsSync(path));
  });

  check("every method that reads answers over the socket as JSON, in any alphabet", async (t) => {
    const path = join(folder(t), "api.sock");
    const view = new FakeView();
    const [row] = view.peerRows;
    if (row !== undefined) view.peerRows = [{ ...row, hostname: "路由器 🛜 é" }];
    t.true((await serve(t, path, view)).ok);
    for (const method of METHOD_NAMES) {
      const { status, text } = await ask(path, "POST", `${API_PREFIX}/${method}`, "{}");
      t.true([200, 400].includes(status), `${method} ${status}`);
      t.is(typeof JSON.parse(text), "object");
    }
    const peers = await ask(path, "GET", `${API_PREFIX}/peers?limit=10`);
    t.true(peers.text.includes("路由器 🛜 é"));
  });

  check("refusals of HTTP and of the API are objects with code and sentence", async (t) => {
    const path = join(folder(t), "api.sock");
    t.true((await serve(t, path)).ok);
    const cases: [string, string, string, number, string][] = [
      ["GET", `${API_PREFIX}/peers?limit=x`, "", 400, "invalid_argument"],
      ["GET", `${API_PREFIX}/nothing`, "", 404, "not_found"],
      ["GET", `${API_PREFIX}/%zz`, "", 400, "bad_request"],
      ["DELETE", `${API_PREFIX}/peers`, "", 405, "method_not_allowed"],
      ["BREW", `${API_PREFIX}/peers`, "", 501, "bad_request"],
      ["POST", `${API_PREFIX}/peers`, "{", 400, "invalid_argument"],
      ["POST", `${API_PREFIX}/peers`, " ".repeat(MAX_BODY_BYTES + 1), 413, "too_large"],
    ];
    for (const [method, target, body, status, code] of cases) {
      const answer = await ask(path, method, target, body);
      t.is(answer.status, status, `${method} ${target}`);
      t.is((JSON.parse(answer.text) as { error: { code: string } }).error.code, code);
    }
    t.is((await ask(path, "POST", `${API_PREFIX}/peers`, " ".repeat(MAX_BODY_BYTES))).status, 200);
  });

  check("one connection serves many requests, in their order", async (t) => {
    const path = join(folder(t), "api.sock");
    t.true((await serve(t, path)).ok);
    const client = connect(path);
    const paths = ["version", "peers", "nothing", "version"];
    const requests = paths.map((method) => requestText(`GET ${API_PREFIX}/${method} HTTP/1.1`)).join("");
    client.stream?.write(bytes(requests));
    const statuses = () => [...text(client.bytes).matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
    await client.until(() => statuses().length === paths.length);
    t.deepEqual(statuses(), ["200", "200", "404", "200"]);
    t.is(client.code, undefined);
    client.stream?.end();
    t.is(await client.untilClosed(), "");
  });

  check("a socket left behind by a killed daemon is replaced", async (t) => {
    const path = join(folder(t), "api.sock");
    await leaveStaleSocket(path);
    t.true((await serve(t, path)).ok);
    t.is((await ask(path, "GET", "/api/v1/version")).status, 200);
  });

  check("a socket that is served is left alone, and the sentence says so", async (t) => {
    const path = join(folder(t), "api.sock");
    t.true((await serve(t, path)).ok);
    t.deepEqual(await serve(t, path), {
      ok: false,
      message: `${path} is in use: a kcp-router is running already. Stop it first, or choose another rpc_socket.`,
    });
    t.is((await ask(path, "GET", "/api/v1/version")).status, 200);
  });

  check("a server that accepts but never answers counts as in use", async (t) => {
    const path = join(folder(t), "api.sock");
    const silent = await engine.streams.listen({ unix: path }, { maxClients: 10 }, () => new StreamEnd());
    if (silent.ok) t.teardown(() => silent.close());
    t.like(await serve(t, path), { ok: false });
    t.true(existsSync(path));
  });

  check("what is no socket is never removed", async (t) => {
    const path = join(folder(t), "api.sock");
    writeFileSync(path, "precious");
    t.deepEqual(await serve(t, path), {
      ok: false,
      message: `${path} exists and is not a socket. Remove it, or choose another rpc_socket.`,
    });
    t.is(statSync(path).size, 8);
  });

  check("a socket that cannot be made gives one sentence with the remedy", async (t) => {
    const base = folder(t);
    const missing = await serve(t, join(base, "no", "api.sock"));
    t.regex(
      missing.ok ? "" : missing.message,
      /the directory .*\/no does not exist\. Make it, or choose another rpc_socket\.$/,
    );
    writeFileSync(join(base, "file"), "");
    const inFile = await serve(t, join(base, "file", "api.sock"));
    t.regex(inFile.ok ? "" : inFile.message, /^The socket .* cannot be made/);
    const closed = join(base, "closed");
    mkdirSync(closed);
    chmodSync(closed, 0o500);
    const denied = await serve(t, join(closed, "api.sock"));
    // Root may write anywhere.
    if (!denied.ok)
      t.regex(denied.message, /permission denied\. Start as root, or choose another rpc_socket\.$/);
  });

  check("garbage and half requests do not disturb others", async (t) => {
    const path = join(folder(t), "api.sock");
    t.true((await serve(t, path)).ok);
    const noise = [
      "\0\x01\x02\r\n\r\n",
      "GET",
      "POST /api/v1/reload HTTP/1.1\r\nHost: a\r\ncontent-length: 99999999\r\n\r\n",
      "GET / HTTP/9.9\r\n\r\n",
    ];
    const clients = noise.map((given) => {
      const client = connect(path);
      client.stream?.write(bytes(given));
      return client;
    });
    t.is((await ask(path, "GET", "/api/v1/version")).status, 200);
    for (const client of clients) client.stream?.destroy();
  });

  check("the number of clients at one time is bounded: the others wait for their turn", async (t) => {
    const path = join(folder(t), "api.sock");
    t.true((await serve(t, path)).ok);
    const request = bytes(requestText("GET /api/v1/version HTTP/1.1"));
    const clients = Array.from({ length: MAX_API_CLIENTS + 5 }, () => {
      const client = connect(path);
      client.stream?.write(request);
      return client;
    });
    const answered = () => clients.filter((client) => client.length > 0);
    await clients[0]?.untilLength(1);
    while (answered().length < MAX_API_CLIENTS) await roundTrip(engine, folder(t));
    await roundTrip(engine, folder(t));
    t.is(answered().length, MAX_API_CLIENTS);
    for (const client of answered()) client.stream?.destroy();
    for (const client of clients) await client.until(() => client.length > 0 || client.code !== undefined);
    t.is(answered().length, clients.length);
    for (const client of clients) client.stream?.destroy();
  });
}

/** A folder of the test's own, gone when it ends. */
function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), "kcp-router-api-"));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Lets the engine's loop turn, by a connection of its own. */
async function roundTrip(engine: ServingEngine, base: string): Promise<void> {
  const unix = join(base, "turn.sock");
  const listener = await engine.streams.listen({ unix }, { maxClients: 1 }, (stream) => {
    stream.end();
    return new StreamEnd();
  });
  const end = new StreamEnd();
  end.stream = engine.streams.connect({ unix }, end);
  await end.untilCalled("ended");
  end.stream.destroy();
  if (listener.ok) listener.close();
}
