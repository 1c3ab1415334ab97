import test from "ava";
import fc from "fast-check";
import { argumentInfo } from "../../../router-daemon/src/api/argument.ts";
import type { Answer } from "../../../router-daemon/src/api/error.ts";
import { invoke } from "../../../router-daemon/src/api/invoke.ts";
import { findMethod, METHOD_NAMES } from "../../../router-daemon/src/api/methods.ts";
import { DEFAULT_PAGE_ROWS, MAX_FILTER_LENGTH, MAX_PAGE_ROWS } from "../../../router-daemon/src/api/page.ts";
import { connectionRow, FakeView, peerRow, START_TIME } from "./fake-view.ts";

function refusal(answer: Answer<unknown>): string {
  return answer.ok ? "taken" : `${answer.error.code}: ${answer.error.message}`;
}

test("every method of the table is documented, and is read or write", (t) => {
  t.deepEqual(METHOD_NAMES, [
    "version",
    "status",
    "overview",
    "node",
    "peers",
    "transports",
    "routes",
    "connections",
    "events",
    "config_check",
    "config_export",
    "diagnose",
    "debug_bundle",
    "close_connection",
    "reload",
    "set_log_level",
  ]);
  const writing = METHOD_NAMES.filter((name) => findMethod(name)?.access === "write");
  t.deepEqual(writing, ["close_connection", "reload", "set_log_level"]);
  for (const name of METHOD_NAMES) {
    t.regex(name, /^[a-z_]+$/);
    const method = findMethod(name);
    t.regex(method?.doc ?? "", /^[A-Z].*\.$/, name);
    for (const [key, schema] of Object.entries(method?.args ?? {})) {
      t.regex(argumentInfo(schema).help, /^[A-Z].*\.$/, `${name} ${key}`);
      t.not(argumentInfo(schema).allowed, "");
    }
  }
});

test("methods that take nothing answer what the daemon says", async (t) => {
  const view = new FakeView();
  t.deepEqual(await invoke(view, "version", {}), { ok: true, result: view.version() });
  t.deepEqual(await invoke(view, "status", undefined), { ok: true, result: view.statusRow });
  t.deepEqual(await invoke(view, "node", null), { ok: true, result: view.node() });
  t.deepEqual(await invoke(view, "peers", {}), {
    ok: true,
    result: { rows: view.peerRows, total: 1, offset: 0 },
  });
  t.deepEqual(await invoke(view, "routes", {}), {
    ok: true,
    result: { rows: view.routeRows, total: 1, offset: 0 },
  });
});

test("answers are paged and bounded: there is a default and a most", async (t) => {
  const view = new FakeView();
  view.connectionRows = Array.from({ length: MAX_PAGE_ROWS + 500 }, (_, at) => connectionRow(at));
  view.peerRows = Array.from({ length: MAX_PAGE_ROWS + 500 }, (_, at) => peerRow(at));
  for (const name of ["connections", "peers"]) {
    const page = await invoke(view, name, {});
    t.like(page, { ok: true, result: { total: MAX_PAGE_ROWS + 500, offset: 0 } });
    t.is(page.ok ? (page.result as { rows: unknown[] }).rows.length : 0, DEFAULT_PAGE_ROWS);
    const largest = await invoke(view, name, { limit: MAX_PAGE_ROWS, offset: 600 });
    t.is(largest.ok ? (largest.result as { rows: unknown[] }).rows.length : 0, 900);
    t.is(
      refusal(await invoke(view, name, { limit: MAX_PAGE_ROWS + 1 })),
      `invalid_argument: ${name}: limit is 1001; allowed is a whole number from 1 to 1000.`,
    );
  }
});

test("events come oldest first, only new ones when asked, and the newest of too many", async (t) => {
  const view = new FakeView();
  view.eventRows = Array.from({ length: 300 }, (_, at) => ({
    sequence: at + 1,
    time: START_TIME,
    level: "info" as const,
    code: "link_up",
    message: "A link is up.",
  }));
  const sequences = async (args: object) => {
    const answer = await invoke(view, "events", args);
    return answer.ok
      ? (answer.result as { rows: { sequence: number }[] }).rows.map((row) => row.sequence)
      : [];
  };
  t.deepEqual(await sequences({ after: 297 }), [298, 299, 300]);
  t.deepEqual(await sequences({ limit: 2 }), [299, 300]);
  t.is((await sequences({})).length, DEFAULT_PAGE_ROWS);
});

