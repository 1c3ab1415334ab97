/** One suite for three ways in: what a method answers does not depend on how it was called. */
import test from "ava";
import { rpcdAccessList } from "../../../router-daemon/src/api/acl.ts";
import { createHttpApp } from "../../../router-daemon/src/api/http.ts";
import { findMethod, METHOD_NAMES } from "../../../router-daemon/src/api/methods.ts";
import { MAX_PAGE_ROWS } from "../../../router-daemon/src/api/page.ts";
import { mismatch } from "../../../router-daemon/src/api/schema.ts";
import { createUbusObject } from "../../../router-daemon/src/api/ubus-object.ts";
import { COMMANDS } from "../../../router-daemon/src/cli/commands.ts";
import { UbusClient } from "../../../router-daemon/src/ubus/client.ts";
import { MAX_ANSWER_BYTES } from "../../../router-daemon/src/ubus/limits.ts";
import { UbusPipe } from "../../openwrt/pipe.ts";
import { type AccessFile, Rpcd } from "../../openwrt/rpcd.ts";
import { Ubusd } from "../../openwrt/ubusd.ts";
import { FakeTerminal } from "../cli/fake-io.ts";
import { connectionRow, FakeView, peerRow, routeRow } from "./fake-view.ts";

type Args = Readonly<Record<string, string | number | boolean>>;
/** What came back: the result, or the error's code and sentence. */
type Outcome = { readonly result: unknown } | { readonly error: unknown };
type UbusOutcome = Outcome & { readonly status: number };

interface Way {
  readonly name: string;
  /** Why a method cannot be called this way, or undefined. */
  skips?(method: string): string | undefined;
  call(view: FakeView, method: string, args: Args): Promise<Outcome>;
}

/** Another client of the same ubusd calls the daemon's object, as `ubus call` does. */
async function overUbus(view: FakeView, method: string, args: Args): Promise<UbusOutcome> {
  let next = 0x8000_0001;
  const pipe = new UbusPipe(new Ubusd(() => next++));
  const join = (object: ReturnType<typeof createUbusObject>) => {
    const client = new UbusClient({ streams: pipe, path: "/ubus", object, now: () => 0 });
    client.start();
    return client;
  };
  const object = createUbusObject(
    view,
    () => {},
    (work) => work(),
  );
  join(object);
  const caller = join({ ...object, path: "caller" });
  await pipe.run();
  const pending = caller.call("kcp-router", method, args);
  await pipe.run();
  const { status, data } = await pending;
  const answer = data[0] as { readonly error?: unknown } | undefined;
  return status === 0 ? { status, result: answer } : { status, error: answer?.error };
}

const WAYS: readonly Way[] = [
  {
    name: "ubus",
    async call(view, method, args) {
      const { status: _, ...outcome } = await overUbus(view, method, args);
      return outcome;
    },
  },
  {
    name: "HTTP",
    async call(view, method, args) {
      const init = { method: "POST", body: JSON.stringify(args) };
      const response = await createHttpApp(view).request(`/api/v1/${method}`, init);
      const body = (await response.json()) as { readonly error?: unknown };
      return response.status === 200 ? { result: body } : { error: body.error };
    },
  },
  {
    name: "HTTP with a query",
    skips: (method) => (findMethod(method)?.access === "write" ? "writing needs POST" : undefined),
    async call(view, method, args) {
      const query = new URLSearchParams(
        Object.entries(args).map(([key, value]): [string, string] => [key, String(value)]),
      );
      const response = await createHttpApp(view).request(`/api/v1/${method}?${query}`);
      const body = (await response.json()) as { readonly error?: unknown };
      return response.status === 200 ? { result: body } : { error: body.error };
    },
  },
  {
    name: "the command line",
    skips: (method) =>
      commandOf(method) === undefined
        ? `"check", "export" and "version" are commands of their own`
        : undefined,
    async call(view, method, args) {
      const shell = new FakeTerminal(view);
      const flags = Object.entries(args).map(([key, value]) => `--${key.replaceAll("_", "-")}=${value}`);
      const [command = "", positional] = commandOf(method) ?? [];
      const words = flags.map((flag) => (flag === `--${positional}=1` ? "1" : flag));
      const status = await shell.run(command, ...words, "--json");
      if (status !== 0) return { error: shell.stderr.split("\n")[0] };
      return { result: JSON.parse(shell.stdout) as unknown };
    },
  },
];

function commandOf(method: string): readonly [string, string | undefined] | undefined {
  const found = Object.entries(COMMANDS).find(([, command]) => command.method === method);
  return found === undefined ? undefined : [found[0], found[1].positional];
}

/** Commands print the rows of a page without what is around them. */
function rowsOf(outcome: Outcome): Outcome {
  if (!("result" in outcome)) return outcome;
  const { rows, ...rest } = outcome.result as { readonly rows?: unknown };
  const isPage = rows !== undefined && Object.keys(rest).every((key) => key === "total" || key === "offset");
  return isPage ? { result: rows } : outcome;
}

/** Arguments with which every method answers. */
const SAMPLES: Readonly<Record<string, Args>> = {
  overview: { limit: 2, peers: true, routes: true, sort: "upBytes", descending: true, after: 0 },
  connections: { limit: 2, offset: 1, text: "10.126", transport: "kcp", live: true, peer: 0xa1b2c3d4 },
  peers: { limit: 1 },
  transports: { limit: 1 },
  routes: { offset: 0, limit: 5 },
  events: { after: 0, limit: 5 },
  config_export: { form: "uci" },
  config_check: { text: 'ipv4 = "10.1.1.1"', form: "toml" },
  diagnose: { peer: 7 },
  close_connection: { id: 1 },
  set_log_level: { level: "warn" },
};

