import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { ACL_GROUP, rpcdAccessList } from "../../../router-daemon/src/api/acl.ts";
import { findMethod, METHOD_NAMES } from "../../../router-daemon/src/api/methods.ts";
import { type AccessFile, NO_SESSION, Rpcd } from "../../openwrt/rpcd.ts";

const FILE = "../../../luci-app/root/usr/share/rpcd/acl.d/luci-app-kcp-router.json";

function shipped(): AccessFile {
  return JSON.parse(readFileSync(join(import.meta.dirname, FILE), "utf8")) as AccessFile;
}

const nobody = async () => ({ status: 4, data: [] });

test("the file that is shipped is the one that the table gives", (t) => {
  t.deepEqual(shipped() as object, rpcdAccessList());
});

test("who may look can call every method that reads, and none that writes; who may write can call all", (t) => {
  const rpcd = new Rpcd([shipped()], nobody);
  const reader = rpcd.login({ read: [ACL_GROUP], write: [] });
  const writer = rpcd.login({ read: ["*"], write: ["*"] });
  const stranger = rpcd.login({ read: ["luci-app-other"], write: ["!luci-app-kcp-router", "other-*"] });
  for (const name of METHOD_NAMES) {
    t.is(rpcd.allows(reader, "ubus", "kcp-router", name), findMethod(name)?.access === "read", name);
    t.true(rpcd.allows(writer, "ubus", "kcp-router", name), name);
    t.false(rpcd.allows(stranger, "ubus", "kcp-router", name), name);
    t.false(rpcd.allows(NO_SESSION, "ubus", "kcp-router", name), name);
  }
  t.false(rpcd.allows(writer, "ubus", "kcp-router", "secret"));
});

test("who may only look does not read the configuration, with the secret in it, through rpcd; who may write does", (t) => {
  const rpcd = new Rpcd([shipped()], nobody);
  const reader = rpcd.login({ read: ["*"], write: [] });
  const writer = rpcd.login({ read: ["*"], write: ["*"] });
  for (const right of ["read", "write"]) {
    t.false(rpcd.allows(reader, "uci", "kcp-router", right), right);
    t.true(rpcd.allows(writer, "uci", "kcp-router", right), right);
  }
  t.false(rpcd.allows(writer, "uci", "network", "write"));
  t.false(rpcd.allows(reader, "ubus", "rc", "init"));
});
