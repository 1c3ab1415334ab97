import { findMethod, METHOD_NAMES } from "./methods.ts";
import { UBUS_PATH } from "./ubus-object.ts";

/** Name of the access group, of its file, and of what the menu asks for. */
export const ACL_GROUP = "luci-app-kcp-router";

/** Objects of the router that the page asks besides the daemon's own. */
const READ_OBJECTS = {
  // Settings without the secret, also while the daemon is stopped.
  "kcp-router-settings": ["get"],
  // Is the daemon running?
  service: ["list"],
  // Names of LAN devices.
  "luci-rpc": ["getHostHints"],
  // Networks that may be exported.
  "network.interface": ["dump"],
};
const WRITE_OBJECTS = {
  // Start, stop, restart.
  rc: ["init"],
};

/**
 * The access list by which rpcd decides what a login may call (conventions.md 2.10): one group with what only looks and what
 * changes something, both from the method table. Who may only look is not let to the configuration by rpcd's own `uci`, which
 * would hand him the network's secret. Who may write is: without the right to read, rpcd neither tells of his unsaved changes nor
 * takes them back.
 */
export function rpcdAccessList(): object {
  return {
    [ACL_GROUP]: {
      description: "Grant access to KCP Router",
      read: { ubus: { [UBUS_PATH]: methodsWith("read"), ...READ_OBJECTS } },
      write: {
        ubus: { [UBUS_PATH]: methodsWith("write"), ...WRITE_OBJECTS },
        uci: { [UBUS_PATH]: ["read", "write"] },
      },
    },
  };
}

function methodsWith(access: "read" | "write"): string[] {
  return METHOD_NAMES.filter((name) => findMethod(name)?.access === access);
}
