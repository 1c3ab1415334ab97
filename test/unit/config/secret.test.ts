import { inspect } from "node:util";
import test from "ava";
import { Secret } from "../../../router-daemon/src/config/secret.ts";
import { load, MINIMAL } from "./sources.ts";

const TEXT = "hunter2-Geheimnis";

test("a secret cannot be printed, whatever way is tried", (t) => {
  const secret = new Secret(TEXT);
  const ways = [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret, list: [secret] }),
    inspect(secret),
    inspect({ deep: { deeper: [secret] } }, { depth: 10, showHidden: true }),
    Object.values(secret).join(),
    JSON.stringify(Object.getOwnPropertyDescriptors(secret)),
    new Error(`bad ${secret}`).message,
  ];
  for (const way of ways) t.false(way.includes(TEXT), way);
  t.is(String(secret), "***");
  t.is(inspect(secret), "***");
  t.is(secret.reveal(), TEXT);
});

test("secrets are compared without being shown", (t) => {
  t.true(new Secret("a").equals(new Secret("a")));
  t.false(new Secret("a").equals(new Secret("b")));
  t.true(new Secret("").isEmpty);
});

test("a whole configuration can be printed without its secret", (t) => {
  const { config } = load([], MINIMAL);
  t.is(config?.network_secret.reveal(), "hunter2");
  t.false(inspect(config, { depth: 10 }).includes("hunter2"));
  t.false(JSON.stringify(config).includes("hunter2"));
});
