import test from "ava";
import {
  loopbackKind,
  optionalPathKind,
  parseLoopback,
} from "../../../router-daemon/src/config/api-kinds.ts";
import { DEFAULTS } from "../../../router-daemon/src/config/config.ts";
import { checkToml } from "../../../router-daemon/src/config/load.ts";
import { served } from "../../../router-daemon/src/daemon/settings.ts";
import { MINIMAL } from "./sources.ts";

test("the API is served on addresses of the loopback only", (t) => {
  t.deepEqual(parseLoopback("127.0.0.1:15888"), { ipv4: "127.0.0.1", port: 15888 });
  t.deepEqual(parseLoopback("127.255.0.9:1"), { ipv4: "127.255.0.9", port: 1 });
  t.true(loopbackKind.parse("", "uci").ok, "nothing switches it off");
  for (const text of [
    "0.0.0.0:15888",
    "192.168.1.1:15888",
    "127.0.0.1",
    "127.0.0.1:0",
    "127.0.0.1:65536",
    "127.0.0.256:80",
    "127.0.0.1:80 ",
    "[::1]:80",
    "localhost:80",
    "15888",
  ]) {
    const parsed = loopbackKind.parse(text, "flag");
    t.regex(
      parsed.ok ? "taken" : parsed.text,
      /allowed is a loopback address with a port like 127\.0\.0\.1:15888, or nothing\./,
      text,
    );
  }
});

test("a path may be left out where it is not wanted", (t) => {
  t.true(optionalPathKind.parse("", "uci").ok);
  t.true(optionalPathKind.parse("/etc/tokens", "flag").ok);
  for (const value of ["tokens", "/etc/", 5, true]) t.false(optionalPathKind.parse(value, "typed").ok);
});

test("who wants it over TCP names the tokens, and peers cannot reach its port", (t) => {
  const problems = (own: string) =>
    checkToml(`${MINIMAL}\n[kcp_router]\n${own}\n`, "a.toml", { systemHostname: "box" });
  const errors = problems('rpc_listen = "127.0.0.1:15888"').filter(({ severity }) => severity === "error");
  t.deepEqual(
    errors.map(({ key }) => key),
    ["rpc_token_file"],
  );
  const whole = problems('rpc_listen = "127.0.0.1:15888"\nrpc_token_file = "/etc/tokens"');
  t.true(whole.every(({ severity }) => severity !== "error"));

  const config = { ...DEFAULTS, ipv4: { address: 1, prefixLength: 24 } };
  t.deepEqual(served(config, []).protectedPorts, []);
  t.deepEqual(served({ ...config, rpc_listen: "127.0.0.1:15888" }, []).protectedPorts, [15888]);
});
