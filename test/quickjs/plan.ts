/** Which tests run inside QuickJS: all of the unit, property and vector tests, but for those that are about something else. */
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { ROOT } from "../netns/paths.ts";

const FOLDERS = ["test/unit", "router-daemon/kcp-ts/test", "test/quickjs/suites"];

/** Files that do not run inside, and why. */
const OUTSIDE: Readonly<Record<string, string>> = {
  "router-daemon/kcp-ts/test/readme.test.ts": "runs the README's example in Node",
  "test/unit/cli/convert.test.ts": "runs the program on Node",
  "test/unit/cli/program.test.ts": "runs the program on Node",
  "test/unit/config/secret.test.ts": "is about what Node prints",
  "test/unit/daemon/api-server.test.ts": "the suite runs in suites/streams.ts",
  "test/unit/daemon/faces.test.ts": "is about servers in Node",
  "test/unit/host/node-addon.test.ts": "is about Node's addon",
  "test/unit/host/node-ciphers.test.ts": "is about Node's addon",
  "test/unit/host/node-streams.test.ts": "the suite runs in suites/streams.ts",
  "test/unit/host/node-without-offload.test.ts": "is about Node's addon",
  "test/unit/host/node.test.ts": "the suite runs in suites/host.ts",
  "test/unit/host/tun.test.ts": "makes namespaces and starts processes",
  "test/unit/tcp/kernel.test.ts": "makes namespaces and starts processes",
};
/** Our tools run in Node and nowhere else. */
const TOOLS = "test/unit/tools/";

/** Files that take an interpreter seconds: left out where time is short. */
const SLOW: readonly string[] = [
  "router-daemon/kcp-ts/test/congestion.test.ts",
  "router-daemon/kcp-ts/test/property.test.ts",
  "router-daemon/kcp-ts/test/simulation.test.ts",
  "test/unit/kcp/fuzz.test.ts",
  "test/unit/kcp/mix.test.ts",
  "test/unit/kcp/sharing.test.ts",
  "test/unit/kcp/stock-stories.test.ts",
  "test/unit/mesh/links-accept.test.ts",
  "test/unit/mesh/links.test.ts",
  "test/unit/mesh/node-fuzz.test.ts",
  "test/unit/mesh/routes-limits.test.ts",
  "test/unit/mesh/routes.test.ts",
  "test/unit/mesh/rpc.test.ts",
  "test/unit/quic/congestion.test.ts",
  "test/unit/quic/stories.test.ts",
  "test/unit/tcp/sending.test.ts",
];

/** Tests that QuickJS cannot pass, and why. */
const IMPOSSIBLE: Readonly<Record<string, string>> = {
  "tables too deep and fields too many are refused; so are the ones we would write":
    "the naive twin recurses deeper than the engine's stack",
};

export function reasonImpossible(title: string): string | undefined {
  return IMPOSSIBLE[title];
}

/** Every file that can run inside. */
export function allFiles(): readonly string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(ROOT, join(entry.parentPath, entry.name))),
  )
    .filter((file) => file.endsWith(".test.ts") || file.startsWith("test/quickjs/suites/"))
    .filter((file) => OUTSIDE[file] === undefined && !file.startsWith(TOOLS))
    .sort();
}

export function quickFiles(): readonly string[] {
  return allFiles().filter((file) => !SLOW.includes(file));
}

/**
 * For a machine whose words are the other way round and whose numbers are half as wide: codecs, tables and vectors, in which such
 * mistakes would be; stories and bytes among them are left out.
 */
export function wordFiles(): readonly string[] {
  const folders = /^(test\/unit\/(wire|kcp|tcp|quic|mesh|ubus)|router-daemon\/kcp-ts\/test)\//;
  const names =
    /(vectors|captures|codecs|checksum|segment|messages|header|tunnel|ip|siphash|utf8|tables?|blobmsg|handshake|receiving|traces|parser)\.test\.ts$/;
  const others = /(tcp\/handshake|kcp\/state-table|wire\/utf8)\.test\.ts$/;
  return quickFiles().filter((file) => folders.test(file) && names.test(file) && !others.test(file));
}
