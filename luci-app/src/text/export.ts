import { loadConfig } from "../../../router-daemon/src/config/load.ts";
import { exportToml } from "../../../router-daemon/src/config/toml-writer.ts";

/** A uci text as an EasyTier TOML without the secret, which the browser does not have; undefined while it has mistakes. */
export function tomlOf(uci: string): string | undefined {
  const loaded = loadConfig({
    args: ["--uci", "form"],
    files: { read: () => ({ ok: true, text: uci, mode: 0o600 }) },
    systemHostname: "this router",
  });
  return loaded.ok ? exportToml(loaded.written, { secrets: false }) : undefined;
}
