import { batch, computed, signal } from "@preact/signals";
import { importToml } from "../../../router-daemon/src/config/convert.ts";
import { checkUci } from "../../../router-daemon/src/config/load.ts";
import type { Problem } from "../../../router-daemon/src/config/problem.ts";
import { sectionAddresses } from "../../../router-daemon/src/config/uci/document.ts";
import { parseUci } from "../../../router-daemon/src/config/uci/parser.ts";
import {
  UCI_PACKAGE,
  UCI_SECTIONS,
  type UciSectionType,
} from "../../../router-daemon/src/config/uci/sections.ts";
import { writeUci } from "../../../router-daemon/src/config/uci/writer.ts";
import { ubus } from "../luci/call.ts";
import { documentOf, type Section, type StoredSection, sectionOf, stepsBetween } from "./section.ts";

/** Stands for a secret that is stored and stays: the browser never has it. */
const STORED_SECRET = "stored";
const CONTEXT = { systemHostname: "this router" };

/** What the form wants with the network's secret. */
export type SecretWish =
  | { readonly kind: "keep" }
  | { readonly kind: "remove" }
  | { readonly kind: "set"; readonly text: string };

/** The form: sections as stored, as edited, and what the daemon's own verifier says of them. */
export class Settings {
  readonly loaded = signal(false);
  readonly sections = signal<readonly Section[]>([]);
  readonly secretStored = signal(false);
  readonly secretWish = signal<SecretWish>({ kind: "keep" });
  readonly saving = signal(false);
  #stored: readonly Section[] = [];
  #fresh = 0;

