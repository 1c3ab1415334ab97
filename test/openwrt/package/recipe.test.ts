import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { VERSION } from "../../../router-daemon/src/api/version.ts";
import { readRecipe } from "../../../tools/package/feed-makefile.ts";
import { daemonPackage, pagePackage } from "../../../tools/package/packages.ts";

const FEEDS = join(import.meta.dirname, "../../../feeds");
/** Any file does: what is in the program is no matter of the package. */
const daemon = daemonPackage("x86_64", join(FEEDS, "kcp-router/files/kcp-router.config"));

test("both recipes carry the version of the program", (t) => {
  t.is(daemon.version, `${VERSION}-r1`);
  t.is(pagePackage().version, `${VERSION}-r1`);
});

test("the daemon's package has program, configuration, init script and hotplug script with the modes they need", (t) => {
  const modes = daemon.tree.entries.map((entry) => [entry.path, entry.kind === "file" ? entry.mode : 0]);
  t.deepEqual(modes, [
    ["/etc/capabilities/kcp-router.json", 0o644],
    ["/etc/config/kcp-router", 0o600],
    ["/etc/hotplug.d/net/60-kcp-router", 0o644],
    ["/etc/init.d/kcp-router", 0o755],
    ["/etc/uci-defaults/60-kcp-router", 0o755],
    ["/lib/upgrade/keep.d/kcp-router", 0o644],
    ["/usr/sbin/kcp-router", 0o755],
    ["/usr/share/kcp-router/firewall.include", 0o644],
  ]);
  t.deepEqual(daemon.depends, ["kmod-tun"]);
});

test("sysupgrade keeps the configuration, and the tokens that the user may have made beside it", (t) => {
  t.deepEqual(daemon.conffiles, ["/etc/config/kcp-router", "/etc/kcp-router.tokens"]);
  const kept = daemon.tree.get("/lib/upgrade/keep.d/kcp-router");
  t.is(kept?.kind === "file" ? String(kept.content) : "", "/etc/kcp-router.tokens\n");
});

test("the page's package is for every architecture and clears LuCI's caches", (t) => {
  const page = pagePackage();
  t.is(page.architecture, "all");
  t.deepEqual(page.depends, ["luci-base", "kcp-router"]);
  t.regex(
    page.scripts.postinst,
    /rm -f \/tmp\/luci-indexcache\.\*\nrm -rf \/tmp\/luci-modulecache\/\n.*rpcd reload/,
  );
});

test("every shell script of the packages is understood by the shell of the router", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "scripts-"));
  const check = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    t.notThrows(() => execFileSync("busybox", ["ash", "-n", path]), name);
  };
  for (const script of ["init", "hotplug", "defaults", "include"]) {
    check(script, readFileSync(join(FEEDS, `kcp-router/files/kcp-router.${script}`), "utf8"));
  }
  for (const manifest of [daemon, pagePackage()]) {
    check("postinst", manifest.scripts.postinst);
    check("prerm", manifest.scripts.prerm);
  }
  rmSync(folder, { recursive: true });
});

test("a recipe's install lines are followed as the build system does, and no other line is passed over", (t) => {
  const text = `PKG_VERSION:=1.0
define Package/x
  TITLE:=An x
endef
define Package/x/postinst
echo "$\${IPKG_INSTROOT}"
endef
define Package/x/install
	$(INSTALL_DIR) $(1)/etc
	$(INSTALL_CONF) ./files/a $(1)/etc/b
	$(INSTALL_BIN) ./files/c $(1)/usr/bin/
endef
`;
  const recipe = readRecipe(text, "x");
  t.is(recipe.variables.get("PKG_VERSION"), "1.0");
  t.is(recipe.fields.get("TITLE"), "An x");
  t.is(recipe.part("postinst"), `echo "$\{IPKG_INSTROOT}"\n`);
  t.deepEqual(recipe.install, [
    { from: "./files/a", to: "/etc/b", mode: 0o600 },
    { from: "./files/c", to: "/usr/bin/c", mode: 0o755 },
  ]);
  t.throws(() => readRecipe(text.replace("$(INSTALL_DIR)", "$(CP)"), "x"), { message: /not understood/ });
});
