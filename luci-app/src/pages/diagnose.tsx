import type { CheckResult } from "../../../router-daemon/src/api/reports.ts";
import { Tag } from "../components/badge.tsx";
import { StatusCard } from "../components/status-card.tsx";
import { download } from "../luci/download.ts";
import { Examination } from "../models/diagnosis.ts";
import { Log, type LogRow } from "../models/log.ts";
import { Peers } from "../models/peers.ts";
import { attempt, type PageParts, type PageProps, pollingView } from "../page.tsx";
import { clock, fill } from "../text/format.ts";

/** One click tells what is wrong; below it what happened lately. */
function makeParts(): PageParts {
  const examination = new Examination();
  const log = new Log();
  const peers = new Peers();
  return {
    ask: () => ({ peers: true, after: log.after }),
    take(answer) {
      peers.take(answer);
      log.take(answer);
    },
    view: (props) => <View {...props} examination={examination} log={log} peers={peers} />,
  };
}

export const module = pollingView(makeParts);

interface ViewProps extends PageProps {
  readonly examination: Examination;
  readonly log: Log;
  readonly peers: Peers;
}

function View({ state, writable, examination, log, peers }: ViewProps) {
  if (state.status.value === undefined) return <StatusCard state={state} writable={writable} />;
  const { running, result } = examination;
  return (
    <>
      <section class="cbi-section">
        <h3>{_("Diagnose")}</h3>
        <p>
          {_(
            "Checks this router, and measures the way to one peer with a few small packets. It takes some seconds.",
          )}
        </p>
        <p class="kcp-row">
          <select
            class="cbi-input-select"
            aria-label={_("Peer to measure")}
            value={examination.peerId.value}
            onChange={(event) => (examination.peerId.value = Number(event.currentTarget.value))}
          >
            <option value="0">{_("Any reachable peer")}</option>
            {peers.rows.value.map(({ peerId, hostname }) => (
              <option key={peerId} value={peerId}>
                {hostname || peerId}
              </option>
            ))}
          </select>
          <button
            type="button"
            class="btn cbi-button cbi-button-apply"
            disabled={running.value}
            onClick={() => void attempt(() => examination.run())}
          >
            {running.value ? _("Examining …") : _("Examine")}
          </button>
          <button
            type="button"
            class="btn cbi-button"
            onClick={() =>
              void attempt(async () =>
                download("kcp-router-debug.json", "application/json", await examination.bundle()),
              )
            }
          >
            {_("Download debug bundle")}
          </button>
        </p>
        <div aria-live="polite">
          {result.value !== undefined && (
            <>
              <ul class="kcp-checks">
                {result.value.checks.map((check) => (
                  <Check key={check.code} check={check} />
                ))}
              </ul>
              <p class="kcp-muted">
                {result.value.peerName === ""
                  ? _("No peer was reachable to be measured.")
                  : fill(_("Measured to %s, %s."), result.value.peerName, clock(result.value.time))}
              </p>
            </>
          )}
        </div>
      </section>
      <LogSection log={log} />
    </>
  );
}

const TONES = { passed: "good", failed: "bad", skipped: "muted" } as const;

function Check({ check }: { readonly check: CheckResult }) {
  const words = { passed: _("✔ passed"), failed: _("✘ failed"), skipped: _("– skipped") };
  return (
    <li>
      <span>
        <Tag tone={TONES[check.outcome]}>{words[check.outcome]}</Tag>
      </span>
      <span class="kcp-text">
        <strong>{_(check.title)}</strong> {check.message}
        {check.remedy !== "" && <div>{_(check.remedy)}</div>}
      </span>
    </li>
  );
}

function LogSection({ log }: { readonly log: Log }) {
  const rows = log.shown.value;
  return (
    <section class="cbi-section">
      <h3>{_("Log")}</h3>
      <div class="kcp-row" style={{ marginBottom: ".6em" }}>
        <select
          class="cbi-input-select"
          aria-label={_("Least level")}
          value={log.level.value}
          onChange={(event) => (log.level.value = event.currentTarget.value as LogRow["level"])}
        >
          <option value="info">{_("Everything")}</option>
          <option value="warning">{_("Warnings and errors")}</option>
          <option value="error">{_("Errors only")}</option>
        </select>
        <input
          type="search"
          class="cbi-input-text"
          placeholder={_("Filter the log")}
          aria-label={_("Filter the log")}
          value={log.text.value}
          onInput={(event) => (log.text.value = event.currentTarget.value)}
        />
        <button
          type="button"
          class="btn cbi-button"
          disabled={rows.length === 0}
          onClick={() => download("kcp-router-log.txt", "text/plain", log.asText())}
        >
          {_("Download log")}
        </button>
      </div>
      {rows.length === 0 ? (
        <p>{_("Nothing to show.")}</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
        <section class="kcp-log" tabIndex={0} aria-label={_("Log")}>
          {rows.map(({ sequence, time, level, message }) => (
            <div key={sequence}>
              {clock(time)} {level}: {message}
            </div>
          ))}
        </section>
      )}
    </section>
  );
}
