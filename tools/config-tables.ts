/** The tables of docs/configuration.md, from the code's own. */
import { isList, OPTION_LIST, placeText } from "../router-daemon/src/config/options.ts";
import { type SchemaOption, type SchemaSection, UCI_SCHEMA } from "../router-daemon/src/config/schema.ts";
import { UNSUPPORTED } from "../router-daemon/src/config/unsupported.ts";
import { code, markdown } from "./markdown.ts";

/** Every section of /etc/config/kcp-router with its options. */
export function uciTables(): string {
  return UCI_SCHEMA.map((section) => `${sectionHead(section)}\n\n${sectionTable(section)}`).join("\n\n");
}

function sectionHead({ type, count, max, help }: SchemaSection): string {
  const name = count === "one" ? ` '${type}'` : "";
  const often = count === "one" ? "one" : `up to ${max}`;
  return `### \`config ${type}${name}\` (${often})\n\n${help}`;
}

function sectionTable({ options }: SchemaSection): string {
  const rows = options.map((option) => [
    code(option.name),
    option.allowed.replace(/ \(also .*\)$/, ""),
    defaultText(option),
    option.live ? "reload" : "restart",
    option.help,
    code(option.easytier),
  ]);
  const titles = ["option", "allowed", "default", "a change needs a", "what it does", "EasyTier's place"];
  return markdown(titles, rows);
}

function defaultText({ default: preset, unset, required }: SchemaOption): string {
  if (unset !== "") return unset;
  if (required) return "must be given";
  return preset === "" ? "none" : code(preset);
}

/** Where an option stands in uci, in TOML and on the command line. */
export function placeTable(): string {
  const rows = OPTION_LIST.map((option) => {
    const { uci, toml, flag, short } = option;
    const place = [uci.section, uci.option].filter((part) => part !== "").join(".");
    const flags = [short, flag].filter((name) => name !== undefined && name !== "");
    return [
      code(place) + (isList(option) ? ", one section each" : ""),
      code(placeText(toml)),
      code(flags.join(", ")),
    ];
  });
  return markdown(["uci", "TOML", "flag"], rows);
}

/** What EasyTier has and kcp-router has not. */
export function unsupportedTable(): string {
  const rows = UNSUPPORTED.filter((option) => option.fits !== "any").map((option) => {
    const place =
      option.section === undefined
        ? `--${option.key.replaceAll("_", "-")}`
        : placeText({ section: option.section, key: option.key });
    const treatment = option.treatment === "refuse" ? "refused" : "no effect, with a warning";
    return [code(place), treatment, option.note];
  });
  return markdown(["EasyTier's option", "here", "why, and what to do"], rows);
}
