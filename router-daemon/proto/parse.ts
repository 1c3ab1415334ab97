/** Reads the part of proto3 that our files use. Anything else is an error that names the line. */

export interface ProtoField {
  readonly name: string;
  readonly number: number;
  /** As written, with package; of a map the type of its values. */
  readonly type: string;
  readonly label: "" | "optional" | "repeated" | "map";
  readonly oneof: string | undefined;
  readonly comment: readonly string[];
}

export interface ProtoMessage {
  /** Nested names are joined: `Outer.Inner` becomes `OuterInner`. */
  readonly name: string;
  readonly fields: ProtoField[];
  readonly comment: readonly string[];
}

export interface ProtoEnum {
  readonly name: string;
  readonly values: { readonly name: string; readonly number: number }[];
  readonly comment: readonly string[];
}

export interface ProtoFile {
  readonly messages: ProtoMessage[];
  readonly enums: ProtoEnum[];
}

type Scope =
  | { readonly kind: "message"; readonly message: ProtoMessage; readonly nested: Map<string, string> }
  | { readonly kind: "oneof"; readonly name: string; readonly message: ProtoMessage }
  | { readonly kind: "enum"; readonly item: ProtoEnum };

/** One statement per line is our style, and all that is understood. */
export function parseProto(text: string, fileName: string): ProtoFile {
  const file: ProtoFile = { messages: [], enums: [] };
  const scopes: Scope[] = [];
  let pending: string[] = [];
  for (const [at, line] of text.split("\n").entries()) {
    const statement = line.trim();
    if (statement.startsWith("//")) {
      pending.push(statement.slice(2).trim());
      continue;
    }
    const comment = pending;
    pending = [];
    if (statement === "" || /^(syntax|package|import) /.test(statement)) continue;
    if (!parseStatement(statement, comment, scopes, file)) {
      throw new SyntaxError(`${fileName}:${at + 1}: not understood: ${statement}`);
    }
  }
  if (scopes.length !== 0) throw new SyntaxError(`${fileName}: a brace is not closed.`);
  for (const message of file.messages) checkNumbers(message, fileName);
  return file;
}

function parseStatement(statement: string, comment: string[], scopes: Scope[], file: ProtoFile): boolean {
  const scope = scopes[scopes.length - 1];
  if (statement === "}") return scopes.pop() !== undefined;

  const opened = /^(message|enum|oneof) (\w+) \{(\})?$/.exec(statement);
  if (opened !== null) {
    const [, keyword, name, closed] = opened;
    const inner = open(keyword!, name!, comment, scope, file);
    if (inner === undefined) return false;
    if (closed === undefined) scopes.push(inner);
    return true;
  }

  if (scope?.kind === "enum") {
    const value = /^(\w+) = (\d+);$/.exec(statement);
    if (value === null) return false;
    scope.item.values.push({ name: value[1]!, number: Number(value[2]) });
    return true;
  }

  const field = /^(?:(optional|repeated) )?(?:map<uint32, ([\w.]+)>|([\w.]+)) (\w+) = (\d+);$/.exec(
    statement,
  );
  if (field === null || scope === undefined) return false;
  const [, label, mapValue, type, name, number] = field;
  if (label !== undefined && (mapValue !== undefined || scope.kind === "oneof")) return false;
  const nested = scope.kind === "message" ? scope.nested : undefined;
  scope.message.fields.push({
    name: name!,
    number: Number(number),
    type: nested?.get(type ?? "") ?? mapValue ?? type!,
    label: mapValue !== undefined ? "map" : ((label ?? "") as ProtoField["label"]),
    oneof: scope.kind === "oneof" ? scope.name : undefined,
    comment,
  });
  return true;
}

function open(
  keyword: string,
  name: string,
  comment: string[],
  scope: Scope | undefined,
  file: ProtoFile,
): Scope | undefined {
  if (keyword === "oneof") {
    return scope?.kind === "message" ? { kind: "oneof", name, message: scope.message } : undefined;
  }
  if (keyword === "enum") {
    if (scope !== undefined) return undefined;
    const item: ProtoEnum = { name, values: [], comment };
    file.enums.push(item);
    return { kind: "enum", item };
  }
  if (scope !== undefined && scope.kind !== "message") return undefined;
  const message: ProtoMessage = { name: `${scope?.message.name ?? ""}${name}`, fields: [], comment };
  scope?.nested.set(name, message.name);
  file.messages.push(message);
  return { kind: "message", message, nested: new Map() };
}

function checkNumbers(message: ProtoMessage, fileName: string): void {
  const numbers = new Set<number>();
  for (const field of message.fields) {
    const legal =
      field.number >= 1 && field.number < 2 ** 29 && !(field.number >= 19000 && field.number < 20000);
    if (!legal || numbers.has(field.number)) {
      throw new SyntaxError(
        `${fileName}: ${message.name}.${field.name}: number ${field.number} is taken or not allowed.`,
      );
    }
    numbers.add(field.number);
  }
}
