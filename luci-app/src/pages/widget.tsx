import { render } from "preact";
import type { Overview } from "../../../router-daemon/src/api/reports.ts";
import { CallFailure, daemon } from "../luci/call.ts";
import { makeRoot } from "../page.tsx";
import { fill, rate } from "../text/format.ts";

/** LuCI's overview calls `load` at each of its own ticks and shows what `render` gives. */
export const module = baseclass.extend({
  title: _("KCP Router"),
  async load(): Promise<Overview | undefined> {
    try {
      return await daemon("overview", {});
    } catch (failure) {
      if (failure instanceof CallFailure) return undefined;
      throw failure;
    }
  },
  render(answer: Overview | undefined): HTMLElement {
    const { root, content, endTheme } = makeRoot("kcp");
    // LuCI draws it anew at each tick: the theme is of interest once, when the root has its place.
    requestAnimationFrame(() => requestAnimationFrame(endTheme));
    render(<Summary answer={answer} />, content);
    return root;
  },
});

function Summary({ answer }: { readonly answer: Overview | undefined }) {
  if (answer === undefined) return <p>{_("KCP Router is off.")}</p>;
  const { status, node, transports } = answer;
  return (
    <p class="kcp-row">
      <strong class="kcp-text">
        {status.state === "joined"
          ? fill(_("Joined network %s as %s."), node.networkName, node.ipv4)
          : fill(_("Running as %s in network %s, but no peer is reachable."), node.ipv4, node.networkName)}
      </strong>
      <span>
        {fill(
          _("%s connections over KCP, %s over QUIC, %s plain"),
          transports.kcp,
          transports.quic,
          transports.tcp,
        )}
      </span>
      <span class="kcp-number">
        ↓ {rate(status.downRate)} ↑ {rate(status.upRate)}
      </span>
    </p>
  );
}
