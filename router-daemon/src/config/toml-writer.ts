import { stringify } from "smol-toml";
import { type Config, DEFAULTS, type OptionKey } from "./config.ts";
import { same } from "./diff.ts";
import type { Plain } from "./kind.ts";
import { isList, OPTION_LIST } from "./options.ts";

export interface ExportOptions {
  /** The network's secret is written, too. */
  readonly secrets: boolean;
}

/** A configuration as TOML in EasyTier's form. What is as it is by default is left out. */
export function exportToml(values: Partial<Config>, { secrets }: ExportOptions): string {
  // EasyTier refuses a file without the network's name.
  const { network_name = DEFAULTS.network_name } = values;
  const document: TomlTable = { network_identity: { network_name } };
  let hidden = false;
  for (const option of OPTION_LIST) {
    const value = values[option.key];
    if (value === undefined || isDefault(option.key, value)) continue;
    if (option.key === "network_secret" && !secrets) {
      hidden = true;
      continue;
    }
    const { section, key, each } = option.toml;
    const written = isList(option)
      ? (value as readonly unknown[]).map((item) => option.item.write(item))
      : option.kind.write(value);
    if (each === undefined || !Array.isArray(written)) {
      tableAt(document, section)[key] = written;
    } else {
      const above = section.split(".");
      const name = above.pop() ?? "";
      const tables = written.map((item: Plain) => (each === "whole" ? item : { [key]: item }));
      tableAt(document, above.join("."))[name] = tables;
    }
  }
  const note = hidden ? "# The network's secret is left out.\n" : "";
  return `${note}${stringify(document)}`;
}

interface TomlTable {
  [key: string]: unknown;
}

function tableAt(document: TomlTable, path: string): TomlTable {
  let table = document;
  for (const name of path === "" ? [] : path.split(".")) {
    table[name] ??= {};
    table = table[name] as TomlTable;
  }
  return table;
}

/** True when leaving the option out means the same. */
export function isDefault(key: OptionKey, value: unknown): boolean {
  // The machine's own name is no fixed default.
  if (key === "ipv4" || key === "hostname") return false;
  return same(value, DEFAULTS[key]);
}
