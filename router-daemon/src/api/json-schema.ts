import type * as v from "valibot";

/** JSON Schema, as OpenAPI 3.1 has it. */
export type JsonSchema = { readonly [key: string]: unknown };

/** The parts of valibot's schemas and actions that are looked at here. */
interface Node {
  readonly kind: "schema" | "validation" | "transformation" | "metadata";
  readonly type: string;
  readonly requirement?: unknown;
  readonly description?: string;
  readonly pipe?: readonly Node[];
  readonly wrapped?: Node;
  readonly default?: unknown;
  readonly item?: Node;
  readonly value?: Node;
  readonly entries?: Readonly<Record<string, Node>>;
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
}

/** Names of schemas that are referred to, by the schema. */
export type SchemaNames = ReadonlyMap<object, string>;

const NO_NAMES: SchemaNames = new Map();

/**
 * A schema of ours in JSON Schema's words. What has a name and lies inside is a reference to `#/components/schemas/NAME`.
 * Throws for kinds that the table does not use.
 */
export function jsonSchema(
  schema: v.GenericSchema<unknown, unknown>,
  names: SchemaNames = NO_NAMES,
): JsonSchema {
  return new Converter(names).convert(schema as unknown as Node);
}

/** A reference to a schema with a name, or the schema itself. */
export function jsonSchemaOrReference(
  schema: v.GenericSchema<unknown, unknown>,
  names: SchemaNames,
): JsonSchema {
  return new Converter(names).refer(schema as unknown as Node);
}

class Converter {
  readonly #names: SchemaNames;

  constructor(names: SchemaNames) {
    this.#names = names;
  }

  refer(node: Node): JsonSchema {
    const name = this.#names.get(node);
    return name === undefined ? this.convert(node) : { $ref: `#/components/schemas/${name}` };
  }

  convert(node: Node): JsonSchema {
    const [first, ...actions] = node.pipe ?? [node];
    const base = first === undefined ? {} : this.#convertType(first);
    return Object.assign(base, ...actions.map(convertAction)) as JsonSchema;
  }

  #convertType(node: Node): Record<string, unknown> {
    switch (node.type) {
      case "string":
      case "number":
      case "boolean":
        return { type: node.type };
      case "picklist":
        return { enum: node.options };
      case "literal":
        return { const: node.literal };
      case "array":
        return { type: "array", items: node.item === undefined ? {} : this.refer(node.item) };
      case "record":
        return {
          type: "object",
          additionalProperties: node.value === undefined ? true : this.refer(node.value),
        };
      case "strict_object":
        return this.#convertObject(node.entries ?? {});
      case "nullable":
        return { anyOf: [node.wrapped === undefined ? {} : this.refer(node.wrapped), { type: "null" }] };
      case "optional": {
        const inner = node.wrapped === undefined ? {} : this.refer(node.wrapped);
        return node.default === undefined ? { ...inner } : { ...inner, default: node.default };
      }
      default:
        throw new TypeError(`The API's schemas have no words for "${node.type}".`);
    }
  }

  #convertObject(entries: Readonly<Record<string, Node>>): Record<string, unknown> {
    const names = Object.keys(entries);
    return {
      type: "object",
      properties: Object.fromEntries(Object.entries(entries).map(([name, node]) => [name, this.refer(node)])),
      required: names.filter((name) => entries[name]?.type !== "optional"),
      additionalProperties: false,
    };
  }
}

function convertAction({ type, requirement, description }: Node): Record<string, unknown> {
  switch (type) {
    case "description":
      return description === "" ? {} : { description };
    case "integer":
    case "safe_integer":
      return { type: "integer" };
    case "min_value":
      return { minimum: requirement };
    case "max_value":
      return { maximum: requirement };
    case "max_length":
      return { maxLength: requirement };
    case "finite":
    case "readonly":
      return {};
    default:
      throw new TypeError(`The API's schemas have no words for "${type}".`);
  }
}
