import type { ComponentChildren } from "preact";
import type { Kind } from "../../../router-daemon/src/config/kind.ts";

export interface FieldProps {
  readonly id: string;
  readonly title: string;
  readonly help: string;
  /** EasyTier's word for it. */
  readonly easytier?: string;
  readonly kind: Kind<unknown>;
  readonly value: string;
  /** What holds while nothing is written. */
  readonly fallback?: string;
  readonly problems: readonly string[];
  readonly suggestions?: readonly string[];
  readonly disabled: boolean;
  readonly onChange: (value: string) => void;
}

/** One option: a fitting control, its help, and what is wrong with it. */
export function Field(props: FieldProps) {
  const { id, title, help, easytier, problems } = props;
  return (
    <FieldFrame id={id} title={title} help={help} easytier={easytier} problems={problems}>
      <Control {...props} />
    </FieldFrame>
  );
}

interface FrameProps {
  readonly id: string;
  readonly title: string;
  readonly help: string;
  readonly easytier?: string | undefined;
  readonly problems: readonly string[];
  readonly children: ComponentChildren;
}

/** Label, control, sentences: as LuCI's own forms lay them out. */
export function FieldFrame({ id, title, help, easytier, problems, children }: FrameProps) {
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
          {help}
          {easytier !== undefined && easytier !== "" && (
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

function Control({ id, kind, value, fallback, problems, suggestions, disabled, onChange }: FieldProps) {
  const invalid = problems.length > 0;
  const common = {
    id,
    disabled,
    "aria-invalid": invalid,
    ...(invalid ? { "aria-describedby": `${id}-problem` } : {}),
  };
  const { shape } = kind;
  switch (shape.type) {
    case "switch": {
      const parsed = kind.parse(value === "" ? fallback : value, "uci");
      return (
        <input
          {...common}
          type="checkbox"
          checked={parsed.ok && parsed.value === true}
          onChange={(event) => onChange(event.currentTarget.checked ? "1" : "0")}
        />
      );
    }
    case "choice":
      return (
        <select
          {...common}
          class={invalid ? "cbi-input-select cbi-input-invalid" : "cbi-input-select"}
          value={value}
          onChange={(event) => onChange(event.currentTarget.value)}
        >
          <option value="">
            {fallback === undefined ? _("– choose –") : `${fallback} (${_("default")})`}
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
            placeholder={fallback ?? ""}
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
