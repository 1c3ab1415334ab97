import type { Config } from "../../../router-daemon/src/config/config.ts";
import { type FileAccess, loadConfig } from "../../../router-daemon/src/config/load.ts";
import { type Problem, problemSentence } from "../../../router-daemon/src/config/problem.ts";
import { DEFAULT_UCI_FILE } from "../../../router-daemon/src/config/uci/sections.ts";
import type { Verified } from "../../../router-daemon/src/config/verify.ts";

/** A file system of a few texts. Modes are 0600 unless told otherwise. */
export function filesOf(texts: Readonly<Record<string, string>>, mode = 0o100600): FileAccess {
  return {
    read(path, maxBytes) {
      const text = texts[path];
      if (text === undefined)
        return { ok: false, reason: "there is no such file. Name an existing one.", missing: true };
      if (text.length > maxBytes) return { ok: false, reason: `it is larger than ${maxBytes} bytes.` };
      return { ok: true, text, mode };
    },
  };
}

export interface Outcome {
  readonly config: Config | undefined;
  /** What of it was written. */
  readonly written: Partial<Config> | undefined;
  readonly problems: readonly Problem[];
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** Loads flags, with `a.toml` as their file when a text is given. */
export function load(args: readonly string[], toml?: string, mode?: number): Outcome {
  const loaded = loadConfig({
    args: toml === undefined ? args : ["-c", "a.toml", ...args],
    files: filesOf(toml === undefined ? {} : { "a.toml": toml }, mode),
    systemHostname: "box",
  });
  return outcomeOf(loaded);
}

/** Loads the text of /etc/config/kcp-router. */
export function loadUci(text: string, args: readonly string[] = [], mode?: number): Outcome {
  const files = filesOf({ [DEFAULT_UCI_FILE]: text }, mode);
  const loaded = loadConfig({ args, files, systemHostname: "box" });
  return outcomeOf(loaded);
}

export function outcomeOf(loaded: Verified): Outcome {
  const { problems } = loaded;
  const sentences = (severity: Problem["severity"]) =>
    problems.filter((problem) => problem.severity === severity).map(problemSentence);
  return {
    config: loaded.ok ? loaded.config : undefined,
    written: loaded.ok ? loaded.written : undefined,
    problems,
    errors: sentences("error"),
    warnings: sentences("warning"),
  };
}

/** The least that makes a configuration complete and free of warnings. */
export const MINIMAL = `ipv4 = "10.126.126.1/24"
[network_identity]
network_name = "lab"
network_secret = "hunter2"
`;

/** A configuration with one more piece of TOML: lines for the top of the file, and sections for its end. */
export function withToml(top: string, sections = ""): Outcome {
  return load([], `${top}\n${MINIMAL}\n${sections}`);
}
