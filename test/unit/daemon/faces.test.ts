/** The daemon's faces on real sockets: unix socket, loopback TCP with tokens, ubus. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { nodeFiles } from "../../../router-daemon/src/cli/node-io.ts";
import { type Config, DEFAULTS } from "../../../router-daemon/src/config/config.ts";
import { type Faces, type OpenFaces, openFaces } from "../../../router-daemon/src/daemon/faces.ts";
import { nodeEngine } from "../../../router-daemon/src/daemon/node-run.ts";
import { MAX_EVENTS_PER_PERIOD } from "../../../router-daemon/src/daemon/ubus-service.ts";
import { UbusClient } from "../../../router-daemon/src/ubus/client.ts";
import { serveUbusd } from "../../openwrt/ubusd-server.ts";
import { FakeView, START_TIME } from "../api/fake-view.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";

class FakeDaemon extends FakeView {
  readonly told: string[] = [];

  looks = 0;
  readonly turns = 0;

  lookAtAddresses(): void {
    this.looks++;
  }

  tell(_level: string, code: string): void {
    this.told.push(code);
  }
}

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), "faces-"));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function open(
  t: ExecutionContext,
  path: string,
  changes: Partial<Config>,
): Promise<OpenFaces & { readonly daemon: FakeDaemon }> {
  const daemon = new FakeDaemon();
  const config = {
    ...DEFAULTS,
    ipv4: { address: 1, prefixLength: 24 },
    rpc_socket: join(path, "api.sock"),
    ubus_socket: join(path, "ubus.sock"),
    ...changes,
  };
  const opened = await openFaces({
    daemon,
    engine: nodeEngine,
    config,
    readSecretFile: nodeFiles.read,
    now: () => performance.now(),
    onFailure: (error) => t.fail(String(error)),
  });
  if (opened.ok) t.teardown(() => opened.faces.close());
  return { ...opened, daemon };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

function tokenFile(path: string, text: string, mode = 0o600): string {
  const file = join(path, "tokens");
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

/** Looks again until it is so; the test's own time limit ends it. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test("over TCP the API needs a token of the file, and goes with the others when it is closed", async (t) => {
  const path = folder(t);
  const port = await freePort();
  const opened = await open(t, path, {
    rpc_listen: `127.0.0.1:${port}`,
    rpc_token_file: tokenFile(path, `read ${TOKEN}\n`),
  });
  t.true(opened.ok);
  const url = `http://127.0.0.1:${port}/api/v1/status`;
  t.is((await fetch(url)).status, 401);
  const headers = { authorization: `Bearer ${TOKEN}` };
  t.is((await fetch(url, { headers })).status, 200);
  const write = await fetch(`http://127.0.0.1:${port}/api/v1/reload`, { method: "POST", headers });
  t.is(write.status, 403);
  if (opened.ok) opened.faces.close();
  await t.throwsAsync(fetch(url, { headers }));
});

test("a token file that others can read, or that makes no sense, is refused; so is a port that is taken", async (t) => {
  const path = folder(t);
  const port = await freePort();
  const refusal = async (text: string | undefined, mode?: number) => {
    const file = text === undefined ? join(path, "missing") : tokenFile(path, text, mode);
    const opened = await open(t, path, { rpc_listen: `127.0.0.1:${port}`, rpc_token_file: file });
    return opened.ok ? "opened" : opened.message;
  };
  t.regex(
    await refusal(`read ${TOKEN}`, 0o644),
    /Others than its owner can read the tokens\. Run: chmod 600 /,
  );
  t.regex(await refusal("read short"), /The token in line 1 has 5 characters/);
  t.regex(await refusal(undefined), /The tokens cannot be read: there is no such file/);
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(port, "127.0.0.1", resolve));
  t.regex(
    await refusal(`read ${TOKEN}`),
    /^The API cannot listen on 127\.0\.0\.1:\d+: another program has it\./,
  );
  taken.close();
  t.is(await refusal(`read ${TOKEN}`), "opened", "what was refused left nothing behind");
});

test("on ubus the object comes, is called, comes again with the next ubusd, and goes", async (t) => {
  const path = folder(t);
  const socket = join(path, "ubus.sock");
  const opened = await open(t, path, {});
  t.deepEqual(opened.daemon.told, [], "no ubus is nothing to tell");
  const first = await serveUbusd(socket);
  await until(() => opened.daemon.told.length > 0);
  t.deepEqual(opened.daemon.told, ["ubus_registered"]);
  t.true(first.ubusd.paths.includes("kcp-router"));

  const caller = new UbusClient({
    streams: nodeEngine.streams,
    path: socket,
    object: { path: "caller", signature: {}, handle: async () => ({ status: 3 }) },
    now: () => performance.now(),
  });
  caller.start();
  await until(() => caller.state === "registered");
  const { status, data } = await caller.call("kcp-router", "close_connection", { id: 1 });
  t.deepEqual([status, data], [0, [{ closed: 1 }]]);
  t.deepEqual(opened.daemon.closed, [1]);
  t.is(opened.daemon.looks, 0);
  caller.sendEvent("network.interface", { action: "ifup", interface: "wan" });
  caller.sendEvent("network.device", {});
  await until(() => opened.daemon.looks > 0);
  t.is(opened.daemon.looks, 1, "netifd's word counts at once");
  caller.close();

  await first.close();
  const second = await serveUbusd(socket);
  await until(() => opened.daemon.told.length > 2);
  t.true(second.ubusd.paths.includes("kcp-router"));
  t.deepEqual(opened.daemon.told, ["ubus_registered", "ubus_lost", "ubus_registered"]);
  if (opened.ok) opened.faces.close();
  await until(() => second.ubusd.paths.length === 0);
  await second.close();
});

test("events reach those who listen, but never flood them", async (t) => {
  const path = folder(t);
  const { ubusd, close } = await serveUbusd(join(path, "ubus.sock"));
  const opened = await open(t, path, {});
  await until(() => opened.daemon.told.includes("ubus_registered"));
  const events: Record<string, unknown>[] = [];
  ubusd.listen("kcp-router.*", (fields) => events.push(fields));
  const { faces } = opened as { readonly faces: Faces };
  const event = (sequence: number) =>
    faces.event({ sequence, time: START_TIME, level: "info", code: "link_up", message: "A link is up." });
  for (let sequence = 1; sequence <= MAX_EVENTS_PER_PERIOD + 5; sequence++) event(sequence);
  await until(() => events.length >= MAX_EVENTS_PER_PERIOD);
  await new Promise((resolve) => setImmediate(resolve));
  t.is(events.length, MAX_EVENTS_PER_PERIOD);
  t.like(events[0], { sequence: 1, code: "link_up", message: "A link is up." });
  await close();
});