function sampleView(): FakeView {
  const view = new FakeView();
  view.connectionRows = [connectionRow(1), connectionRow(2, { upBytes: 2 ** 40 + 1 }), connectionRow(3)];
  view.peerRows = [peerRow(7, { hostname: "路由器", latencyMs: null }), peerRow(8)];
  view.routeRows = [routeRow("10.126.126.7/32"), routeRow("192.168.2.0/24", { kind: "subnet" })];
  return view;
}

async function reference(method: string, args: Args): Promise<Outcome> {
  const init = { method: "POST", body: JSON.stringify(args) };
  const response = await createHttpApp(sampleView()).request(`/api/v1/${method}`, init);
  return { result: await response.json() };
}

for (const way of WAYS) {
  test(`${way.name}: every method answers the same, and what its schema says`, async (t) => {
    for (const name of METHOD_NAMES) {
      if (way.skips?.(name) !== undefined) continue;
      const args = SAMPLES[name] ?? {};
      const expected = await reference(name, args);
      const outcome = await way.call(sampleView(), name, args);
      const isCommand = way.name === "the command line";
      const comparable = isCommand ? rowsOf(expected) : expected;
      t.deepEqual(strip(outcome), strip(comparable), name);
      if (!isCommand && "result" in outcome) {
        const schema = findMethod(name)?.result;
        t.is(schema && mismatch(schema, outcome.result), undefined, name);
      }
    }
  });

  test(`${way.name}: wrong arguments get the verifier's sentence`, async (t) => {
    const cases: readonly [string, Args, string][] = [
      ["connections", { limit: 0 }, "connections: limit is 0; allowed is a whole number from 1 to 1000."],
      [
        "connections",
        { transport: "udp" },
        'connections: transport is "udp"; allowed is one of tcp, kcp, quic.',
      ],
      ["overview", { peers: "x" }, 'overview: peers is "x"; allowed is true or false.'],
      [
        "close_connection",
        { id: -1 },
        "close_connection: id is -1; allowed is a whole number from 0 to 9007199254740991.",
      ],
      [
        "set_log_level",
        { level: "loud" },
        'set_log_level: level is "loud"; allowed is one of off, error, warn, info.',
      ],
      ["diagnose", { peer: 99 }, "There is no peer with id 99. The peer table lists the ids."],
    ];
    for (const [name, args, sentence] of cases) {
      if (way.skips?.(name) !== undefined) continue;
      const outcome = await way.call(sampleView(), name, args);
      const error = "error" in outcome ? outcome.error : undefined;
      t.is(
        typeof error === "string" ? error : (error as { message?: string } | undefined)?.message,
        sentence,
      );
    }
  });
}

/** Without the order of keys and what only JSON does to values. */
function strip(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value)) as unknown;
}

test("ubus: a status of its own for what went wrong", async (t) => {
  const status = async (method: string, args: Args, view = sampleView()) =>
    (await overUbus(view, method, args)).status;
  t.is(await status("connections", { limit: 0 }), 2);
  t.is(await status("close_connection", { id: 99 }), 5);
  t.is(await status("nothing", {}), 3);
  t.is(await status("__proto__", {}), 3);
  t.is(await status("status", { ubus_rpc_session: "0123" }), 0, "uhttpd adds this to every call");
  const refusing = sampleView();
  refusing.reloadResult = { ok: false, problems: ["It is wrong."] };
  t.is(await status("reload", {}, refusing), 8);
  const broken = sampleView();
  broken.status = () => {
    throw new Error("secret detail");
  };
  t.is(await status("status", {}, broken), 9);
});

test("ubus: an answer that is too large says so, and a smaller page fits", async (t) => {
  const view = sampleView();
  view.peerRows = Array.from({ length: 200 }, (_, at) =>
    peerRow(at, { hostname: "x".repeat(MAX_ANSWER_BYTES / 100) }),
  );
  t.like(await overUbus(view, "peers", {}), { status: 11, error: { code: "too_large" } });
  t.like(await overUbus(view, "peers", { limit: 10 }), { status: 0 });
});

test("ubus: a thousand connections fit one answer", async (t) => {
  const view = sampleView();
  view.connectionRows = Array.from({ length: 1000 }, (_, at) => connectionRow(at));
  const outcome = await overUbus(view, "connections", { limit: MAX_PAGE_ROWS });
  t.is("result" in outcome ? (outcome.result as { rows: unknown[] }).rows.length : 0, 1000);
});

test("a browser's session that may only look cannot call what writes, even when it forges the call", async (t) => {
  const view = sampleView();
  const rpcd = new Rpcd([rpcdAccessList() as AccessFile], async (_object, method, args) => {
    const { status, ...outcome } = await overUbus(view, method, args as Args);
    return { status, data: "result" in outcome ? [outcome.result as object] : [{ error: outcome.error }] };
  });
  const reader = rpcd.login({ read: ["*"], write: [] });
  const writer = rpcd.login({ read: ["*"], write: ["*"] });
  const call = (session: string, method: string, args: object) =>
    rpcd.call(
      JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "call",
        params: [session, "kcp-router", method, args],
      }),
    );
  const denied = { error: { code: -32002 } };
  t.like(await call(reader, "status", {}), { result: [0, { state: "joined" }] });
  t.like(await call(reader, "close_connection", { id: 1 }), denied);
  t.like(await call(reader, "reload", {}), denied);
  t.like(await call("0".repeat(32), "status", {}), denied);
  t.deepEqual(view.closed, []);
  t.like(await call(writer, "close_connection", { id: 1 }), { result: [0, { closed: 1 }] });
  t.deepEqual(view.closed, [1]);
  t.like(await call(writer, "close_connection", { id: 99 }), {
    result: [5, { error: { code: "not_found" } }],
  });
});
