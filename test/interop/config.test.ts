/** The TOML that `kcp-router export` writes, read by the real EasyTier core. Nothing is started. */
import { spawnSync } from "node:child_process";
import test from "ava";
import fc from "fast-check";
import { exportToml } from "../../router-daemon/src/config/toml-writer.ts";
import { WRITTEN } from "../unit/config/generators.ts";
import { PYTHON, prepareEasyTier } from "./peer/easytier-peer.ts";

/** Makes a node of each text on standard input, and prints those that were refused. */
const READER = `
import json, sys
from easytier_pyo3 import Node
refused = []
for text in json.load(sys.stdin):
    try:
        Node(text)
    except Exception as error:
        refused.append([text, str(error)])
print(json.dumps(refused))
`;

test("EasyTier takes every configuration that is exported, with the secret and without", async (t) => {
  const missing = await prepareEasyTier();
  if (missing !== undefined) {
    t.log(`skipped: ${missing}`);
    t.pass();
    return;
  }
  const texts = fc
    .sample(WRITTEN, { numRuns: 50 })
    .flatMap((written) => [true, false].map((secrets) => exportToml(written, { secrets })));
  const { stdout, stderr } = spawnSync(PYTHON, ["-c", READER], {
    input: JSON.stringify(texts),
    encoding: "utf8",
  });
  t.deepEqual(stdout.trim() === "" ? stderr : JSON.parse(stdout), []);
});
