import type { LogLevel } from "./config.ts";
import { shownValue } from "./problem.ts";
import { Secret } from "./secret.ts";

/** Where a value was written: TOML has types, flags and uci have only text, each with its own words for a switch. */
export type ValueForm = "typed" | "flag" | "uci";

/** A parsed value, or full sentences: what was found, what is allowed, what to do. They never hold a secret. */
export type KindResult<T> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false;
      readonly text: string;
      /** The part that is wrong, of a value that has parts: `ports` of a rule. */
      readonly part?: string;
    };

/** What a form needs to know to offer a fitting field. */
export type Shape =
  | { readonly type: "switch" }
  | { readonly type: "integer"; readonly min: number; readonly max: number }
  | { readonly type: "choice"; readonly choices: readonly string[] }
  /** Text; `datatype` tells what it means, so that values from the router can be suggested. */
  | { readonly type: "text"; readonly datatype: Datatype }
  | { readonly type: "secret" }
  /** A value with parts. */
  | { readonly type: "parts" };
export type Datatype =
  | "name"
  | "hostname"
  | "uuid"
  | "device"
  | "path"
  | "interface_address"
  | "exported_subnet"
  | "network"
  | "ports"
  | "listener_url"
  | "peer_url";

/** A value as it is written down: with types in TOML, as text in uci. A rule is a table of texts. */
export type Plain = string | number | boolean | Readonly<Record<string, string>>;

/** A value as uci has it: everything is text. */
export function uciText(value: Plain): string {
  return typeof value === "boolean" ? (value ? "1" : "0") : String(value);
}

/** A type of value: how it is read, written and named. */
export interface Kind<T> {
  /** Stands for the value in help texts: `FILE`; empty for a switch. */
  readonly placeholder: string;
  /** What is allowed, in words. */
  readonly allowed: string;
  readonly shape: Shape;
  parse(value: unknown, form: ValueForm): KindResult<T>;
  /** What `parse` makes the same value of. */
  write(value: T): Plain;
}

export function notAllowed<T>(value: unknown, allowed: string, remedy = ""): KindResult<T> {
  const sentence = `${shownValue(value)} was found; allowed is ${allowed}.`;
  return { ok: false, text: remedy === "" ? sentence : `${sentence} ${remedy}` };
}

/** What is allowed as a switch in uci; scripts and LuCI write 1 and 0. */
export const UCI_SWITCH_ALLOWED = "1 or 0 (also on, off, yes, no, true, false, enabled, disabled)";
const UCI_ON = ["1", "on", "true", "yes", "enabled"];
const UCI_OFF = ["0", "off", "false", "no", "disabled"];

export const switchKind: Kind<boolean> = {
  placeholder: "",
  allowed: "true or false",
  shape: { type: "switch" },
  parse(value, form) {
    if (form === "uci") return parseUciSwitch(value);
    const given = form === "flag" && (value === "true" || value === "false") ? value === "true" : value;
    if (typeof given === "boolean") return { ok: true, value: given };
    const remedy = value === "true" || value === "false" ? "Write it without quotes." : "";
    return notAllowed(value, this.allowed, remedy);
  },
  write: (value) => value,
};

function parseUciSwitch(value: unknown): KindResult<boolean> {
  const word = typeof value === "string" ? value.toLowerCase() : "";
  if (UCI_ON.includes(word)) return { ok: true, value: true };
  if (UCI_OFF.includes(word)) return { ok: true, value: false };
  return notAllowed(value, UCI_SWITCH_ALLOWED);
}

export function integerKind(placeholder: string, min: number, max: number): Kind<number> {
  return {
    placeholder,
    allowed: `a whole number from ${min} to ${max}`,
    shape: { type: "integer", min, max },
    parse(value, form) {
      const isText = form !== "typed" && typeof value === "string" && /^\d{1,12}$/.test(value);
      const given = isText ? Number(value) : value;
      if (typeof given === "number" && Number.isInteger(given) && given >= min && given <= max) {
        return { ok: true, value: given };
      }
      const quoted = typeof value === "string" && /^\d+$/.test(value);
      return notAllowed(value, this.allowed, quoted && form === "typed" ? "Write it without quotes." : "");
    },
    write: (value) => value,
  };
}

