import { existsSync, mkdtempSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { serveApi } from "../../../router-daemon/src/daemon/api-server.ts";
import { nodeEngine } from "../../../router-daemon/src/daemon/node-run.ts";
import { FakeView } from "../api/fake-view.ts";
import { StreamEnd } from "../host/stream-end.ts";
import { apiServerSuite } from "./api-server-suite.ts";

async function leaveStaleSocket(path: string): Promise<void> {
  const address = { unix: `${path}.tmp` };
  const listener = await nodeEngine.streams.listen(address, { maxClients: 1 }, () => new StreamEnd());
  // What is removed is the file it bound; under its new name it stays.
  renameSync(address.unix, path);
  if (listener.ok) listener.close();
}

apiServerSuite({ name: "Node", engine: nodeEngine, leaveStaleSocket });

test("a link is not followed: what it leads to stays", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "kcp-router-api-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "stale.sock");
  await leaveStaleSocket(path);
  symlinkSync(path, `${path}.link`);
  t.deepEqual(await serveApi(new FakeView(), nodeEngine, `${path}.link`), {
    ok: false,
    message: `${path}.link exists and is not a socket. Remove it, or choose another rpc_socket.`,
  });
  t.true(existsSync(path));
});
