import { useSignal } from "@preact/signals";
import { problemSentence } from "../../../router-daemon/src/config/problem.ts";
import { stepsBetween } from "../models/section.ts";
import type { Preview, Settings } from "../models/settings.ts";
import { fill } from "../text/format.ts";

/** Largest file that is read: LuCI's own limit for one request. */
const MAX_FILE_BYTES = 64 * 1024;

/** An EasyTier TOML, pasted or from a file: what it would change is shown before the form takes it. */
export function ImportPanel({
  settings,
  onDone,
}: {
  readonly settings: Settings;
  readonly onDone: () => void;
}) {
  const text = useSignal("");
  const note = useSignal("");
  const preview: Preview | undefined = text.value.trim() === "" ? undefined : settings.preview(text.value);
  const readFile = async (file: File | undefined) => {
    if (file === undefined) return;
    note.value =
      file.size > MAX_FILE_BYTES
        ? fill(_("%s is larger than 64 KiB. Choose the right file."), file.name)
        : "";
    if (file.size <= MAX_FILE_BYTES) text.value = await file.text();
  };
  return (
    <section class="kcp-card" aria-label={_("Import from EasyTier")}>
      <h3>{_("Import from EasyTier")}</h3>
      <p>
        {_(
          "Paste an EasyTier TOML, or choose a file. Nothing changes before you take it over, and nothing on the router before you save.",
        )}
      </p>
      <p>
        <input
          type="file"
          accept=".toml,.txt,text/plain"
          aria-label={_("TOML file")}
          onChange={(event) => void readFile(event.currentTarget.files?.[0])}
        />
      </p>
      {note.value !== "" && <p class="kcp-field-error">{note.value}</p>}
      <textarea
        aria-label={_("TOML text")}
        spellcheck={false}
        value={text.value}
        onInput={(event) => (text.value = event.currentTarget.value)}
      />
      {preview !== undefined && <Changes settings={settings} preview={preview} />}
      <p class="kcp-row">
        <button
          type="button"
          class="btn cbi-button cbi-button-apply"
          disabled={preview?.sections === undefined}
          onClick={() => {
            if (preview !== undefined) settings.take(preview);
            onDone();
          }}
        >
          {_("Take over into the form")}
        </button>
        <button type="button" class="btn cbi-button cbi-button-neutral" onClick={onDone}>
          {_("Cancel")}
        </button>
      </p>
    </section>
  );
}

/** What would change, line by line, and what is left out. */
function Changes({ settings, preview }: { readonly settings: Settings; readonly preview: Preview }) {
  const lines = (
    preview.sections === undefined ? [] : stepsBetween(settings.sections.value, preview.sections, "")
  ).map(lineOf);
  if (preview.secret !== undefined) lines.push(_("The network secret is set."));
  return (
    <div aria-live="polite">
      {preview.problems.length > 0 && (
        <ul class="kcp-problems">
          {preview.problems.map((problem) => (
            <li key={problemSentence(problem)} class="kcp-text">
              {problemSentence(problem)}
            </li>
          ))}
        </ul>
      )}
      {lines.length === 0 ? <p>{_("It changes nothing.")}</p> : <pre class="kcp-log">{lines.join("\n")}</pre>}
    </div>
  );
}

function lineOf(step: ReturnType<typeof stepsBetween>[number]): string {
  const { type, section, option, values } = step.args as {
    readonly type?: string;
    readonly section?: string;
    readonly option?: string;
    readonly values?: Readonly<Record<string, string>>;
  };
  const written = Object.entries(values ?? {}).map(([name, value]) => `${name} '${value}'`);
  switch (step.method) {
    case "add":
      return `+ ${type} ${written.join(" ")}`;
    case "set":
      return `~ ${section} ${written.join(" ")}`;
    case "delete":
      return `- ${section}${option === undefined ? "" : `.${option}`}`;
  }
}