/** The same, with 0 for "chosen automatically". */
export function automaticKind(placeholder: string, min: number, max: number): Kind<number> {
  const exact = integerKind(placeholder, min, max);
  const zero = integerKind(placeholder, 0, 0);
  return {
    ...exact,
    allowed: `0 (automatic) or ${exact.allowed}`,
    shape: { type: "integer", min: 0, max },
    parse(value, form) {
      const automatic = zero.parse(value, form);
      return automatic.ok ? automatic : exact.parse.call(this, value, form);
    },
  };
}

export function choiceKind<T extends string>(placeholder: string, choices: readonly T[]): Kind<T> {
  return {
    placeholder,
    allowed: choices.map((choice) => `"${choice}"`).join(", "),
    shape: { type: "choice", choices },
    parse(value) {
      const given = typeof value === "string" ? value.toLowerCase() : value;
      const choice = choices.find((candidate) => candidate === given);
      return choice === undefined ? notAllowed(value, this.allowed) : { ok: true, value: choice };
    },
    write: (value) => value,
  };
}

/** Text that a check accepts. */
function textKind(
  placeholder: string,
  datatype: Datatype,
  allowed: string,
  accepts: (text: string) => boolean,
): Kind<string> {
  return {
    placeholder,
    allowed,
    shape: { type: "text", datatype },
    parse(value) {
      return typeof value === "string" && accepts(value) ? { ok: true, value } : notAllowed(value, allowed);
    },
    write: (value) => value,
  };
}

/** Control characters and what turns the direction of writing: names are shown to people. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

export const networkNameKind = textKind(
  "NAME",
  "name",
  "a name of 1 to 128 printable characters",
  (text) => text.length >= 1 && text.length <= 128 && !UNPRINTABLE.test(text),
);

export const hostnameKind = textKind(
  "NAME",
  "hostname",
  "a name of 1 to 64 printable characters",
  (text) => text.length >= 1 && text.length <= 64 && !UNPRINTABLE.test(text) && text.trim() === text,
);

/** What the user calls an entry; nothing depends on it. */
export const labelKind = textKind(
  "NAME",
  "name",
  "a name of 1 to 64 printable characters",
  (text) => text.length >= 1 && text.length <= 64 && !UNPRINTABLE.test(text),
);

export const deviceKind = textKind(
  "NAME",
  "device",
  "a device name of 1 to 15 letters, digits, dots, dashes and underscores",
  (text) => /^[A-Za-z0-9._-]{1,15}$/.test(text) && text !== "." && text !== "..",
);

export const uuidKind = textKind("UUID", "uuid", "a UUID like 6ba7b810-9dad-41d1-80b4-00c04fd430c8", (text) =>
  /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text),
);

/** Bytes of `sun_path` in Linux' `struct sockaddr_un`, less the closing zero. */
export const MAX_SOCKET_PATH_BYTES = 107;

export const socketPathKind = textKind(
  "PATH",
  "path",
  `an absolute path of at most ${MAX_SOCKET_PATH_BYTES} characters without spaces at its ends`,
  (text) =>
    text.startsWith("/") &&
    !text.endsWith("/") &&
    text.trim() === text &&
    /^[\x20-\x7e]*$/.test(text) &&
    text.length <= MAX_SOCKET_PATH_BYTES,
);

/** Longest network secret in characters. */
export const MAX_SECRET_LENGTH = 4096;

/** Never shows what was found, not even of the wrong type. `write` gives the text itself: ask first whether that is wanted. */
export const secretKind: Kind<Secret> = {
  placeholder: "SECRET",
  allowed: `a text of at most ${MAX_SECRET_LENGTH} characters`,
  shape: { type: "secret" },
  parse(value) {
    if (typeof value === "string" && value.length <= MAX_SECRET_LENGTH)
      return { ok: true, value: new Secret(value) };
    const found = typeof value === "string" ? "A longer text" : "Something that is not a text";
    return {
      ok: false,
      text: `${found} was found (it is not shown); allowed is ${this.allowed}. Put it in quotes.`,
    };
  },
  write: (value) => value.reveal(),
};

export const logLevelKind: Kind<LogLevel> = choiceKind("LEVEL", ["off", "error", "warn", "info"]);
