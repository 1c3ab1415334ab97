/** `import` and `export`: what is printed, what is written, and that a file is replaced whole. */
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { replaceFile } from "../../../router-daemon/src/cli/node-replace.ts";
import { DEFAULT_UCI_FILE } from "../../../router-daemon/src/config/uci/sections.ts";
import { FakeView } from "../api/fake-view.ts";
import { MINIMAL } from "../config/sources.ts";
import { FakeTerminal } from "./fake-io.ts";

function terminal(files: Readonly<Record<string, string>>): FakeTerminal {
  const shell = new FakeTerminal(new FakeView());
  shell.files = files;
  return shell;
}

const UCI =
  "config network 'network'\n\toption ipv4 '10.126.126.1/24'\n\toption secret 'hunter2'\n\toption mtu '1300'\nconfig listener\n\toption uri '11010'\n";

test("import prints the uci file, and what it left out beside it", async (t) => {
  const shell = terminal({ "a.toml": `listeners = ["tcp://0.0.0.0:1", "udp"]\n${MINIMAL}` });
  t.is(await shell.run("import", "a.toml"), 0);
  t.regex(shell.stdout, /^\nconfig network 'network'\n\toption name 'lab'\n\toption secret 'hunter2'\n/);
  t.regex(shell.stderr, /^left out: a\.toml, listeners number 1: "tcp:\/\/0\.0\.0\.0:1" was found/);
  t.false(shell.stderr.includes("hunter2"));
  t.deepEqual(shell.written, {});
});

test("what is imported but not complete is printed with what is missing, status 1", async (t) => {
  const shell = terminal({ "a.toml": "dhcp = true" });
  t.is(await shell.run("import", "a.toml"), 1);
  t.regex(shell.stdout, /config network/);
  t.regex(shell.stderr, /left out: a\.toml, dhcp: .*\nerror: ipv4 is missing/);
});

test("import --write puts it into the file that is there, or makes it", async (t) => {
  const shell = terminal({ "a.toml": MINIMAL, [DEFAULT_UCI_FILE]: UCI });
  t.is(await shell.run("import", "a.toml", "--write"), 0);
  t.regex(
    shell.written[DEFAULT_UCI_FILE] ?? "",
    /option secret 'hunter2'\n\toption mtu '1300'\n\toption name 'lab'/,
  );
  t.regex(shell.stdout, /is written\. To put it in force: \/etc\/init\.d\/kcp-router reload/);
  t.is(await shell.run("import", "--write", "--uci", "/tmp/new", "a.toml"), 0);
  t.regex(shell.written["/tmp/new"] ?? "", /option name 'lab'/);
});

test("import --write writes nothing that is not valid, and says when it cannot", async (t) => {
  const shell = terminal({ "a.toml": MINIMAL, "b.toml": "dhcp = true", "/tmp/broken": "optoin" });
  t.is(await shell.run("import", "b.toml", "--write"), 1);
  t.regex(shell.stderr, /\/etc\/config\/kcp-router stays as it is/);
  t.is(await shell.run("import", "a.toml", "--write", "--uci", "/tmp/broken"), 1);
  t.regex(shell.stderr, /error: \/tmp\/broken, line 1, column 1: A line begins with/);
  t.deepEqual(shell.written, {});
  t.is(await shell.run("import", "a.toml", "--write", "--uci", "/read-only/x"), 1);
  t.regex(shell.stderr, /\/read-only\/x stays as it is: permission denied/);
});

test("import asks for one file that it can read", async (t) => {
  const shell = terminal({ "a.toml": MINIMAL });
  t.is(await shell.run("import"), 2);
  t.regex(shell.stderr, /The name of a TOML file is missing/);
  t.is(await shell.run("import", "a.toml", "b.toml"), 2);
  t.is(await shell.run("import", "a.toml", "--uci", "/tmp/x"), 2);
  t.regex(shell.stderr, /Add --write/);
  t.is(await shell.run("import", "no.toml"), 1);
  t.regex(shell.stderr, /no\.toml: The file cannot be read: there is no such file/);
});

test("export prints TOML without the secret, unless it is asked for", async (t) => {
  const shell = terminal({ [DEFAULT_UCI_FILE]: UCI, "/tmp/other": UCI.replace("1300", "1200") });
  t.is(await shell.run("export"), 0);
  t.is(
    shell.stdout,
    `# The network's secret is left out.
ipv4 = "10.126.126.1/24"

[network_identity]
network_name = "default"

[flags]
mtu = 1300
`,
  );
  t.is(await shell.run("export", "--with-secrets", "--uci", "/tmp/other"), 0);
  t.regex(shell.stdout, /^network_secret = "hunter2"$/m);
  t.regex(shell.stdout, /^mtu = 1200$/m);
  t.is(await shell.run("export", "-c", "/tmp/none"), 1);
  t.is(shell.stdout, "");
});

test("a service that is switched off does not run", async (t) => {
  const shell = terminal({ [DEFAULT_UCI_FILE]: UCI.replace("option mtu '1300'", "option enabled '0'") });
  let ran = false;
  shell.runDaemon = async () => {
    ran = true;
    return { ok: true };
  };
  t.is(await shell.run("run"), 0);
  t.false(ran);
  t.regex(shell.stderr, /switched off in its configuration/);
  t.is(await shell.run("check"), 0);
});

test("commands ask the daemon that the uci file names", async (t) => {
  const socket = "config daemon\n\toption rpc_socket '/tmp/k.sock'\n";
  const shell = terminal({ [DEFAULT_UCI_FILE]: socket, "/tmp/other": socket.replace("/k.", "/other.") });
  await shell.run("node");
  await shell.run("node", "--uci", "/tmp/other");
  await shell.run("node", "--socket", "/tmp/third.sock");
  t.deepEqual(shell.asked, ["/tmp/k.sock node", "/tmp/other.sock node", "/tmp/third.sock node"]);
});

// ── the file on the disk ────────────────────────────────────────────────────────────────────────────────────────────

test("a file is replaced whole, by one that only its owner may read", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "kcp-router-replace-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "config");
  writeFileSync(path, "old");
  chmodSync(path, 0o644);
  // A leftover that everyone may read must not hand on its mode.
  writeFileSync(`${path}.new`, "leftover", { mode: 0o666 });
  symlinkSync(path, join(folder, "link"));

  t.is(replaceFile(join(folder, "link"), "new\n"), undefined);
  t.is(readFileSync(path, "utf8"), "new\n");
  t.is(statSync(path).mode & 0o777, 0o600);
  t.deepEqual(readdirSync(folder).sort(), ["config", "link"]);

  t.regex(replaceFile(join(folder, "none/config"), "x") ?? "", /no such file/);
});
