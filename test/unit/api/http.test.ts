import test from "ava";
import fc from "fast-check";
import { createHttpApp, MAX_ANSWER_LENGTH } from "../../../router-daemon/src/api/http.ts";
import { invoke } from "../../../router-daemon/src/api/invoke.ts";
import { findMethod, METHOD_NAMES } from "../../../router-daemon/src/api/methods.ts";
import { connectionRow, FakeView, peerRow } from "./fake-view.ts";

async function ask(
  view: FakeView,
  path: string,
  init?: RequestInit,
): Promise<{ status: number; body: unknown }> {
  const response = await createHttpApp(view).request(path, init);
  return { status: response.status, body: await response.json() };
}

function post(body: string): RequestInit {
  return { method: "POST", body };
}

/** Arguments that each method takes; the same answer is expected by every way in. */
const SAMPLES: Readonly<Record<string, Record<string, string | number | boolean>>> = {
  connections: {
    limit: 2,
    offset: 1,
    text: "10.126",
    transport: "kcp",
    live: true,
    sort: "upBytes",
    descending: true,
  },
  peers: { limit: 1 },
  routes: { offset: 0 },
  events: { after: 0, limit: 5 },
  overview: { limit: 2, peers: true, routes: true, after: 0 },
  transports: { limit: 1 },
  config_check: { text: 'ipv4 = "10.1.1.1"', form: "toml" },
  diagnose: { peer: 7 },
  set_log_level: { level: "warn" },
  close_connection: { id: 1 },
};

test("every method answers the same by GET, POST and by a direct call", async (t) => {
  for (const name of METHOD_NAMES) {
    const args = SAMPLES[name] ?? {};
    const view = new FakeView();
    view.connectionRows = [connectionRow(1), connectionRow(2), connectionRow(3)];
    const direct = await invoke(view, name, args);
    t.true(direct.ok, name);
    const expected = { status: 200, body: direct.ok ? direct.result : undefined };
    t.deepEqual(await ask(view, `/api/v1/${name}`, post(JSON.stringify(args))), expected, name);
    const query = new URLSearchParams(
      Object.entries(args).map(([key, value]): [string, string] => [key, String(value)]),
    );
    const byGet = await ask(view, `/api/v1/${name}?${query}`);
    if (findMethod(name)?.access === "read") t.deepEqual(byGet, expected, name);
    else t.like(byGet, { status: 405, body: { error: { code: "method_not_allowed" } } }, name);
  }
});

test("a method that changes something is never called by GET", async (t) => {
  const view = new FakeView();
  for (const path of ["/api/v1/close_connection?id=1", "/api/v1/reload"]) {
    for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]) {
      const response = await createHttpApp(view).request(path, { method });
      t.is(response.status, 405, `${method} ${path}`);
    }
  }
  t.deepEqual(view.closed, []);
  t.is(view.reloads, 0);
});

test("errors are an object with code and sentence, under a matching status", async (t) => {
  const view = new FakeView();
  t.deepEqual(await ask(view, "/api/v1/connections?limit=x"), {
    status: 400,
    body: {
      error: {
        code: "invalid_argument",
        message: 'connections: limit is "x"; allowed is a whole number from 1 to 1000.',
      },
    },
  });
  t.like(await ask(view, "/api/v1/connections?limt=1"), {
    status: 400,
    body: { error: { code: "invalid_argument" } },
  });
  t.like(await ask(view, "/api/v1/connections", post("{")), {
    status: 400,
    body: { error: { code: "invalid_argument" } },
  });
  t.like(await ask(view, "/api/v1/connections", post("[]")), { status: 400 });
  t.like(await ask(view, "/api/v1/close_connection", post('{"id": 99}')), {
    status: 404,
    body: { error: { code: "not_found" } },
  });
  view.reloadResult = { ok: false, problems: ["It is wrong."] };
  t.like(await ask(view, "/api/v1/reload", post("")), {
    status: 409,
    body: { error: { code: "config_refused" } },
  });
  for (const path of ["/", "/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v2/status", "/api/v1/status/x"]) {
    t.like(await ask(view, path), { status: 404, body: { error: { code: "not_found" } } }, path);
  }
});

test("answers are bounded", async (t) => {
  const view = new FakeView();
  view.peerRows = Array.from({ length: 100 }, (_, at) =>
    peerRow(at, { hostname: "x".repeat(MAX_ANSWER_LENGTH / 50) }),
  );
  t.like(await ask(view, "/api/v1/peers"), { status: 413, body: { error: { code: "too_large" } } });
  t.like(await ask(view, "/api/v1/peers?limit=10"), { status: 200 });
});

test("answers are never kept or guessed at by a browser", async (t) => {
  const response = await createHttpApp(new FakeView()).request("/api/v1/status");
  t.is(response.headers.get("content-type"), "application/json");
  t.is(response.headers.get("cache-control"), "no-store");
  t.is(response.headers.get("x-content-type-options"), "nosniff");
});

test("a fault inside the daemon is status 500 without details", async (t) => {
  const view = new FakeView();
  const failures: unknown[] = [];
  view.status = () => {
    throw new Error("secret detail");
  };
  const response = await createHttpApp(view, (error) => failures.push(error)).request("/api/v1/status");
  t.is(response.status, 500);
  t.false((await response.text()).includes("secret detail"));
  t.is(failures.length, 1);
});

test("whatever is asked, the answer is JSON with a status, and the daemon stays as it is", async (t) => {
  const view = new FakeView();
  const app = createHttpApp(view);
  const path = fc.oneof(
    fc
      .tuple(fc.constantFrom(...METHOD_NAMES), fc.webQueryParameters())
      .map(([name, query]) => `/api/v1/${name}?${query}`),
    fc.webPath(),
  );
  const body = fc.oneof(fc.string(), fc.json());
  await fc.assert(
    fc.asyncProperty(path, fc.constantFrom("GET", "POST", "PATCH"), body, async (url, method, text) => {
      const response = await app.request(url, method === "GET" ? { method } : { method, body: text });
      const value: unknown = await response.json();
      return [200, 400, 404, 405].includes(response.status) && typeof value === "object";
    }),
    { numRuns: 1000 },
  );
  t.deepEqual(
    view.closed.filter((id) => id !== 1),
    [],
  );
});
