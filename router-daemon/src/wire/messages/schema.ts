/** The field tables that `gen/messages.ts` consists of, and the types that follow from them. */

export type Scalar = "uint32" | "int32" | "uint64" | "int64" | "bool" | "string" | "bytes";

/** `T` = left out when zero, `T?` = explicit presence, `T[]` = repeated; `message` has presence; `map` = map<uint32, message>. */
type Kind = Scalar | `${Scalar}?` | `${Scalar}[]` | "message" | "message[]" | "map";

/** [number, name, kind, schema of the inner message, number of its oneof group from 1]. */
export type FieldRow = readonly [
  number: number,
  name: string,
  kind: Kind,
  message?: AnySchema | undefined,
  oneof?: number,
];

export interface Field {
  readonly number: number;
  readonly name: string;
  /** The scalar, or "message" (also the value of a map). */
  readonly type: Scalar | "message";
  readonly shape: "implicit" | "optional" | "repeated" | "map";
  readonly message: AnySchema | undefined;
  /** Other members of the same oneof: setting this field unsets them. */
  readonly siblings: readonly string[];
}

/** What `encode` and `decode` read; `T` is the decoded form. */
export interface Schema<T> {
  readonly name: string;
  /** Ascending numbers. */
  readonly fields: readonly Field[];
  readonly byNumber: ReadonlyMap<number, Field>;
  /** Never set: binds the type. */
  readonly type?: T;
}

/** A schema whose decoded form does not matter. */
export type AnySchema = Schema<unknown>;

/** What may be encoded as `T`: everything is optional, at every depth. */
export type Init<T> = { readonly [K in keyof T]?: InitValue<T[K]> | undefined };
type InitValue<V> = V extends string | number | bigint | boolean | Uint8Array | undefined
  ? V
  : V extends readonly (infer E)[]
    ? readonly InitValue<E>[]
    : V extends ReadonlyMap<number, infer E>
      ? ReadonlyMap<number, InitValue<E>>
      : Init<V>;

export function schema<T>(name: string, rows: readonly FieldRow[]): Schema<T> {
  const fields = rows.map(([number, fieldName, kind, message, oneof]): Field => {
    const siblings = rows.filter((row) => oneof !== undefined && row[4] === oneof && row[1] !== fieldName);
    return {
      number,
      name: fieldName,
      type: kind === "map" ? "message" : (kind.replace(/\?|\[\]/, "") as Scalar | "message"),
      shape:
        kind === "map"
          ? "map"
          : kind.endsWith("[]")
            ? "repeated"
            : kind.endsWith("?") || kind === "message"
              ? "optional"
              : "implicit",
      message,
      siblings: siblings.map((row) => row[1]),
    };
  });
  return { name, fields, byNumber: new Map(fields.map((field) => [field.number, field])) };
}
