/** The page's packages, with what tools/page.ts builds. */
import test from "ava";
import { buildApk } from "../../../tools/package/apk.ts";
import { buildIpk } from "../../../tools/package/ipk.ts";
import { lmoHash } from "../../../tools/package/lmo.ts";
import { pagePackage, translationPackage } from "../../../tools/package/packages.ts";
import { buildPage } from "../../../tools/page.ts";

const MAX_PACKAGE_BYTES = 60 * 1024;

test.before(async () => {
  await buildPage();
});

test("the page's package holds bundle, views, menu and rights, and is small", (t) => {
  const page = pagePackage();
  const paths = page.tree.entries.map(({ path }) => path);
  for (const path of [
    "/usr/share/luci/menu.d/luci-app-kcp-router.json",
    "/usr/share/rpcd/acl.d/luci-app-kcp-router.json",
    "/www/luci-static/resources/kcp-router/lib.js",
    "/www/luci-static/resources/view/kcp-router/status.js",
  ]) {
    t.true(paths.includes(path), path);
  }
  for (const { length } of [buildIpk(page), buildApk(page).bytes]) {
    t.true(length <= MAX_PACKAGE_BYTES, `${length} bytes`);
  }
});

test("a translation is a package of its own, under LuCI's name of the language", (t) => {
  const chinese = translationPackage("zh_Hans");
  t.is(chinese.name, "luci-i18n-kcp-router-zh-cn");
  t.deepEqual(chinese.depends, ["luci-app-kcp-router"]);
  const catalogue = chinese.tree.get("/usr/lib/lua/luci/i18n/kcp-router.zh-cn.lmo");
  const bytes = catalogue?.kind === "file" ? Buffer.from(catalogue.content) : Buffer.alloc(4);
  // A text of the page is found by its hash in the index at the end.
  const key = lmoHash(Buffer.from("%s more are not shown."));
  const index = bytes.subarray(bytes.readUInt32BE(bytes.length - 4), -4);
  const keys = Array.from({ length: index.length / 16 }, (_, at) => index.readUInt32BE(at * 16));
  t.true(keys.includes(key));
  const registered = chinese.tree.get("/etc/uci-defaults/luci-i18n-kcp-router-zh-cn");
  t.regex(String(registered?.kind === "file" && Buffer.from(registered.content)), /luci\.languages\.zh_cn=/);
});
