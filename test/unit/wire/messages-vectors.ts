/** Reads the protobuf-JSON of the vector files into what `encode` takes, and hex. */
import { readFileSync } from "node:fs";
import { encode } from "../../../router-daemon/src/wire/messages/encode.ts";
import * as gen from "../../../router-daemon/src/wire/messages/gen/messages.ts";
import type { AnySchema, Field } from "../../../router-daemon/src/wire/messages/schema.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** Our names of the messages that are called otherwise in the reference. */
const RENAMED: Readonly<Record<string, string>> = {
  "error.Error": "RpcError",
};

export function readVectors(name: string): JsonObject {
  return JSON.parse(readFileSync(new URL(`../../vectors/${name}`, import.meta.url), "utf8")) as JsonObject;
}

/** The schema of "package.Message", or undefined when our files do not have it. */
export function schemaOf(fullName: string): AnySchema | undefined {
  const name = RENAMED[fullName] ?? fullName.slice(fullName.indexOf(".") + 1).replace(/\./g, "");
  const found = (gen as Readonly<Record<string, unknown>>)[name];
  return found !== undefined && "byNumber" in (found as object) ? (found as AnySchema) : undefined;
}

/** Protobuf JSON (original field names, 64-bit numbers as decimal strings, bytes as base64) as a message. */
export function fromJson(schema: AnySchema, json: JsonObject): Record<string, unknown> {
  const message: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(json)) {
    const name = key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    const field = schema.fields.find((candidate) => candidate.name === name);
    if (field === undefined) throw new Error(`${schema.name} has no field ${key}.`);
    message[name] = fieldFromJson(schema, field, value);
  }
  return message;
}

function fieldFromJson(schema: AnySchema, field: Field, value: Json): unknown {
  if (field.shape === "map") {
    return new Map(
      Object.entries(value as JsonObject).map(([key, inner]) => [
        Number(key),
        fromJson(field.message!, inner as JsonObject),
      ]),
    );
  }
  if (field.shape === "repeated") {
    return (value as Json[]).map((item) => {
      // Announcements are kept as bytes in our schema.
      if (schema.name === "RoutePeerInfos")
        return encode(gen.RoutePeerInfo, fromJson(gen.RoutePeerInfo, item as JsonObject));
      return valueFromJson(field, item);
    });
  }
  return valueFromJson(field, value);
}

function valueFromJson(field: Field, value: Json): unknown {
  if (field.message?.name === "Timestamp" && typeof value === "string") {
    return { seconds: BigInt(Date.parse(value) / 1000), nanos: 0 };
  }
  if (field.type === "message") return fromJson(field.message!, value as JsonObject);
  if (field.type === "bytes") return new Uint8Array(Buffer.from(value as string, "base64"));
  if (field.type === "uint64" || field.type === "int64") return BigInt(value as string);
  return value;
}

export function hexBytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

export function bytesHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** A message with its defaults and absent members taken away, for comparison. */
export function withoutDefaults(value: unknown): unknown {
  if (value instanceof Uint8Array) return bytesHex(value);
  if (value instanceof Map) {
    return new Map([...value].map(([key, inner]) => [key, withoutDefaults(inner)]));
  }
  if (Array.isArray(value)) return value.map(withoutDefaults);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(
    ([, member]) =>
      member !== undefined &&
      member !== 0 &&
      member !== 0n &&
      member !== "" &&
      member !== false &&
      !(Array.isArray(member) && member.length === 0) &&
      !(member instanceof Map && member.size === 0) &&
      !(member instanceof Uint8Array && member.length === 0),
  );
  return Object.fromEntries(kept.map(([key, member]) => [key, withoutDefaults(member)]));
}
