/**
 * A stand-in for what rpcd and uhttpd do between a browser and ubus (conventions.md 2.10, 3): sessions whose rights come from access
 * files, and JSON-RPC calls that are let through only with the right. Names in access files are patterns of the shell.
 */
import { UbusStatus } from "../../router-daemon/src/ubus/constants.ts";

export const NO_SESSION = "00000000000000000000000000000000";

/** Errors of the JSON-RPC front. */
export const RpcError = { parse: -32700, invalidParams: -32602, notFound: -32000, denied: -32002 } as const;

type Scope = Readonly<Record<string, readonly string[]>> | readonly string[];
type Rights = Readonly<Record<string, Scope>>;
/** A file of `/usr/share/rpcd/acl.d`. */
export type AccessFile = Readonly<
  Record<string, { readonly description?: string; readonly read?: Rights; readonly write?: Rights }>
>;

/** Groups that a login may read and write: `*`, names, patterns, `!` before what is excluded. */
export interface Login {
  readonly read: readonly string[];
  readonly write: readonly string[];
}

interface Grant {
  readonly scope: string;
  readonly object: string;
  readonly right: string;
}

/** What asks ubus on behalf of a session. */
export type AskUbus = (
  object: string,
  method: string,
  args: Readonly<Record<string, unknown>>,
) => Promise<{ readonly status: number; readonly data: readonly object[] }>;

export class Rpcd {
  readonly #files: readonly AccessFile[];
  readonly #sessions = new Map<string, readonly Grant[]>();
  readonly #ask: AskUbus;

  constructor(files: readonly AccessFile[], ask: AskUbus) {
    this.#files = files;
    this.#ask = ask;
  }

  /** Rights are copied into the session at login. */
  login({ read, write }: Login): string {
    const id = (this.#sessions.size + 1).toString(16).padStart(32, "0");
    const grants: Grant[] = [];
    for (const [group, entry] of this.#files.flatMap((file) => Object.entries(file))) {
      const writes = isListed(group, write);
      // Who may write may read.
      if (writes || isListed(group, read)) grants.push(...grantsOf(entry.read, "read"));
      if (writes) grants.push(...grantsOf(entry.write, "write"));
    }
    this.#sessions.set(id, grants);
    return id;
  }

  /** rpcd's `session.access`. */
  allows(session: string, scope: string, object: string, right: string): boolean {
    const grants = this.#sessions.get(session) ?? [];
    return grants.some(
      (grant) => grant.scope === scope && fits(grant.object, object) && fits(grant.right, right),
    );
  }

  /** `POST /ubus` with the method `call`. */
  async call(body: string): Promise<object> {
    let request: { readonly id?: unknown; readonly params?: readonly unknown[] };
    try {
      request = JSON.parse(body) as typeof request;
    } catch {
      return failure(null, RpcError.parse);
    }
    const [session, object, method, args] = request.params ?? [];
    if (typeof session !== "string" || typeof object !== "string" || typeof method !== "string") {
      return failure(request.id, RpcError.invalidParams);
    }
    const given = (args ?? {}) as Readonly<Record<string, unknown>>;
    if ("ubus_rpc_session" in given) return failure(request.id, RpcError.invalidParams);
    if (!this.allows(session, "ubus", object, method)) return failure(request.id, RpcError.denied);
    const { status, data } = await this.#ask(object, method, { ...given, ubus_rpc_session: session });
    if (status === UbusStatus.notFound) return failure(request.id, RpcError.notFound);
    return { jsonrpc: "2.0", id: request.id ?? null, result: [status, ...data] };
  }
}

/** A table names the functions of each object; of a list, the function is the name of the permission itself. */
function grantsOf(rights: Rights | undefined, permission: "read" | "write"): Grant[] {
  return Object.entries(rights ?? {}).flatMap(([scope, objects]) =>
    isNames(objects)
      ? objects.map((object) => ({ scope, object, right: permission }))
      : Object.entries(objects).flatMap(([object, names]) =>
          names.map((right) => ({ scope, object, right })),
        ),
  );
}

function isNames(objects: Scope): objects is readonly string[] {
  return Array.isArray(objects);
}

function isListed(group: string, patterns: readonly string[]): boolean {
  const excluded = patterns.some((pattern) => pattern.startsWith("!") && fits(pattern.slice(1), group));
  return !excluded && patterns.some((pattern) => !pattern.startsWith("!") && fits(pattern, group));
}

/** `*` any text, `?` any character. */
function fits(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "s").test(text);
}

function failure(id: unknown, code: number): object {
  return { jsonrpc: "2.0", id: id ?? null, error: { code, message: "" } };
}
