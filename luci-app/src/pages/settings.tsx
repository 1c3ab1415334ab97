import { useSignal } from "@preact/signals";
import { DEFAULTS, type OptionKey } from "../../../router-daemon/src/config/config.ts";
import type { Kind } from "../../../router-daemon/src/config/kind.ts";
import { isList, OPTION_LIST, placeText } from "../../../router-daemon/src/config/options.ts";
import { RULE_PARTS } from "../../../router-daemon/src/config/rule.ts";
import {
  ITEM_OPTIONS,
  UCI_SECTIONS,
  type UciSectionType,
} from "../../../router-daemon/src/config/uci/sections.ts";
import { Field } from "../components/field.tsx";
import { ImportPanel } from "../components/import-panel.tsx";
import { SecretField } from "../components/secret-field.tsx";
import { download } from "../luci/download.ts";
import { Devices } from "../models/devices.ts";
import type { Section } from "../models/section.ts";
import type { Settings } from "../models/settings.ts";
import { Suggestions } from "../models/suggestions.ts";
import { tomlOf } from "../text/export.ts";
import { fill } from "../text/format.ts";
import {
  ADVANCED,
  ITEM_NAMES,
  ITEM_TITLES,
  OPTION_TITLES,
  RULE_TITLES,
  SECTION_TITLES,
} from "../text/options.ts";

export interface SettingsProps {
  readonly settings: Settings;
  readonly suggestions: Suggestions;
  readonly writable: boolean;
}

export function makeSuggestions(): Suggestions {
  return new Suggestions(new Devices());
}

/** Every option of /etc/config/kcp-router. Save and Apply are LuCI's own. */
export function SettingsPage({ settings, suggestions, writable }: SettingsProps) {
  const importing = useSignal(false);
  if (!settings.loaded.value) return <p class="kcp-muted">{_("Collecting data …")}</p>;
  const toml = tomlOf(settings.text);
  return (
    <>
      <p class="kcp-row">
        {writable && (
          <button
            type="button"
            class="btn cbi-button"
            aria-expanded={importing.value}
            onClick={() => (importing.value = !importing.value)}
          >
            {_("Import from EasyTier …")}
          </button>
        )}
        <button
          type="button"
          class="btn cbi-button"
          disabled={toml === undefined}
          onClick={() => download("easytier.toml", "text/plain", toml ?? "")}
        >
          {_("Export as EasyTier TOML")}
        </button>
        {settings.changed.value && (
          <span class="kcp-muted">{_("The form has changes that are not saved.")}</span>
        )}
      </p>
      {importing.value && <ImportPanel settings={settings} onDone={() => (importing.value = false)} />}
      {settings.generalProblems.length > 0 && (
        <div class="alert-message warning" role="alert">
          {settings.generalProblems.map(({ text }) => (
            <p key={text}>{text}</p>
          ))}
        </div>
      )}
      {UCI_SECTIONS.map(({ type, count, help }) => (
        <section class="cbi-section" key={type}>
          <h3>{SECTION_TITLES[type]()}</h3>
          <p class="cbi-section-descr">{_(help)}</p>
          {count === "one" ? (
            settings
              .ofType(type)
              .map((section) => (
                <OneSection
                  key={section.id}
                  section={section}
                  settings={settings}
                  suggestions={suggestions}
                  writable={writable}
                />
              ))
          ) : (
            <Items type={type} settings={settings} suggestions={suggestions} writable={writable} />
          )}
        </section>
      ))}
    </>
  );
}

interface SectionProps extends SettingsProps {
  readonly section: Section;
}

/** The options of a section of which there is one; what is rarely needed is folded away. */
function OneSection(props: SectionProps) {
  const options = OPTION_LIST.filter(({ uci }) => uci.section === props.section.type);
  const ordinary = options.filter(({ key }) => !ADVANCED.includes(key));
  const advanced = options.filter(({ key }) => ADVANCED.includes(key));
  return (
    <div class="cbi-section-node">
      {ordinary.map((option) => (
        <OptionField key={option.key} option={option} {...props} />
      ))}
      {advanced.length > 0 && (
        <details>
          <summary>{_("Advanced")}</summary>
          {advanced.map((option) => (
            <OptionField key={option.key} option={option} {...props} />
          ))}
        </details>
      )}
    </div>
  );
}

type Option = (typeof OPTION_LIST)[number];

