/**
 * Writes `src/wire/messages/gen/messages.ts` from the .proto files beside this one: an interface and a field table per
 * message. The tables are read by `src/wire/messages/{encode,decode}.ts`.
 *
 *     tsx router-daemon/proto/generate.ts            write
 *     tsx router-daemon/proto/generate.ts --check    exit 1 when the written file is not what would be written
 *
 * It understands the part of proto3 that the files use and refuses the rest by name: scalars of varint kind, string, bytes,
 * enum, message, oneof, optional, repeated, map<uint32, Message>, nested messages. Messages may not contain themselves, so
 * that nesting on the wire is bounded by the schema.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type ProtoEnum, type ProtoField, type ProtoMessage, parseProto } from "./parse.ts";

const FILES = ["common.proto", "peer_rpc.proto"];
const OUTPUT = "../src/wire/messages/gen/messages.ts";

const TYPES: Readonly<Record<string, string>> = {
  uint32: "number",
  int32: "number",
  uint64: "bigint",
  int64: "bigint",
  bool: "boolean",
  string: "string",
  bytes: "Uint8Array",
};

/** The text of the generated file. */
export function generate(): string {
  const messages: ProtoMessage[] = [];
  const enums: ProtoEnum[] = [];
  for (const name of FILES) {
    const file = parseProto(readFileSync(new URL(name, import.meta.url), "utf8"), name);
    messages.push(...file.messages);
    enums.push(...file.enums);
  }
  const byName = new Map(messages.map((message) => [message.name, message]));
  const enumNames = new Set(enums.map((item) => item.name));
  if (byName.size !== messages.length) throw new Error("Two messages have the same name.");
  const ordered = dependenciesFirst(messages, byName);
  return [
    "// Written by proto/generate.ts from proto/*.proto. Change those and run it again.",
    `import { type Schema, schema } from "../schema.ts";`,
    ...enums.map(enumText),
    ...ordered.map((message) => messageText(message, byName, enumNames)),
  ]
    .join("\n\n")
    .concat("\n");
}

function enumText(item: ProtoEnum): string {
  const prefix = `${item.name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase()}_`;
  const values = item.values.map(({ name, number }) => {
    if (!name.startsWith(prefix)) throw new Error(`${name} should begin with ${prefix}.`);
    return `  ${camelCase(name.slice(prefix.length).toLowerCase())}: ${number},`;
  });
  return `${comment(item.comment, "")}export const ${item.name} = {\n${values.join("\n")}\n} as const;`;
}

function messageText(message: ProtoMessage, byName: Map<string, ProtoMessage>, enums: Set<string>): string {
  const kinds = message.fields.map((field) => fieldKind(field, byName, enums));
  const members = message.fields.map((field, at) => {
    const optional = kinds[at]!.optional;
    const mark = optional ? "?" : "";
    const type = optional ? `${kinds[at]!.type} | undefined` : kinds[at]!.type;
    return `${comment(field.comment, "  ")}  readonly ${camelCase(field.name)}${mark}: ${type};`;
  });
  const groups = [...new Set(message.fields.flatMap((field) => field.oneof ?? []))];
  const rows = message.fields
    .map((field, at) => ({ field, kind: kinds[at]! }))
    .sort((a, b) => a.field.number - b.field.number)
    .map(({ field, kind }) => {
      const row = [`${field.number}`, JSON.stringify(camelCase(field.name)), JSON.stringify(kind.wire)];
      if (kind.message !== undefined || field.oneof !== undefined) row.push(kind.message ?? "undefined");
      if (field.oneof !== undefined) row.push(`${groups.indexOf(field.oneof) + 1}`);
      return `  [${row.join(", ")}],`;
    });
  const body = members.length === 0 ? "{}" : `{\n${members.join("\n")}\n}`;
  const table = rows.length === 0 ? "[]" : `[\n${rows.join("\n")}\n]`;
  // An empty interface would accept any value: a record without members does not.
  const type =
    members.length === 0
      ? `export type ${message.name} = Readonly<Record<never, never>>;`
      : `export interface ${message.name} ${body}`;
  return `${comment(message.comment, "")}${type}\nexport const ${message.name}: Schema<${message.name}> = /* @__PURE__ */ schema("${message.name}", ${table});`;
}

interface Kind {
  readonly type: string;
  readonly wire: string;
  readonly optional: boolean;
  readonly message?: string;
}

function fieldKind(field: ProtoField, byName: Map<string, ProtoMessage>, enums: Set<string>): Kind {
  const bare = field.type.slice(field.type.lastIndexOf(".") + 1);
  const scalar = enums.has(bare) ? "int32" : field.type;
  const type = TYPES[scalar];
  if (field.label === "map") {
    if (!byName.has(bare)) throw new Error(`${field.name}: a map's values must be messages.`);
    return { type: `ReadonlyMap<number, ${bare}>`, wire: "map", optional: false, message: bare };
  }
  if (type === undefined) {
    if (!byName.has(bare)) throw new Error(`${field.name}: unknown type ${field.type}.`);
    if (field.label === "repeated")
      return { type: `readonly ${bare}[]`, wire: "message[]", optional: false, message: bare };
    return { type: bare, wire: "message", optional: true, message: bare };
  }
  if (field.label === "repeated") return { type: `readonly ${type}[]`, wire: `${scalar}[]`, optional: false };
  if (field.label === "optional" || field.oneof !== undefined)
    return { type, wire: `${scalar}?`, optional: true };
  return { type, wire: scalar, optional: false };
}

/** Messages ordered so that each comes after those it contains; throws when one contains itself. */
function dependenciesFirst(
  messages: readonly ProtoMessage[],
  byName: Map<string, ProtoMessage>,
): ProtoMessage[] {
  const ordered: ProtoMessage[] = [];
  const state = new Map<string, "open" | "done">();
  const visit = (message: ProtoMessage): void => {
    if (state.get(message.name) === "done") return;
    if (state.get(message.name) === "open") throw new Error(`${message.name} contains itself.`);
    state.set(message.name, "open");
    for (const field of message.fields) {
      const inner = byName.get(field.type.slice(field.type.lastIndexOf(".") + 1));
      if (inner !== undefined) visit(inner);
    }
    state.set(message.name, "done");
    ordered.push(message);
  };
  for (const message of messages) visit(message);
  return ordered;
}

function comment(lines: readonly string[], indent: string): string {
  if (lines.length === 0) return "";
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`).join("\n")}\n${indent} */\n`;
}

function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const output = new URL(OUTPUT, import.meta.url);
  const text = generate();
  if (!process.argv.includes("--check")) writeFileSync(output, text);
  else if (readFileSync(output, "utf8") !== text) {
    console.error("The generated messages are not current: run `tsx router-daemon/proto/generate.ts`.");
    process.exitCode = 1;
  }
}
