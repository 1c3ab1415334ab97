/**
 * LuCI's view of the state: asks the router at once, and reads the page meanwhile. A view that requires the library by a directive
 * would begin only when that is there: on a slow phone or router the answer is nearly there by then.
 */
import type { StatusParts } from "./status.tsx";

const overview = rpc.declare({ object: "kcp-router", method: "overview", nobatch: true });

/** LuCI itself finds out how ubus is reached, and remembers it; before that its calls take the slow way through a script. */
async function ask(): Promise<unknown> {
  rpc.setBaseURL(await L.probeRPCBaseURL());
  return overview();
}

let asked: Promise<unknown> | undefined = ask();
// The page looks after the failure; until it is there it is nobody's.
asked.catch(() => {});
const library = L.require("kcp-router.lib");

export const module = view.extend({
  handleSave: null,
  handleSaveApply: null,
  handleReset: null,
  load: () => library,
  render({ modules }: { readonly modules: { readonly "pages/status.tsx": StatusParts } }): HTMLElement {
    // A theme that comes back to the page without loading it wants a fresh answer.
    const first = asked;
    asked = undefined;
    return modules["pages/status.tsx"].showStatus(first);
  },
});
