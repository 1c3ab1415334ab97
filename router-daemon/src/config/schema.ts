import { DEFAULTS, type OptionKey } from "./config.ts";
import { type Kind, type Shape, UCI_SWITCH_ALLOWED, uciText } from "./kind.ts";
import { type AnyOption, isList, isOwn, OPTION_LIST, placeText } from "./options.ts";
import { RULE_PARTS } from "./rule.ts";
import { ITEM_OPTIONS, UCI_SECTIONS, type UciSectionInfo } from "./uci/sections.ts";

/**
 * What may stand in /etc/config/kcp-router, as data: the page's form and the documents are made of it. It follows from the
 * table of options; nothing is said here a second time.
 */
export interface SchemaSection extends UciSectionInfo {
  /** Most sections of the type. */
  readonly max: number;
  readonly options: readonly SchemaOption[];
}

export interface SchemaOption {
  /** Name in uci. */
  readonly name: string;
  /** The option of the configuration that it is, or belongs to. */
  readonly key: OptionKey;
  readonly shape: Shape;
  /** In words. */
  readonly allowed: string;
  /** As uci text; empty = there is none. */
  readonly default: string;
  /** What holds while it is not set, in words, where no default value says it. */
  readonly unset: string;
  readonly required: boolean;
  /** A new value takes effect on reload, without a restart. */
  readonly live: boolean;
  readonly help: string;
  /** Its place in EasyTier's TOML; empty = EasyTier has no such option. */
  readonly easytier: string;
}

export const UCI_SCHEMA: readonly SchemaSection[] = UCI_SECTIONS.map((section) => {
  const options = OPTION_LIST.filter(({ uci }) => uci.section === section.type);
  const [first] = options;
  if (first === undefined || !isList(first))
    return { ...section, max: 1, options: options.map(schemaOption) };
  // An item is one value, or has parts.
  const { key, live } = first;
  const own = first.uci.option === "" ? ruleOptions(live) : [schemaOption(first)];
  return { ...section, max: first.maxItems, options: [...own, ...itemOptions(key, live)] };
});

/** What is wrong with a value of an option, in full sentences that never hold a secret; empty = nothing. For forms. */
export function checkUciOption(section: string, name: string, value: string | readonly string[]): string {
  const kind = kindOf(section, name);
  if (kind === undefined) return "This option is unknown.";
  const result = kind.parse(value, "uci");
  return result.ok ? "" : result.text;
}

function kindOf(section: string, name: string): Kind<unknown> | undefined {
  const option = OPTION_LIST.find(({ uci }) => uci.section === section && uci.option === name);
  if (option !== undefined) return isList(option) ? option.item : option.kind;
  const many = UCI_SECTIONS.some(({ type, count }) => type === section && count === "many");
  const parts = { ...(many ? ITEM_OPTIONS : {}), ...(section === "rule" ? RULE_PARTS : {}) };
  const part = Object.entries(parts).find(([part]) => part === name)?.[1];
  return part?.kind as Kind<unknown> | undefined;
}

function schemaOption(option: AnyOption & { readonly key: OptionKey }): SchemaOption {
  const { key, uci, unset = "", live, help, toml } = option;
  const kind = isList(option) ? option.item : option.kind;
  return {
    name: uci.option,
    key,
    shape: kind.shape,
    allowed: allowedIn(kind),
    default: isList(option) || unset !== "" || key === "ipv4" ? "" : uciText(kind.write(DEFAULTS[key])),
    unset,
    required: isList(option) || key === "ipv4",
    live,
    help,
    easytier: isOwn(toml) ? "" : placeText(toml),
  };
}

function ruleOptions(live: boolean): SchemaOption[] {
  return Object.entries(RULE_PARTS).map(([name, part]) => partOption(name, "rules", live, part));
}

/** What every item has besides. */
function itemOptions(key: OptionKey, live: boolean): SchemaOption[] {
  return Object.entries(ITEM_OPTIONS).map(([name, part]) => partOption(name, key, live, part));
}

interface Part {
  readonly kind: Pick<Kind<unknown>, "shape" | "allowed">;
  readonly help: string;
  readonly required?: boolean;
  readonly unset?: string;
  readonly default?: string;
}

function partOption(name: string, key: OptionKey, live: boolean, part: Part): SchemaOption {
  const { kind, help, required = false, unset = "", default: preset = "" } = part;
  const rest = { default: preset, unset, required, live, help, easytier: "" };
  return { name, key, shape: kind.shape, allowed: allowedIn(kind), ...rest };
}

function allowedIn(kind: Part["kind"]): string {
  return kind.shape.type === "switch" ? UCI_SWITCH_ALLOWED : kind.allowed;
}
