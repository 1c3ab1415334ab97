import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { nodeStreams } from "../../../router-daemon/src/host/node/streams.ts";
import { StreamEnd } from "./stream-end.ts";
import { streamsConformance } from "./streams-conformance.ts";

streamsConformance("Node", nodeStreams);

test("the process's mask for new files is as it was", async (t) => {
  const path = mkdtempSync(join(tmpdir(), "kcp-router-streams-"));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  const before = process.umask();
  const address = { unix: join(path, "s.sock") };
  const listener = await nodeStreams.listen(address, { maxClients: 1 }, () => new StreamEnd());
  if (listener.ok) listener.close();
  t.is(process.umask(), before);
});
