import { type Config, DEFAULTS } from "../config.ts";
import { type Plain, uciText } from "../kind.ts";
import { isList, type ListOption, OPTION_LIST, type ScalarOption } from "../options.ts";
import { isDefault } from "../toml-writer.ts";
import { isUciText, type UciDocument, type UciOption, type UciSection } from "./document.ts";
import { ITEM_OPTIONS, UCI_SECTIONS } from "./sections.ts";

/**
 * A configuration as a uci file, the network's secret included. What is as it is by default is left out, except that every
 * section of which there is one is there: `uci set kcp-router.proxy.…` needs it.
 */
export function uciOf(values: Partial<Config>): UciDocument {
  return mergeUci({ sections: [] }, values);
}

/**
 * Puts values into a file that exists. What they do not speak of stays, with the user's names; an option or list that they
 * speak of is replaced. Of a list, sections that say the same stay as they are, and so do those that are switched off.
 */
export function mergeUci(base: UciDocument, values: Partial<Config>): UciDocument {
  // In uci lists are what the file shows: a new one shows the listeners that TOML has without saying so.
  const preset = base.sections.length === 0 ? { listeners: DEFAULTS.listeners } : {};
  const wanted: Partial<Config> = { ...preset, ...values };
  let { sections } = base;
  for (const { type, count } of UCI_SECTIONS) {
    if (count === "one") sections = withSection(sections, type);
    for (const option of OPTION_LIST.filter(({ uci }) => uci.section === type)) {
      const value = wanted[option.key];
      if (value === undefined) continue;
      sections = isList(option)
        ? withItems(sections, option, value as readonly unknown[])
        : withScalar(sections, option, isDefault(option.key, value) ? undefined : option.kind.write(value));
    }
  }
  return { sections };
}

type Sections = readonly UciSection[];

function withSection(sections: Sections, type: string): Sections {
  if (sections.some((section) => section.type === type)) return sections;
  const taken = sections.some(({ name }) => name === type);
  return [...sections, { type, name: taken ? "" : type, options: [], line: 0 }];
}

function withScalar(sections: Sections, { uci }: ScalarOption<unknown>, value: Plain | undefined): Sections {
  const at = sections.findIndex(({ type }) => type === uci.section);
  return sections.map((section, index) =>
    index === at ? { ...section, options: withOption(section.options, uci.option, value) } : section,
  );
}

/** Sets an option where it stands, adds it, or removes it. */
function withOption(
  options: readonly UciOption[],
  name: string,
  value: Plain | undefined,
): readonly UciOption[] {
  const text = value === undefined ? "" : uciText(value);
  const others = options.filter((option) => option.name !== name);
  if (text === "" || !isUciText(text)) return others;
  const option: UciOption = { name, value: text, lines: [] };
  return others.length === options.length
    ? [...options, option]
    : options.map((known) => (known.name === name ? option : known));
}

function withItems(sections: Sections, option: ListOption<unknown>, values: readonly unknown[]): Sections {
  const { section: type, option: name } = option.uci;
  const known = sections.filter((section) => section.type === type);
  const kept = new Set<UciSection>();
  const items = values.map((value) => {
    const same = known.find(
      (section) => !kept.has(section) && identityOf(section, option) === identity(value),
    );
    if (same === undefined) return itemSection(type, name, option.item.write(value));
    kept.add(same);
    return { ...same, options: withOption(same.options, "enabled", undefined) };
  });
  const off = known.filter((section) => !kept.has(section) && isOff(section));
  const first = sections.findIndex((section) => section.type === type);
  const at = first < 0 ? sections.length : first;
  const rest = (part: Sections) => part.filter((section) => section.type !== type);
  return [...rest(sections.slice(0, at)), ...items, ...off, ...rest(sections.slice(at))];
}

function itemSection(type: string, name: string, value: Plain): UciSection {
  const parts = typeof value === "object" ? value : { [name]: uciText(value) };
  const options = Object.entries(parts).map(([part, text]) => ({ name: part, value: text, lines: [] }));
  return { type, name: "", options, line: 0 };
}

function identity(value: unknown): string {
  return JSON.stringify(value);
}

/** What a section says as an item, for comparing; undefined when it says nothing sensible. */
function identityOf(section: UciSection, option: ListOption<unknown>): string | undefined {
  const parts = Object.fromEntries(
    section.options
      .filter(({ name }) => !Object.hasOwn(ITEM_OPTIONS, name))
      // A list of one is as good as the one.
      .map(({ name, value }) => [name, typeof value !== "string" && value.length === 1 ? value[0] : value]),
  );
  const parsed = option.item.parse(option.uci.option === "" ? parts : parts[option.uci.option], "uci");
  return parsed.ok ? identity(parsed.value) : undefined;
}

function isOff(section: UciSection): boolean {
  const written = section.options.find(({ name }) => name === "enabled");
  const parsed = ITEM_OPTIONS.enabled.kind.parse(written?.value, "uci");
  return parsed.ok && parsed.value === false;
}
