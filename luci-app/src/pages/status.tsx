import type { FlagState } from "../../../router-daemon/src/config/config.ts";
import { Tag } from "../components/badge.tsx";
import { RateChart } from "../components/rate-chart.tsx";
import { StatusCard } from "../components/status-card.tsx";
import { mountPage, type PageProps } from "../page.tsx";

/** `asked` = the first answer is on its way already, as LuCI's `rpc` gives it. */
export function showStatus(asked: Promise<unknown> | undefined): HTMLElement {
  return mountPage({ asked, view: (props) => <View {...props} /> });
}

/** What the view, a module of its own, takes from the library. */
export interface StatusParts {
  readonly showStatus: typeof showStatus;
}

/** Is it working, for how much traffic, and with which switches. */
function View({ state, writable }: PageProps) {
  const status = state.status.value;
  return (
    <>
      <StatusCard state={state} writable={writable} />
      {status !== undefined && (
        <>
          <section class="cbi-section">
            <h3>{_("Traffic")}</h3>
            <RateChart points={state.rates.points} />
          </section>
          <section class="cbi-section">
            <h3>{_("Switches in force")}</h3>
            <div class="kcp-table">
              <table class="table">
                <tbody>
                  <tr class="tr table-titles">
                    <th class="th">{_("Switch")}</th>
                    <th class="th">{_("In force")}</th>
                    <th class="th">{_("Note")}</th>
                  </tr>
                  {status.flags.map((flag) => (
                    <Flag key={flag.name} flag={flag} />
                  ))}
                </tbody>
              </table>
            </div>
          </section>
        </>
      )}
    </>
  );
}

function Flag({ flag }: { readonly flag: FlagState }) {
  return (
    <tr class="tr">
      <td class="td" data-title={_("Switch")}>
        <code>{flag.name}</code>
      </td>
      <td class="td" data-title={_("In force")}>
        <Tag tone={flag.effective ? "good" : "muted"}>{flag.effective ? _("on") : _("off")}</Tag>
      </td>
      <td class="td" data-title={flag.note === "" ? undefined : _("Note")}>
        {flag.note === "" ? "" : _(flag.note)}
      </td>
    </tr>
  );
}
