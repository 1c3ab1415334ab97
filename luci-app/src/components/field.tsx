import type { ComponentChildren } from "preact";
import { switchKind } from "../../../router-daemon/src/config/kind.ts";
import type { SchemaOption } from "../../../router-daemon/src/config/schema.ts";
import { fill } from "../text/format.ts";

export interface FieldProps {
  readonly id: string;
  readonly title: string;
  readonly option: SchemaOption;
  /** As uci text; empty = not written, what holds then is `option.default` or `option.unset`. */
  readonly value: string;
  readonly problems: readonly string[];
  readonly suggestions?: readonly string[];
  readonly disabled: boolean;
  readonly onChange: (value: string) => void;
}

function isOn(text: string): boolean {
  const parsed = switchKind.parse(text, "uci");
  return parsed.ok && parsed.value;
}

/** One option: a fitting control, its help, and what is wrong with it. */
export function Field(props: FieldProps) {
  const { id, title, option, problems } = props;
  return (
    <FieldFrame id={id} title={title} option={option} problems={problems}>
      <Control {...props} />
    </FieldFrame>
  );
}

interface FrameProps {
  readonly id: string;
  readonly title: string;
  readonly option: SchemaOption;
  readonly problems: readonly string[];
  readonly children: ComponentChildren;
}

/** Label, control, sentences: as LuCI's own forms lay them out. */
export function FieldFrame({ id, title, option, problems, children }: FrameProps) {
  const { help, easytier, unset, required, live } = option;
  return (
    <div class="cbi-value">
      <label class="cbi-value-title" for={id}>
        {title}
      </label>
      <div class="cbi-value-field">
        {children}
        {problems.map((problem) => (
          <p key={problem} id={`${id}-problem`} class="kcp-field-error" role="alert">
            {problem}
          </p>
        ))}
        <div class="cbi-value-description">
          {_(help)}
          {unset !== "" && !required && ` ${fill(_("If not set: %s."), _(unset))}`}
          {!live && ` ${_("A change restarts the service.")}`}
          {easytier !== "" && (
            <>
              {" "}
              <span class="kcp-sub">
                (EasyTier: <code>{easytier}</code>)
              </span>
            </>
          )}
        </div>
      </div>
    </div>
  );
}

function Control({ id, option, value, problems, suggestions, disabled, onChange }: FieldProps) {
  const { shape } = option;
  const invalid = problems.length > 0;
  const common = {
    id,
    disabled,
    "aria-invalid": invalid,
    ...(invalid ? { "aria-describedby": `${id}-problem` } : {}),
  };
  switch (shape.type) {
    case "switch":
      return (
        <input
          {...common}
          type="checkbox"
          checked={isOn(value === "" ? option.default : value)}
          onChange={(event) => onChange(event.currentTarget.checked ? "1" : "0")}
        />
      );
    case "choice":
      return (
        <select
          {...common}
          class={invalid ? "cbi-input-select cbi-input-invalid" : "cbi-input-select"}
          value={value}
          onChange={(event) => onChange(event.currentTarget.value)}
        >
          <option value="">
            {option.default === "" ? _("– choose –") : `${option.default} (${_("default")})`}
          </option>
          {shape.choices.map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </select>
      );
    default:
      return (
        <>
          <input
            {...common}
            type="text"
            class={invalid ? "cbi-input-text cbi-input-invalid" : "cbi-input-text"}
            inputMode={shape.type === "integer" ? "numeric" : "text"}
            placeholder={option.default}
            value={value}
            list={suggestions === undefined ? undefined : `${id}-list`}
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => onChange(event.currentTarget.value)}
          />
          {suggestions !== undefined && (
            <datalist id={`${id}-list`}>
              {suggestions.map((suggestion) => (
                <option key={suggestion} value={suggestion} />
              ))}
            </datalist>
          )}
        </>
      );
  }
}
