import type { SchemaOption } from "../../../router-daemon/src/config/schema.ts";
import type { Settings } from "../models/settings.ts";
import { FieldFrame } from "./field.tsx";

interface SecretProps {
  readonly id: string;
  readonly title: string;
  readonly option: SchemaOption;
  readonly settings: Settings;
  readonly problems: readonly string[];
  readonly disabled: boolean;
}

/** The secret comes from the browser, never to it: what is stored can be kept, replaced or removed. */
export function SecretField({ id, title, option, settings, problems, disabled }: SecretProps) {
  const wish = settings.secretWish.value;
  const stored = settings.secretStored.value;
  return (
    <FieldFrame id={id} title={title} option={option} problems={problems}>
      <span class="kcp-row">
        <input
          id={id}
          type="password"
          class="cbi-input-password"
          autocomplete="new-password"
          disabled={disabled || wish.kind === "remove"}
          placeholder={stored ? _("set; type to replace it") : _("not set")}
          value={wish.kind === "set" ? wish.text : ""}
          onInput={({ currentTarget: { value } }) => {
            settings.secretWish.value = value === "" ? { kind: "keep" } : { kind: "set", text: value };
          }}
        />
        {stored && (
          <label>
            <input
              type="checkbox"
              disabled={disabled}
              checked={wish.kind === "remove"}
              onChange={({ currentTarget: { checked } }) => {
                settings.secretWish.value = { kind: checked ? "remove" : "keep" };
              }}
            />{" "}
            {_("remove it")}
          </label>
        )}
      </span>
    </FieldFrame>
  );
}
