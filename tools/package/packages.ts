/** The packages there are: read from their recipes in `feeds/`, filled with what was built. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { PAGE_OUT } from "../page.ts";
import { readTranslations } from "../po.ts";
import { type Recipe, readRecipe } from "./feed-makefile.ts";
import { FileTree } from "./file-tree.ts";
import { compileLmo } from "./lmo.ts";
import type { Manifest } from "./manifest.ts";

const ROOT = join(import.meta.dirname, "../..");
/** Lists of files that sysupgrade keeps. */
const KEPT = "/lib/upgrade/keep.d";

/** The executable of one architecture, where the build leaves it. */
export function executablePath(binary: string): string {
  return join(ROOT, "out/bin", binary, "kcp-router");
}

/**
 * The daemon's package for one of OpenWrt's architectures.
 * @param executable path of the program for it
 */
export function daemonPackage(architecture: string, executable: string): Manifest {
  const recipe = recipeOf("kcp-router");
  const tree = new FileTree();
  for (const { from, to, mode } of recipe.install) {
    const path = from.startsWith("./") ? join(ROOT, "feeds/kcp-router", from) : executable;
    tree.add({ kind: "file", path: to, mode, content: readFileSync(path) });
  }
  const shared = common("kcp-router", recipe);
  // What the user makes beside the package is kept by sysupgrade, too: the build system lists it so.
  const unshipped = shared.conffiles.filter((path) => tree.get(path) === undefined);
  if (unshipped.length > 0) tree.addText(`${KEPT}/kcp-router`, unshipped.map((path) => `${path}\n`).join(""));
  const description = trimmedLines(recipe.part("description"));
  const depends = dependencies(recipe.fields.get("DEPENDS") ?? "");
  const title = recipe.fields.get("TITLE") ?? "";
  const section = recipe.fields.get("SECTION") ?? "";
  return { ...shared, architecture, depends, section, title, description, tree };
}

/** What the page brings for its own cache: LuCI's, and rpcd's list of rights. */
const LUCI_POSTINST = `[ -n "\${IPKG_INSTROOT}" ] && exit 0
rm -f /tmp/luci-indexcache.*
rm -rf /tmp/luci-modulecache/
/etc/init.d/rpcd reload 2>/dev/null
exit 0
`;

/** The page's package, as luci.mk makes it of `htdocs` and `root`; they are what tools/page.ts has built. */
export function pagePackage(): Manifest {
  const recipe = recipeOf("luci-app-kcp-router");
  const tree = new FileTree();
  addFolder(tree, join(PAGE_OUT, "htdocs"), "/www");
  addFolder(tree, join(PAGE_OUT, "root"), "");
  const shared = common("luci-app-kcp-router", recipe);
  return {
    ...shared,
    architecture: recipe.variables.get("LUCI_PKGARCH") ?? "all",
    depends: dependencies(recipe.variables.get("LUCI_DEPENDS") ?? ""),
    section: "luci",
    title: recipe.variables.get("LUCI_TITLE") ?? "",
    description: [recipe.variables.get("LUCI_DESCRIPTION") ?? ""],
    scripts: { ...shared.scripts, postinst: LUCI_POSTINST },
    tree,
  };
}

/** LuCI's name of a language, for files and packages, and what it is called where it is chosen. */
const LANGUAGE_NAMES: Readonly<Record<string, { readonly code: string; readonly title: string }>> = {
  zh_Hans: { code: "zh-cn", title: "简体中文 (Chinese Simplified)" },
};

/** The page in another language, as luci.mk makes it of `po/`: one package per language. */
export function translationPackage(language: string): Manifest {
  const { code, title } = LANGUAGE_NAMES[language] ?? { code: language.toLowerCase(), title: language };
  const page = pagePackage();
  const name = `luci-i18n-kcp-router-${code}`;
  const tree = new FileTree();
  const content = compileLmo(readTranslations(language));
  tree.add({ kind: "file", path: `/usr/lib/lua/luci/i18n/kcp-router.${code}.lmo`, mode: 0o644, content });
  const key = code.replace("-", "_");
  tree.addText(`/etc/uci-defaults/${name}`, `uci set luci.languages.${key}='${title}'; uci commit luci\n`);
  return { ...page, name, title: `${page.title}, ${title}`, description: [], depends: [page.name], tree };
}

function recipeOf(name: string): Recipe {
  return readRecipe(readFileSync(join(ROOT, "feeds", name, "Makefile"), "utf8"), name);
}

function common(name: string, recipe: Recipe) {
  const variable = (key: string): string => recipe.variables.get(key) ?? "";
  return {
    name,
    version: `${variable("PKG_VERSION")}-r${variable("PKG_RELEASE")}`,
    license: variable("PKG_LICENSE"),
    source: `feeds/${name}`,
    url: recipe.fields.get("URL") ?? "",
    maintainer: variable("PKG_MAINTAINER"),
    conffiles: trimmedLines(recipe.part("conffiles")),
    scripts: {
      postinst: recipe.part("postinst"),
      prerm: recipe.part("prerm"),
      postrm: recipe.part("postrm"),
    },
    sourceDateEpoch: sourceDateEpoch(),
  };
}

/** `+kmod-tun +luci-base`: a plus asks menuconfig to select it, and means nothing to a package manager. */
function dependencies(text: string): readonly string[] {
  return text
    .split(/\s+/)
    .filter((word) => word !== "" && !word.startsWith("@"))
    .map((word) => word.replace(/^\+/, ""));
}

function trimmedLines(text: string): readonly string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

function addFolder(tree: FileTree, folder: string, target: string): void {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const mode = statSync(path).mode & 0o111 ? 0o755 : 0o644;
    tree.add({
      kind: "file",
      path: `${target}/${relative(folder, path)}`,
      mode,
      content: readFileSync(path),
    });
  }
}

/** The date of everything in a package: as asked for, else of the last commit, so that a build can be repeated. */
export function sourceDateEpoch(): number {
  const given = process.env.SOURCE_DATE_EPOCH;
  if (given !== undefined && /^\d+$/.test(given)) return Number(given);
  const git = ["log", "-1", "--format=%ct"];
  return Number(execFileSync("git", git, { cwd: ROOT, encoding: "utf8" }).trim());
}