test("wrong arguments get the verifier's sentence", async (t) => {
  const view = new FakeView();
  const cases: [string, unknown, string][] = [
    ["connections", { limit: "x" }, 'connections: limit is "x"; allowed is a whole number from 1 to 1000.'],
    ["connections", { limit: 1.5 }, "connections: limit is 1.5; allowed is a whole number from 1 to 1000."],
    [
      "connections",
      { offset: -1 },
      "connections: offset is -1; allowed is a whole number from 0 to 1000000.",
    ],
    [
      "connections",
      { transport: "udp" },
      'connections: transport is "udp"; allowed is one of tcp, kcp, quic.',
    ],
    ["connections", { live: "yes" }, 'connections: live is "yes"; allowed is true or false.'],
    ["connections", { text: 5 }, "connections: text is 5; allowed is a text of at most 100 characters."],
    [
      "connections",
      { lmit: 5 },
      'connections: "lmit" is not an argument of this method. It takes offset, limit, text, transport, role, state, peer, source, live, sort, descending.',
    ],
    ["status", { x: 1 }, 'status: "x" is not an argument of this method. It takes none.'],
    ["status", { toString: 1 }, 'status: "toString" is not an argument of this method. It takes none.'],
    [
      "close_connection",
      {},
      "close_connection: id is missing; allowed is a whole number from 0 to 9007199254740991.",
    ],
    [
      "close_connection",
      { id: null },
      "close_connection: id is null; allowed is a whole number from 0 to 9007199254740991.",
    ],
    ["status", [], "status: the arguments are one object of names and values."],
    ["status", "x", "status: the arguments are one object of names and values."],
  ];
  for (const [name, args, sentence] of cases) {
    t.is(refusal(await invoke(view, name, args)), `invalid_argument: ${sentence}`);
  }
  t.regex(
    refusal(await invoke(view, "connections", { text: "x".repeat(MAX_FILTER_LENGTH + 1) })),
    /text is "x{59}…;/,
  );
  for (const name of ["nothing", "__proto__", "toString", ""]) {
    t.regex(
      refusal(await invoke(view, name, {})),
      /^not_found: There is no method of this name\. There are: version, /,
    );
  }
});

test("a live connection is closed by its id; another id is not found", async (t) => {
  const view = new FakeView();
  view.connectionRows = [connectionRow(5), connectionRow(6, { state: "Closed" })];
  t.deepEqual(await invoke(view, "close_connection", { id: 5 }), { ok: true, result: { closed: 5 } });
  t.deepEqual(view.closed, [5]);
  for (const id of [6, 7])
    t.regex(refusal(await invoke(view, "close_connection", { id })), /^not_found: .* id [67]\./);
});

test("reload says what is in force and what waits; a refused configuration keeps the old one", async (t) => {
  const view = new FakeView();
  t.deepEqual(await invoke(view, "reload", {}), {
    ok: true,
    result: { ok: true, applied: ["peers"], needsRestart: ["mtu"] },
  });
  view.reloadResult = { ok: false, problems: ["a.toml, [flags] mtu: 12 was found."] };
  t.is(
    refusal(await invoke(view, "reload", {})),
    "config_refused: The old configuration keeps running. a.toml, [flags] mtu: 12 was found.",
  );
});

test("a configuration is checked without being used, and its secret is not repeated", async (t) => {
  const view = new FakeView();
  const good = 'ipv4 = "10.1.1.1"\n[network_identity]\nnetwork_secret = "hunter2"\n';
  t.deepEqual(await invoke(view, "config_check", { text: good }), {
    ok: true,
    result: { ok: true, problems: [] },
  });
  const bad = await invoke(view, "config_check", { text: `${good}x = 1\n[flags]\nmtu = 12\n` });
  t.like(bad, { ok: true, result: { ok: false } });
  const text = JSON.stringify(bad);
  t.true(
    text.includes("configuration, [flags] mtu: 12 was found; allowed is a whole number from 576 to 1400."),
  );
  t.true(text.includes('"key":"mtu"'));
  t.false(text.includes("hunter2"));
  t.is(view.reloads, 0);
});

