/**
 * rpcd's `uci` object for one scratch file: changes are staged per session and reach the file by apply, which is taken back unless it
 * is confirmed in time.
 */
import { readFileSync, writeFileSync } from "node:fs";
import type { UciDocument, UciSection } from "../../../router-daemon/src/config/uci/document.ts";
import { parseUci } from "../../../router-daemon/src/config/uci/parser.ts";
import { writeUci } from "../../../router-daemon/src/config/uci/writer.ts";

const PACKAGE = "kcp-router";
/** ubus status numbers. */
const OK = 0;
const INVALID = 2;
const NOT_FOUND = 4;

type Values = Readonly<Record<string, string | readonly string[]>>;
interface Section {
  readonly name: string;
  readonly type: string;
  readonly anonymous: boolean;
  values: Record<string, string | readonly string[]>;
}

export type UciReply = readonly [number, object?];

export class UciStore {
  readonly #file: string;
  /** Called after the file has changed, as procd's reload trigger is. */
  readonly #changed: () => Promise<void>;
  readonly #staged = new Map<string, { sections: Section[]; changes: string[][] }>();
  #before: string | undefined;

  constructor(file: string, changed: () => Promise<void>) {
    this.#file = file;
    this.#changed = changed;
  }

  call(session: string, method: string, args: Record<string, unknown>): UciReply {
    if (method === "changes") {
      const changes = this.#staged.get(session)?.changes ?? [];
      return [OK, { changes: changes.length === 0 ? {} : { [PACKAGE]: changes } }];
    }
    if (args.config !== PACKAGE) return [NOT_FOUND];
    const sections = this.sections(session);
    const section = sections.find(({ name }) => name === args.section);
    switch (method) {
      case "add": {
        const type = String(args.type);
        const given = typeof args.name === "string" ? args.name : undefined;
        const name = given ?? freshName(sections);
        const values = { ...(args.values as Values) };
        sections.push({ name, type, anonymous: given === undefined, values });
        return this.#stage(session, sections, [["add", name, type], ...settings(name, values)], {
          section: name,
        });
      }
      case "set":
        if (section === undefined) return [NOT_FOUND];
        Object.assign(section.values, args.values as Values);
        return this.#stage(session, sections, settings(section.name, args.values as Values));
      case "delete":
        if (section === undefined) return [NOT_FOUND];
        if (typeof args.option === "string") {
          delete section.values[args.option];
          return this.#stage(session, sections, [["remove", section.name, args.option]]);
        }
        sections.splice(sections.indexOf(section), 1);
        return this.#stage(session, sections, [["remove", section.name]]);
      case "order": {
        const order = args.sections as readonly string[];
        sections.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
        return this.#stage(
          session,
          sections,
          order.map((name, at) => ["order", name, String(at)]),
        );
      }
      default:
        return [INVALID];
    }
  }

  /** What this session would see. */
  sections(session: string): Section[] {
    const known = this.#staged.get(session)?.sections;
    if (known !== undefined) return known;
    const parsed = parseUci(readFileSync(this.#file, "utf8"));
    if (!parsed.ok) throw new Error(parsed.fault.text);
    return parsed.document.sections.map((section, at) => ({
      name: section.name === "" ? `cfg${at.toString(16).padStart(2, "0")}0000` : section.name,
      type: section.type,
      anonymous: section.name === "",
      values: Object.fromEntries(section.options.map(({ name, value }) => [name, value])),
    }));
  }

  #stage(session: string, sections: Section[], more: readonly string[][], answer: object = {}): UciReply {
    const changes = this.#staged.get(session)?.changes ?? [];
    this.#staged.set(session, { sections, changes: [...changes, ...more] });
    return [OK, answer];
  }

  /** Writes what is staged, remembering what was there before. */
  async apply(session: string): Promise<void> {
    this.#before = readFileSync(this.#file, "utf8");
    const document: UciDocument = { sections: this.sections(session).map(written) };
    writeFileSync(this.#file, writeUci(document), { mode: 0o600 });
    this.#staged.delete(session);
    await this.#changed();
  }

  confirm(): void {
    this.#before = undefined;
  }

  /** Nobody confirmed: the admin may be locked out. */
  async rollBack(): Promise<void> {
    if (this.#before === undefined) return;
    writeFileSync(this.#file, this.#before, { mode: 0o600 });
    this.#before = undefined;
    await this.#changed();
  }

  revert(session: string): void {
    this.#staged.delete(session);
  }
}

/** LuCI's indicator counts options, not calls. */
function settings(section: string, values: Values): string[][] {
  return Object.entries(values).map(([option, value]) => ["set", section, option, String(value)]);
}

function written({ name, type, anonymous, values }: Section): UciSection {
  const options = Object.entries(values).map(([option, value]) => ({ name: option, value, lines: [] }));
  return { type, name: anonymous ? "" : name, options: options.filter(({ value }) => value !== ""), line: 0 };
}

function freshName(sections: readonly Section[]): string {
  let number = sections.length;
  while (sections.some(({ name }) => name === `cfg${number}new`)) number++;
  return `cfg${number}new`;
}