  /** What is wrong, found by the code that reads the file on the router. */
  readonly problems = computed<readonly Problem[]>(() =>
    this.loaded.value ? checkUci(this.#text(true), UCI_PACKAGE, CONTEXT) : [],
  );
  /** How uci, and with it the verifier, names each section. */
  readonly #addresses = computed<ReadonlyMap<Section, string>>(() => {
    const document = documentOf(this.sections.value, {});
    const addresses = sectionAddresses(document);
    return new Map(
      this.sections.value.map((section, at) => {
        const written = document.sections[at];
        return [section, written === undefined ? "" : (addresses.get(written) ?? "")];
      }),
    );
  });
  readonly hasErrors = computed(() => this.problems.value.some(({ severity }) => severity === "error"));
  readonly changed = computed(
    () => this.secretWish.value.kind !== "keep" || this.#steps(this.sections.value).length > 0,
  );

  /** Reads what is stored, this session's unsaved changes included; what was edited is forgotten. */
  async load(): Promise<void> {
    const answer = (await ubus("kcp-router-settings", "get", {})) as {
      readonly sections: readonly StoredSection[];
      readonly secrets: readonly string[];
    };
    batch(() => {
      this.#stored = answer.sections.map(sectionOf);
      this.sections.value = withEverySection(this.#stored);
      this.secretStored.value = answer.secrets.includes("network.secret");
      this.secretWish.value = { kind: "keep" };
      this.loaded.value = true;
    });
  }

  // ── editing ─────────────────────────────────────────────────────────────────────────────────────────────────────

  ofType(type: UciSectionType): readonly Section[] {
    return this.sections.value.filter((section) => section.type === type);
  }

  /** An empty text = the option is not written: the default holds. */
  set(id: string, option: string, value: string): void {
    this.sections.value = this.sections.value.map((section) =>
      section.id === id ? { ...section, values: { ...section.values, [option]: value } } : section,
    );
  }

  add(type: UciSectionType, values: Section["values"] = {}): void {
    const id = `new${++this.#fresh}`;
    this.sections.value = [...this.sections.value, { id, type, anonymous: true, fresh: true, values }];
  }

  remove(id: string): void {
    this.sections.value = this.sections.value.filter((section) => section.id !== id);
  }

  /** Exchanges a section with its neighbour of the same type: the order of rules decides. */
  move(id: string, by: -1 | 1): void {
    const sections = [...this.sections.value];
    const from = sections.findIndex((section) => section.id === id);
    const type = sections[from]?.type;
    let to = from + by;
    while (to >= 0 && to < sections.length && sections[to]?.type !== type) to += by;
    const [a, b] = [sections[from], sections[to]];
    if (a === undefined || b === undefined) return;
    sections[from] = b;
    sections[to] = a;
    this.sections.value = sections;
  }

  /** The verifier's sentences for one field; for an empty option those of the section as a whole. */
  problemsAt(section: Section, option: string): readonly string[] {
    const address = this.#addresses.value.get(section) ?? "";
    return this.problems.value
      .filter((problem) => (problem.section ?? "") === address && (problem.option ?? "") === option)
      .map(({ text }) => text);
  }

  /** Those that belong to no field: something is missing, or two options do not fit together. */
  get generalProblems(): readonly Problem[] {
    return this.problems.value.filter(({ section }) => section === undefined);
  }

  // ── saving ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Stages the changes in LuCI's session, as its own forms do. False = there are mistakes, and nothing was sent. */
  async save(): Promise<boolean> {
    if (this.hasErrors.value) return false;
    this.saving.value = true;
    try {
      const names = new Map<string, string>();
      for (const step of this.#steps(this.sections.value)) {
        const answer = (await ubus("uci", step.method, step.args)) as { readonly section?: string };
        if (step.method === "add") names.set(step.id, answer.section ?? step.id);
      }
      await this.#saveOrder(names);
      await this.#saveSecret(names);
      await this.load();
      await ui.changes.init();
      return true;
    } finally {
      this.saving.value = false;
    }
  }

  #steps(after: readonly Section[]) {
    return stepsBetween(this.#stored, after.filter(isWorthWriting), UCI_PACKAGE);
  }

  async #saveOrder(names: ReadonlyMap<string, string>): Promise<void> {
    const order = this.sections.value.filter(isWorthWriting).map(({ id }) => names.get(id) ?? id);
    const before = this.#stored.map(({ id }) => id).filter((id) => order.includes(id));
    const kept = order.filter((id) => before.includes(id));
    if (kept.join() !== before.join()) await ubus("uci", "order", { config: UCI_PACKAGE, sections: order });
  }

  async #saveSecret(names: ReadonlyMap<string, string>): Promise<void> {
    const wish = this.secretWish.value;
    const network = this.ofType("network")[0];
    if (wish.kind === "keep" || network === undefined) return;
    const place = { config: UCI_PACKAGE, section: names.get(network.id) ?? network.id };
    if (wish.kind === "set") await ubus("uci", "set", { ...place, values: { secret: wish.text } });
    else await ubus("uci", "delete", { ...place, option: "secret" });
  }

  // ── other forms ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** The file as it would be; with a word in the secret's place when there is one. */
  #text(withSecret: boolean): string {
    const wish = this.secretWish.value;
    const stored = this.secretStored.value && wish.kind === "keep" ? STORED_SECRET : "";
    const secret = withSecret ? (wish.kind === "set" ? wish.text : stored) : "";
    return writeUci(documentOf(this.sections.value.filter(isWorthWriting), { network: { secret } }));
  }

  /** What an EasyTier TOML would make of the form: the sections, the secret in it, and what is left out and why. */
  preview(toml: string): Preview {
    const imported = importToml(toml, {
      ...CONTEXT,
      source: "TOML",
      base: { text: this.#text(true), source: UCI_PACKAGE },
    });
    const parsed = parseUci(imported.uci);
    const problems = [...imported.leftOut, ...imported.problems];
    if (imported.uci === "" || !parsed.ok) return { problems };
    let secret: string | undefined;
    const sections = parsed.document.sections.map((section, at) => {
      const values: Record<string, string> = {};
      for (const { name, value } of section.options) {
        const text = typeof value === "string" ? value : value.join(" ");
        if (section.type !== "network" || name !== "secret") values[name] = text;
        else if (text !== STORED_SECRET) secret = text;
      }
      const id = section.name === "" ? `import${at}` : section.name;
      return { id, type: section.type, anonymous: section.name === "", fresh: true, values };
    });
    return {
      problems,
      sections: this.#keepIds(sections),
      ...(secret === undefined ? {} : { secret }),
    };
  }

  /** Sections that say what a stored one says are that one: only what is different is staged. */
  #keepIds(sections: readonly Section[]): readonly Section[] {
    const free = [...this.sections.value];
    return sections.map((section) => {
      const at = free.findIndex(
        (known) => known.type === section.type && (!known.anonymous || sameValues(known, section)),
      );
      const [known] = at < 0 ? [] : free.splice(at, 1);
      return known === undefined ? section : { ...known, values: section.values };
    });
  }

  take(preview: Preview): void {
    const { sections, secret } = preview;
    if (sections === undefined) return;
    batch(() => {
      this.sections.value = withEverySection(sections);
      if (secret !== undefined) this.secretWish.value = { kind: "set", text: secret };
    });
  }

  /** The configuration that the form describes, for export; undefined while it has mistakes. */
  get text(): string {
    return this.#text(false);
  }
}

export interface Preview {
  readonly problems: readonly Problem[];
  /** Undefined when the text could not be read at all. */
  readonly sections?: readonly Section[];
  readonly secret?: string;
}

/** Sections of which there is one are offered even while the file has none. */
function withEverySection(sections: readonly Section[]): readonly Section[] {
  const missing = UCI_SECTIONS.filter(
    ({ type, count }) => count === "one" && !sections.some((section) => section.type === type),
  );
  return [
    ...sections,
    ...missing.map(({ type }) => ({ id: type, type, anonymous: false, fresh: true, values: {} })),
  ];
}

/** A section that was offered and not filled in stays out of the file. */
function isWorthWriting(section: Section): boolean {
  return !section.fresh || section.anonymous || Object.values(section.values).some((value) => value !== "");
}

function sameValues(a: Section, b: Section): boolean {
  const names = new Set([...Object.keys(a.values), ...Object.keys(b.values)]);
  return [...names].every((name) => (a.values[name] ?? "") === (b.values[name] ?? ""));
}
