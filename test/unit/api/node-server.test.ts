import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer, type Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { MAX_API_CLIENTS, type ServeResult, serveApi } from "../../../router-daemon/src/api/node-server.ts";
import { FakeView } from "./fake-view.ts";

/** A folder of the test's own, gone when it ends. */
function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), "kcp-router-api-"));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function serve(t: ExecutionContext, path: string, view = new FakeView()): Promise<ServeResult> {
  const result = await serveApi(view, path);
  if (result.ok) t.teardown(() => result.server.close());
  return result;
}

function get(socketPath: string, path: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    call.on("error", reject);
    call.end();
  });
}

test("the socket is its owner's alone, answers, and is gone after closing", async (t) => {
  const path = join(folder(t), "api.sock");
  const result = await serveApi(new FakeView(), path);
  t.true(result.ok);
  t.is(statSync(path).mode & 0o777, 0o600);
  t.is((await get(path, "/api/v1/version")).status, 200);
  if (result.ok) await result.server.close();
  t.false(existsSync(path));
});

test("the process's mask for new files is as it was", async (t) => {
  const before = process.umask();
  await serve(t, join(folder(t), "api.sock"));
  t.is(process.umask(), before);
});

/** A socket file as a killed daemon leaves it: bound once, and nobody listens. */
async function leaveStaleSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.tmp`, resolve));
  // Node removes the file it bound; under its new name it stays.
  const { renameSync } = await import("node:fs");
  renameSync(`${path}.tmp`, path);
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

test("a socket left behind by a killed daemon is replaced", async (t) => {
  const path = join(folder(t), "api.sock");
  await leaveStaleSocket(path);
  t.true(statSync(path).isSocket());
  t.true((await serve(t, path)).ok);
  t.is((await get(path, "/api/v1/version")).status, 200);
});

test("a socket that is served is left alone, and the sentence says so", async (t) => {
  const path = join(folder(t), "api.sock");
  t.true((await serve(t, path)).ok);
  const second = await serve(t, path);
  t.deepEqual(second, {
    ok: false,
    message: `${path} is in use: a kcp-router is running already. Stop it first, or choose another rpc_socket.`,
  });
  t.is((await get(path, "/api/v1/version")).status, 200);
});

test("a server that accepts but never answers counts as in use", async (t) => {
  const path = join(folder(t), "api.sock");
  const silent: Server = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(path, resolve));
  t.teardown(() => silent.close());
  t.like(await serve(t, path), { ok: false });
  t.true(statSync(path).isSocket());
});

test("what is no socket is never removed", async (t) => {
  const path = join(folder(t), "api.sock");
  writeFileSync(path, "precious");
  const result = await serve(t, path);
  t.deepEqual(result, {
    ok: false,
    message: `${path} exists and is not a socket. Remove it, or choose another rpc_socket.`,
  });
  t.is(statSync(path).size, 8);
});

test("a socket that cannot be made gives one sentence with the remedy", async (t) => {
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
  if (process.getuid?.() === 0) t.true(denied.ok);
  else
    t.regex(
      denied.ok ? "" : denied.message,
      /permission denied\. Start as root, or choose another rpc_socket\.$/,
    );
});

test("garbage and half requests do not disturb others", async (t) => {
  const path = join(folder(t), "api.sock");
  await serve(t, path);
  const noise = [
    "\u0000\u0001\u0002\r\n\r\n",
    "GET",
    "POST /api/v1/reload HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
  ];
  const sockets = noise.map((text) => {
    const socket = new Socket();
    socket.on("error", () => {});
    socket.connect(path, () => socket.write(text));
    return socket;
  });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  t.is((await get(path, "/api/v1/version")).status, 200);
});

test("the number of clients at one time is bounded", async (t) => {
  const path = join(folder(t), "api.sock");
  const result = await serve(t, path);
  t.true(result.ok);
  const sockets: Socket[] = [];
  let cutOff = 0;
  await new Promise<void>((resolve) => {
    for (let at = 0; at < MAX_API_CLIENTS + 5; at++) {
      const socket = new Socket();
      socket.on("error", () => {});
      socket.on("close", () => {
        if (++cutOff === 5) resolve();
      });
      socket.connect(path);
      sockets.push(socket);
    }
  });
  t.is(cutOff, 5);
  for (const socket of sockets) socket.destroy();
});