function OptionField({
  option,
  section,
  settings,
  suggestions,
  writable,
}: SectionProps & { readonly option: Option }) {
  if (isList(option)) return null;
  const { key, uci, kind, help, toml, live } = option;
  const id = `kcp-${section.id}-${uci.option}`;
  const title = OPTION_TITLES[key]?.() ?? key;
  const problems = settings.problemsAt(section, uci.option);
  const sentence = `${_(help)}${live ? "" : ` ${_("A change restarts the service.")}`}`;
  if (kind.shape.type === "secret")
    return (
      <SecretField
        id={id}
        title={title}
        help={sentence}
        settings={settings}
        problems={problems}
        disabled={!writable}
      />
    );
  const fallback = fallbackOf(key, kind);
  const offered = kind.shape.type === "text" ? suggestions.of(kind.shape.datatype) : undefined;
  return (
    <Field
      id={id}
      title={title}
      help={sentence}
      easytier={toml.section === "kcp_router" ? "" : placeText(toml)}
      kind={kind}
      value={section.values[uci.option] ?? ""}
      problems={problems}
      disabled={!writable}
      onChange={(value) => settings.set(section.id, uci.option, value)}
      {...(fallback === undefined ? {} : { fallback })}
      {...(offered === undefined ? {} : { suggestions: offered })}
    />
  );
}

function fallbackOf(key: OptionKey, kind: Kind<unknown>): string | undefined {
  if (!Object.hasOwn(DEFAULTS, key)) return undefined;
  const value = kind.write((DEFAULTS as Readonly<Record<string, unknown>>)[key]);
  return typeof value === "boolean" ? (value ? "1" : "0") : String(value);
}

/** Sections of which there are many: each is an item that can be named, switched off, moved and removed. */
function Items({ type, settings, suggestions, writable }: SettingsProps & { readonly type: UciSectionType }) {
  const sections = settings.ofType(type);
  return (
    <>
      {sections.length === 0 && <p class="kcp-muted">{_("None.")}</p>}
      {sections.map((section, at) => (
        <fieldset class="kcp-item" key={section.id}>
          <legend class="kcp-sub">{fill(ITEM_NAMES[type]?.() ?? "%s", at + 1)}</legend>
          <ItemFields section={section} settings={settings} suggestions={suggestions} writable={writable} />
          {settings.problemsAt(section, "").map((problem) => (
            <p key={problem} class="kcp-field-error" role="alert">
              {problem}
            </p>
          ))}
          {writable && (
            <p class="kcp-row">
              {type === "rule" && (
                <>
                  <button
                    type="button"
                    class="btn cbi-button"
                    disabled={at === 0}
                    onClick={() => settings.move(section.id, -1)}
                  >
                    {_("Up")}
                  </button>
                  <button
                    type="button"
                    class="btn cbi-button"
                    disabled={at === sections.length - 1}
                    onClick={() => settings.move(section.id, 1)}
                  >
                    {_("Down")}
                  </button>
                </>
              )}
              <button
                type="button"
                class="btn cbi-button cbi-button-remove"
                onClick={() => settings.remove(section.id)}
              >
                {_("Remove")}
              </button>
            </p>
          )}
        </fieldset>
      ))}
      {writable && (
        <button type="button" class="btn cbi-button cbi-button-add" onClick={() => settings.add(type)}>
          {_("Add")}
        </button>
      )}
    </>
  );
}

function ItemFields({ section, settings, suggestions, writable }: SectionProps) {
  return (
    <>
      {itemOptions(section.type).map(({ name, kind, title, help, fallback }) => {
        const offered = kind.shape.type === "text" ? suggestions.of(kind.shape.datatype) : undefined;
        return (
          <Field
            key={name}
            id={`kcp-${section.id}-${name}`}
            title={title}
            help={_(help)}
            kind={kind}
            value={section.values[name] ?? ""}
            problems={settings.problemsAt(section, name)}
            disabled={!writable}
            onChange={(value) => settings.set(section.id, name, value)}
            {...(fallback === undefined ? {} : { fallback })}
            {...(offered === undefined ? {} : { suggestions: offered })}
          />
        );
      })}
    </>
  );
}

interface ItemOption {
  readonly name: string;
  readonly kind: Kind<unknown>;
  readonly title: string;
  readonly help: string;
  readonly fallback?: string;
}

/** What an item of this type has: its own options, then those that every item has. */
function itemOptions(type: string): readonly ItemOption[] {
  const option = OPTION_LIST.find(({ uci }) => uci.section === type);
  const common = Object.entries(ITEM_OPTIONS).map(([name, { kind, help }]) => ({
    name,
    kind,
    help,
    title: ITEM_TITLES[name]?.() ?? name,
    ...(name === "enabled" ? { fallback: "1" } : {}),
  }));
  if (option === undefined || !isList(option)) return common;
  const own =
    option.uci.option === ""
      ? Object.entries(RULE_PARTS).map(([name, { kind, help }]) => ({
          name,
          kind: kind as Kind<unknown>,
          help,
          title: RULE_TITLES[name]?.() ?? name,
        }))
      : [
          {
            name: option.uci.option,
            kind: option.item,
            help: option.help,
            title: OPTION_TITLES[option.key]?.() ?? option.key,
          },
        ];
  return [...own, ...common];
}