test("the configuration in force comes as a file in either form, without its secret", async (t) => {
  const view = new FakeView();
  const text = async (form: string) => {
    const answer = await invoke(view, "config_export", { form });
    return answer.ok ? (answer.result as { text: string }).text : "";
  };
  for (const form of ["toml", "uci"]) {
    const written = await text(form);
    t.true(written.includes("10.126.126.1/24") && written.includes("enable_kcp_proxy"), written);
    t.false(written.includes("hunter2"), written);
    t.deepEqual(await invoke(view, "config_check", { text: written, form }).then((check) => check.ok), true);
  }
});

test("a debug bundle holds everything and no secret", async (t) => {
  const view = new FakeView();
  await invoke(view, "diagnose", { peer: 7 });
  const answer = await invoke(view, "debug_bundle", {});
  t.true(answer.ok);
  const text = JSON.stringify(answer);
  for (const part of ["192.168.1.20:51838", "peer-7", "link_up", "Half is lost.", "enable_kcp_proxy"]) {
    t.true(text.includes(part), part);
  }
  t.false(text.includes("hunter2"));
});

test("a peer is measured when it is known", async (t) => {
  const view = new FakeView();
  t.true((await invoke(view, "diagnose", { peer: 7 })).ok);
  t.true((await invoke(view, "diagnose", {})).ok);
  t.regex(refusal(await invoke(view, "diagnose", { peer: 8 })), /^not_found: There is no peer with id 8\./);
  t.deepEqual(view.diagnosed, [7, 0]);
});

test("one overview holds what a page shows at once", async (t) => {
  const view = new FakeView();
  view.connectionRows = [
    connectionRow(1),
    connectionRow(2, { transport: "tcp" }),
    connectionRow(3, { state: "Closed" }),
  ];
  const head = await invoke(view, "overview", {});
  t.like(head, {
    ok: true,
    result: {
      uptimeMs: 3_600_000,
      transports: { tcp: 1, kcp: 1, quic: 0 },
      connections: { rows: [], total: 3 },
      peers: null,
      routes: null,
    },
  });
  const whole = await invoke(view, "overview", { limit: 2, live: true, peers: true, routes: true, after: 1 });
  t.like(whole, { result: { connections: { total: 2 }, peers: { total: 1 }, routes: { total: 1 } } });
  const rows = whole.ok ? (whole.result as { events: { rows: unknown[] } }).events.rows : undefined;
  t.deepEqual(rows, [], "only new events");
});

test("the log's level is changed to one that there is", async (t) => {
  const view = new FakeView();
  t.deepEqual(await invoke(view, "set_log_level", { level: "error" }), {
    ok: true,
    result: { level: "error" },
  });
  t.is(view.logLevel, "error");
  t.regex(
    refusal(await invoke(view, "set_log_level", {})),
    /level is missing; allowed is one of off, error, /,
  );
});

test("a fault inside the daemon is told without details; they go to whoever keeps the log", async (t) => {
  const view = new FakeView();
  view.peers = () => {
    throw new Error("secret detail");
  };
  const failures: unknown[] = [];
  const answer = await invoke(view, "peers", {}, (error) => failures.push(error));
  t.regex(refusal(answer), /^internal: peers failed inside the daemon/);
  t.false(JSON.stringify(answer).includes("secret detail"));
  t.is(failures.length, 1);
});

test("whatever the arguments are, the answer is a result or a sentence", async (t) => {
  const view = new FakeView();
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...METHOD_NAMES), fc.anything(), async (name, args) => {
      const answer = await invoke(view, name, args);
      return answer.ok || (answer.error.code !== "internal" && /\.$/.test(answer.error.message));
    }),
    { numRuns: 1000 },
  );
  t.pass();
});
