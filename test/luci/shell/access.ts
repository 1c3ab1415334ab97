/** Two accounts, with the rights that rpcd copies into their sessions: LuCI's own, and the very file that the package installs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type AccessFile, Rpcd } from "../../openwrt/rpcd.ts";

const ROOT = join(import.meta.dirname, "../../..");
const FILE = join(ROOT, "luci-app/root/usr/share/rpcd/acl.d/luci-app-kcp-router.json");

/** What LuCI itself grants to every account that may log in (its base package's file). */
const BASE: AccessFile = {
  base: {
    read: { ubus: { uci: ["changes", "get"], "luci-rpc": ["getHostHints"] } },
    write: { ubus: { uci: ["add", "apply", "confirm", "delete", "order", "set"] } },
  },
};

export class Access {
  readonly #rpcd: Rpcd;
  readonly #looks: string;
  readonly #writes: string;

  constructor() {
    const own = JSON.parse(readFileSync(FILE, "utf8")) as AccessFile;
    // Calls go the shell's own way: only the rights are of interest.
    this.#rpcd = new Rpcd([BASE, own], async () => ({ status: 0, data: [] }));
    this.#looks = this.#rpcd.login({ read: ["*"], write: [] });
    this.#writes = this.#rpcd.login({ read: ["*"], write: ["*"] });
  }

  /** May an account call this method? */
  mayCall(writable: boolean, object: string, method: string): boolean {
    return this.#rpcd.allows(writable ? this.#writes : this.#looks, "ubus", object, method);
  }

  /** May an account read, or change, this uci file? */
  mayUci(writable: boolean, config: string, right: "read" | "write"): boolean {
    return this.#rpcd.allows(writable ? this.#writes : this.#looks, "uci", config, right);
  }
}
