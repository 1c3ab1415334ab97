import { useSignal } from "@preact/signals";
import {
  type SchemaOption,
  type SchemaSection,
  UCI_SCHEMA,
} from "../../../router-daemon/src/config/schema.ts";
import { Field } from "../components/field.tsx";
import { ImportPanel } from "../components/import-panel.tsx";
import { SecretField } from "../components/secret-field.tsx";
import { download } from "../luci/download.ts";
import { Devices } from "../models/devices.ts";
import type { Section } from "../models/section.ts";
import { Settings } from "../models/settings.ts";
import { Suggestions } from "../models/suggestions.ts";
import { attempt, LOOK_ONLY, mountForm } from "../page.tsx";
import { tomlOf } from "../text/export.ts";
import { fill } from "../text/format.ts";
import { ADVANCED, ITEM_NAMES, optionTitle, SECTION_TITLES } from "../text/options.ts";

interface SettingsProps {
  readonly settings: Settings;
  readonly suggestions: Suggestions;
  readonly writable: boolean;
}

export const module = view.extend(settingsView());

/** LuCI's form page: its own footer, its own indicator of unsaved changes, its own apply with rollback. */
function settingsView(): object {
  const settings = new Settings();
  const suggestions = new Suggestions(new Devices());
  const save = async (): Promise<boolean> => {
    let saved = false;
    await attempt(async () => {
      saved = await settings.save();
    });
    // The first mistake is where the eye is needed; one of a section as a whole has no field to go to.
    if (!saved) {
      const mistake = document.querySelector<HTMLElement>(".kcp [aria-invalid=true], .kcp .kcp-field-error");
      mistake?.scrollIntoView({ block: "center" });
      mistake?.focus();
    }
    return saved;
  };
  const form = {
    load: () => attempt(() => settings.load()),
    render() {
      void suggestions.load();
      return mountForm((writable) => (
        <SettingsPage settings={settings} suggestions={suggestions} writable={writable} />
      ));
    },
  };
  // LuCI would show its buttons to who may only look, switched off.
  if (!L.hasViewPermission()) return { ...form, ...LOOK_ONLY };
  return {
    ...form,
    handleSave: save,
    /** LuCI's mode "0" = checked apply: rolled back unless the browser reaches the router afterwards. */
    async handleSaveApply(_event: Event, mode: string) {
      if (await save()) ui.changes.apply(mode === "0");
    },
    handleReset: () => attempt(() => settings.load()),
  };
}

/** Every option of /etc/config/kcp-router. Save and Apply are LuCI's own. */
function SettingsPage(props: SettingsProps) {
  const { settings, writable } = props;
  const importing = useSignal(false);
  if (!settings.loaded.value) return <p class="kcp-muted">{_("Collecting data …")}</p>;
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
          disabled={settings.hasErrors.value}
          onClick={() => download("easytier.toml", "text/plain", tomlOf(settings.text) ?? "")}
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
      {UCI_SCHEMA.map((schema) => (
        <section class="cbi-section" key={schema.type}>
          <h3>{SECTION_TITLES[schema.type]()}</h3>
          <p class="cbi-section-descr">{_(schema.help)}</p>
          {schema.count === "one" ? (
            settings
              .ofType(schema.type)
              .map((section) => <OneSection key={section.id} {...props} schema={schema} section={section} />)
          ) : (
            <Items {...props} schema={schema} />
          )}
        </section>
      ))}
    </>
  );
}

interface SectionProps extends SettingsProps {
  readonly schema: SchemaSection;
  readonly section: Section;
}

/** A section of which there is one; what is rarely needed is folded away. */
function OneSection(props: SectionProps) {
  const { options } = props.schema;
  const ordinary = options.filter(({ key }) => !ADVANCED.includes(key));
  const advanced = options.filter(({ key }) => ADVANCED.includes(key));
  return (
    <div class="cbi-section-node">
      {ordinary.map((option) => (
        <OptionField key={option.name} {...props} option={option} />
      ))}
      {advanced.length > 0 && (
        <details>
          <summary>{_("Advanced")}</summary>
          {advanced.map((option) => (
            <OptionField key={option.name} {...props} option={option} />
          ))}
        </details>
      )}
    </div>
  );
}

/** Sections of which there are many: each is an item that can be named, switched off, moved and removed. */
function Items(props: SettingsProps & { readonly schema: SchemaSection }) {
  const { schema, settings, writable } = props;
  const { type, options, max } = schema;
  const sections = settings.ofType(type);
  return (
    <>
      {sections.length === 0 && <p class="kcp-muted">{_("None.")}</p>}
      {sections.map((section, at) => (
        <fieldset class="kcp-item" key={section.id}>
          <legend class="kcp-sub">{fill(ITEM_NAMES[type]?.() ?? "%s", at + 1)}</legend>
          {options.map((option) => (
            <OptionField key={option.name} {...props} section={section} option={option} />
          ))}
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
        <button
          type="button"
          class="btn cbi-button cbi-button-add"
          disabled={sections.length >= max}
          onClick={() => settings.add(type)}
        >
          {_("Add")}
        </button>
      )}
    </>
  );
}

function OptionField({
  schema,
  option,
  section,
  settings,
  suggestions,
  writable,
}: SectionProps & { readonly option: SchemaOption }) {
  const { name, shape } = option;
  const offered = shape.type === "text" ? suggestions.of(shape.datatype) : undefined;
  const common = {
    id: `kcp-${section.id}-${name}`,
    title: optionTitle(schema, option),
    option,
    problems: settings.problemsAt(section, name),
    disabled: !writable,
  };
  if (shape.type === "secret") return <SecretField {...common} settings={settings} />;
  return (
    <Field
      {...common}
      value={section.values[name] ?? ""}
      onChange={(value) => settings.set(section.id, name, value)}
      {...(offered === undefined ? {} : { suggestions: offered })}
    />
  );
}
