/** rpcd's access control for two accounts, from the very file that the package installs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../../..");
const GROUP = "luci-app-kcp-router";

type Scope = Readonly<Record<string, readonly string[] | Readonly<Record<string, readonly string[]>>>>;
interface Group {
  readonly read?: Scope;
  readonly write?: Scope;
}

/** What LuCI itself grants to every account that may log in (its base package's file). */
const BASE: Group = {
  read: { ubus: { uci: ["changes", "get"], "luci-rpc": ["getHostHints"] } },
  write: { ubus: { uci: ["add", "apply", "confirm", "delete", "order", "set"] } },
};

export class Access {
  readonly #groups: readonly Group[];

  constructor() {
    const file = join(ROOT, `luci-app/root/usr/share/rpcd/acl.d/${GROUP}.json`);
    const own = (JSON.parse(readFileSync(file, "utf8")) as Record<string, Group>)[GROUP];
    if (own === undefined) throw new Error(`${file} has no group ${GROUP}.`);
    this.#groups = [BASE, own];
  }

  /** May an account call this method? Writing includes what reading allows. */
  mayCall(writable: boolean, object: string, method: string): boolean {
    return this.#groups.some(
      ({ read, write }) => allows(read, object, method) || (writable && allows(write, object, method)),
    );
  }

  /** May an account read, or change, this uci file? */
  mayUci(writable: boolean, config: string, right: "read" | "write"): boolean {
    return this.#groups.some(
      ({ read, write }) =>
        grantsUci(read, "read", config, right) || (writable && grantsUci(write, "write", config, right)),
    );
  }
}

/** A table names the rights to each file; in a list, each has the right that the scope is named after. */
function grantsUci(scope: Scope | undefined, own: string, config: string, right: string): boolean {
  const files = scope?.uci ?? [];
  if (Array.isArray(files)) return own === right && (files as readonly string[]).includes(config);
  return (files as Readonly<Record<string, readonly string[]>>)[config]?.includes(right) ?? false;
}

function allows(scope: Scope | undefined, object: string, method: string): boolean {
  const objects = scope?.ubus;
  if (objects === undefined || Array.isArray(objects)) return false;
  const methods = (objects as Readonly<Record<string, readonly string[]>>)[object] ?? [];
  return methods.some((pattern) =>
    pattern.endsWith("*") ? method.startsWith(pattern.slice(0, -1)) : pattern === method,
  );
}
