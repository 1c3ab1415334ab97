/**
 * Reads a package's recipe as OpenWrt's build system does, as far as the recipes in `feeds/` go: variables, and `define
 * Package/…` with the install lines. Metadata, scripts and file list have one home, whoever builds the package.
 */

/** One line of `Package/x/install`. */
export interface InstallStep {
  /** Relative to the recipe, `./files/kcp-router.init`, or what the build made: `$(PKG_BUILD_DIR)/kcp-router`. */
  readonly from: string;
  /** Absolute path on the router. */
  readonly to: string;
  readonly mode: number;
}

export interface Recipe {
  readonly variables: ReadonlyMap<string, string>;
  /** The variables inside `define Package/x`. */
  readonly fields: ReadonlyMap<string, string>;
  /** The text of `define Package/x/<part>`, empty when there is none. */
  part(name: string): string;
  readonly install: readonly InstallStep[];
}

/** What the build system's install commands do to a file's mode. */
const MODES: Readonly<Record<string, number>> = {
  INSTALL_BIN: 0o755,
  INSTALL_DATA: 0o644,
  INSTALL_CONF: 0o600,
};

/** @param name the package, one of those the recipe defines. */
export function readRecipe(text: string, name: string): Recipe {
  const defines = new Map<string, string>();
  const outside = text.replace(
    /^define (\S+)\n([\s\S]*?)^endef$/gm,
    (_, key: string, body: string): string => {
      defines.set(key, body);
      return "";
    },
  );
  const part = (key: string): string =>
    unescapeMake(defines.get(`Package/${name}${key === "" ? "" : `/${key}`}`) ?? "");
  return {
    variables: assignments(outside),
    fields: assignments(part("")),
    part,
    install: part("install").split("\n").flatMap(installStep),
  };
}

/** `NAME:=value`, `NAME=value`; names of other variables in it stay as they are. */
function assignments(text: string): ReadonlyMap<string, string> {
  const joined = text.replace(/\\\n\s*/g, " ");
  const found = [...joined.matchAll(/^\s*([A-Z_]+)\s*:?=\s*(.*)$/gm)];
  return new Map(found.map(([, key = "", value = ""]) => [key, value.trim()]));
}

/** make's `$$` is the shell's `$`. */
function unescapeMake(text: string): string {
  return text.replaceAll("$$", "$");
}

function installStep(line: string): readonly InstallStep[] {
  const match = /^\t\$\((INSTALL_\w+)\) (\S+)(?: \$\(1\)(\S+))?$/.exec(line);
  if (match === null) {
    if (line.trim() === "") return [];
    throw new Error(`This install line is not understood: ${line.trim()}`);
  }
  const [, command = "", from = "", to] = match;
  if (command === "INSTALL_DIR") return [];
  const mode = MODES[command];
  if (mode === undefined || to === undefined)
    throw new Error(`This install line is not understood: ${line.trim()}`);
  return [{ from, to: to.endsWith("/") ? `${to}${from.slice(from.lastIndexOf("/") + 1)}` : to, mode }];
}
