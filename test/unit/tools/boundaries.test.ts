import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "ava";

/**
 * A rule that never fires looks like a rule that is kept. Violations are planted in a copy that holds nothing but the linter's
 * configuration, and each must be found, while what is allowed must pass.
 */
const ROOT = join(import.meta.dirname, "../../..");
const SRC = "router-daemon/src";

const VIOLATIONS: Readonly<Record<string, string>> = {
  [`${SRC}/wire/engine.ts`]: 'import { readFileSync } from "node:fs";\nexport const read = readFileSync;\n',
  [`${SRC}/wire/quickjs.ts`]: 'import { now } from "os";\nexport const time = now;\n',
  [`${SRC}/wire/host.ts`]: 'import { x } from "../host/host.ts";\nexport const y = x;\n',
  [`${SRC}/wire/again.ts`]: 'export { x } from "../tcp/stack.ts";\n',
  [`${SRC}/tcp/kcp.ts`]: 'import { x } from "../kcp/endpoint.ts";\nexport const y = x;\n',
  [`${SRC}/kcp/mesh.ts`]: 'import type { X } from "../mesh/node.ts";\nexport type Y = X;\n',
  [`${SRC}/kcp/quic.ts`]: 'import { x } from "../quic/endpoint.ts";\nexport const y = x;\n',
  [`${SRC}/quic/mesh.ts`]: 'import type { X } from "../mesh/node.ts";\nexport type Y = X;\n',
  [`${SRC}/quic/clock.ts`]: "export const clock = () => Date.now();\n",
  [`${SRC}/mesh/quic.ts`]: 'import { x } from "../quic/endpoint.ts";\nexport const y = x;\n',
  [`${SRC}/mesh/routes/proxy.ts`]: 'import { x } from "../../proxy/policy.ts";\nexport const y = x;\n',
  [`${SRC}/mesh/config.ts`]: 'import { x } from "../config/config.ts";\nexport const y = x;\n',
  [`${SRC}/proxy/api.ts`]: 'import type { X } from "../api/view.ts";\nexport type Y = X;\n',
  [`${SRC}/proxy/later.ts`]: 'export const later = () => import("node:net");\n',
  [`${SRC}/proxy/clock.ts`]: "export const clock = () => Date.now();\n",
  [`${SRC}/tcp/timer.ts`]: "export const timer = (wake: () => void) => setTimeout(wake, 1);\n",
  [`${SRC}/mesh/random.ts`]: "export const random = () => Math.random();\n",
  [`${SRC}/mesh/around.ts`]: "export const around = () => globalThis.performance.now();\n",
  [`${SRC}/kcp/print.ts`]: 'export const print = () => console.log("x");\n',
  [`${SRC}/wire/buffer.ts`]: "export const buffer = () => Buffer.alloc(1);\n",
  [`${SRC}/host/mesh.ts`]: 'import { x } from "../mesh/node.ts";\nexport const y = x;\n',
  [`${SRC}/http1/engine.ts`]: 'import { connect } from "node:net";\nexport const open = connect;\n',
  [`${SRC}/http1/streams.ts`]:
    'import { nodeStreams } from "../host/node/streams.ts";\nexport const streams = nodeStreams;\n',
  [`${SRC}/config/api.ts`]: 'import type { X } from "../api/view.ts";\nexport type Y = X;\n',
  [`${SRC}/config/mesh.ts`]: 'import { x } from "../mesh/node.ts";\nexport const y = x;\n',
  [`${SRC}/config/engine.ts`]: 'import { hostname } from "node:os";\nexport const name = hostname;\n',
  [`${SRC}/api/mesh.ts`]: 'import { x } from "../mesh/node.ts";\nexport const y = x;\n',
  [`${SRC}/cli/proxy.ts`]: 'import { x } from "../proxy/entry.ts";\nexport const y = x;\n',
  [`${SRC}/cli/daemon.ts`]: 'import { x } from "../daemon/daemon.ts";\nexport const y = x;\n',
  "router-daemon/kcp-ts/src/up.ts":
    'import { x } from "../../src/wire/peer-header.ts";\nexport const y = x;\n',
  "router-daemon/kcp-ts/src/random.ts": "export const random = Math.random;\n",
  "router-daemon/kcp-ts/src/engine.ts":
    'import { hrtime } from "node:process";\nexport const time = hrtime;\n',
};

const ALLOWED: Readonly<Record<string, string>> = {
  [`${SRC}/tcp/good.ts`]:
    'import { Kcp } from "kcp-ts";\nimport { x } from "../wire/tcp.ts";\nexport const y = [Kcp, x];\n',
  [`${SRC}/proxy/good.ts`]:
    'import { x } from "../mesh/node.ts";\nimport { z } from "../tcp/stack.ts";\nexport const y = [x, z];\n',
  [`${SRC}/quic/good.ts`]:
    'import { x } from "../kcp/types.ts";\nimport { z } from "kcp-ts/recovery";\nexport const y = [x, z];\n',
  [`${SRC}/config/uci/good.ts`]: 'import { x } from "../../wire/udp-url.ts";\nexport const y = x;\n',
  [`${SRC}/http1/good.ts`]:
    'import type { Streams } from "../host/streams.ts";\nexport type Where = Streams;\n',
  [`${SRC}/api/good.ts`]: 'import { x } from "../config/config.ts";\nexport const y = x;\n',
  [`${SRC}/cli/kcp-router.ts`]: 'import { x } from "../daemon/node-run.ts";\nexport const y = x;\n',
  [`${SRC}/host/node/good.ts`]:
    'import { hostname } from "node:os";\nimport { x } from "kcp-ts";\nexport const y = [hostname, x];\n',
  [`${SRC}/daemon/good.ts`]:
    'import { x } from "../mesh/node.ts";\nexport const y = x;\nexport const now = () => Date.now();\n',
  "router-daemon/kcp-ts/src/good.ts": 'import { x } from "./pool.ts";\nexport const y = Math.max(x, 1);\n',
};

test("every planted violation of the import boundaries and of sans-IO is found, and nothing else", (t) => {
  const copy = mkdtempSync(join(tmpdir(), "kcp-router-boundaries-"));
  t.teardown(() => rmSync(copy, { recursive: true, force: true }));
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    writeFileSync(join(copy, path), text);
  };
  for (const [path, text] of Object.entries({ ...VIOLATIONS, ...ALLOWED })) put(path, text);
  put(".gitignore", "");
  for (const path of ["biome.json", "tools/no-random.grit"]) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    copyFileSync(join(ROOT, path), join(copy, path));
  }
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));

  const biome = join(ROOT, "node_modules/.bin/biome");
  const args = ["lint", "--vcs-enabled=false", "--reporter=json", "--max-diagnostics=500", "router-daemon"];
  const { stdout, stderr } = spawnSync(biome, args, { cwd: copy, encoding: "utf8" });
  const report = JSON.parse(stdout) as {
    diagnostics: { severity: string; category: string; location: { path: string | { file: string } } }[];
  };
  const found = report.diagnostics
    .filter((diagnostic) => diagnostic.severity === "error")
    .map(({ location }) => (typeof location.path === "string" ? location.path : location.path.file));
  t.deepEqual([...new Set(found)].sort(), Object.keys(VIOLATIONS).sort(), stderr);
});
