import test from "ava";
import { createHttpApp } from "../../../router-daemon/src/api/http.ts";
import { findMethod, METHOD_NAMES } from "../../../router-daemon/src/api/methods.ts";
import { FakeView } from "./fake-view.ts";

type Json = { readonly [key: string]: Json } & readonly Json[] & string;

async function document(): Promise<Json> {
  const response = await createHttpApp(new FakeView()).request("/api/v1/openapi.json");
  return (await response.json()) as Json;
}

/** Every object of the document, with where it stands. */
function* objects(value: unknown, path = "#"): Iterable<[string, Record<string, unknown>]> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield [path, value as Record<string, unknown>];
  for (const [key, item] of Object.entries(value)) yield* objects(item, `${path}/${key}`);
}

function at(root: unknown, pointer: string): unknown {
  return pointer
    .slice(2)
    .split("/")
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], root);
}

test("every method stands in it, those that read with GET too", async (t) => {
  const { openapi, paths } = await document();
  t.is<string, string>(openapi ?? "", "3.1.0");
  for (const name of METHOD_NAMES) {
    const item = paths?.[`/api/v1/${name}`];
    t.is<string | undefined, string | undefined>(item?.post?.summary, findMethod(name)?.doc);
    t.is(item?.get !== undefined, findMethod(name)?.access === "read", name);
    t.truthy(item?.post?.responses?.["200"], name);
  }
});

test("every reference leads somewhere, and every operation has a name of its own", async (t) => {
  const root = await document();
  const names = new Set<unknown>();
  for (const [path, object] of objects(root)) {
    if (typeof object.$ref === "string") t.not(at(root, object.$ref), undefined, `${path}: ${object.$ref}`);
    if (object.operationId === undefined) continue;
    t.false(names.has(object.operationId), `${object.operationId}`);
    names.add(object.operationId);
  }
});

test("arguments and answers are described as they are checked", async (t) => {
  const { components, paths } = await document();
  t.like(components?.schemas?.connections_arguments?.properties?.limit, {
    type: "integer",
    minimum: 1,
    maximum: 1000,
    default: 200,
  } as object);
  t.deepEqual<unknown, unknown>(components?.schemas?.close_connection_arguments?.required, ["id"]);
  t.like(components?.schemas?.Connection?.properties?.transport, {
    enum: ["tcp", "kcp", "quic"],
    description: "How the connection crosses the network.",
  } as object);
  t.like(components?.schemas?.Connection?.properties?.rttMs, {
    anyOf: [{ type: "number" }, { type: "null" }],
  } as object);
  const answer =
    paths?.["/api/v1/connections"]?.get?.responses?.["200"]?.content?.["application/json"]?.schema;
  t.deepEqual<unknown, unknown>(answer, { $ref: "#/components/schemas/ConnectionPage" });
});
