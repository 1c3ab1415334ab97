import type { Problem, StatusInfo } from "../../../router-daemon/src/api/reports.ts";
import type { DaemonState } from "../models/daemon-state.ts";
import type { ServiceState } from "../models/service.ts";
import { bytes, duration, fill } from "../text/format.ts";
import { problemText, remedyText } from "../text/problems.ts";
import { Tag } from "./badge.tsx";
import { Facts } from "./facts.tsx";

type Tone = "good" | "warn" | "bad" | "";

/** Is it working, in words. */
export function StatusCard({ state, writable }: { readonly state: DaemonState; readonly writable: boolean }) {
  const status = state.status.value;
  const service = state.service.value;
  if (status !== undefined) return <Running state={state} status={status} writable={writable} />;
  if (service === undefined) {
    const failure = state.failure.value;
    return failure === undefined ? (
      <Card tone="" headline={_("Collecting data …")} />
    ) : (
      <Card tone="bad" headline={_("The router does not answer.")} text={failure.message} />
    );
  }
  const [tone, headline, text] = serviceWords(service);
  return (
    <Card tone={tone} headline={headline} text={text}>
      {writable && service.kind !== "starting" && service.kind !== "restarting" && (
        <p>
          <button
            type="button"
            class="btn cbi-button cbi-button-apply"
            disabled={state.busy.value}
            onClick={() => void state.order("start")}
          >
            {_("Start")}
          </button>
        </p>
      )}
    </Card>
  );
}

function serviceWords(service: ServiceState): readonly [Tone, string, string] {
  switch (service.kind) {
    case "off":
      return [
        "",
        _("KCP Router is off."),
        _("The LAN's connections go their ordinary way. Switch it on under Settings, or start it here."),
      ];
    case "starting":
      return ["warn", _("KCP Router is starting …"), ""];
    case "restarting":
      return [
        "warn",
        fill(
          _("KCP Router has crashed (exit code %s) and is started again in some seconds."),
          service.exitCode,
        ),
        _("The LAN's connections go their ordinary way meanwhile."),
      ];
    case "stood_down":
      return [
        "bad",
        fill(_("KCP Router has stood down after several crashes (last exit code %s)."), service.exitCode),
        _(
          "The LAN's connections go their ordinary way. The system log says why it ended; start it again when the cause is gone.",
        ),
      ];
    case "unknown":
      return [
        "bad",
        _("KCP Router does not answer, and this login may not see whether it runs."),
        service.message,
      ];
  }
}

function Running({
  state,
  status,
  writable,
}: {
  readonly state: DaemonState;
  readonly status: StatusInfo;
  readonly writable: boolean;
}) {
  const node = state.node.value;
  const stale = state.failure.value;
  const tone = status.state === "joined" ? (status.problems.length === 0 ? "good" : "warn") : "bad";
  const { memory, connections } = status;
  return (
    <Card
      tone={stale === undefined ? tone : "warn"}
      headline={headline(status, node?.ipv4 ?? "", node?.networkName ?? "")}
    >
      {stale !== undefined && (
        <p role="status">
          {fill(_("The last question got no answer; what is shown is older: %s"), stale.message)}
        </p>
      )}
      <Problems problems={status.problems} />
      <Facts
        of={[
          [_("Own address"), node?.ipv4 ?? ""],
          [_("Host name"), node?.hostname ?? ""],
          [_("Running for"), duration(state.uptimeMs.value)],
          [_("Connections"), fill(_("%s of at most %s"), connections.live, connections.limit)],
          [_("Memory for payload"), <Memory key="memory" memory={memory} />, "wide"],
          [_("Process"), bytes(memory.residentBytes)],
        ]}
      />
      {writable && (
        <p class="kcp-row">
          <button
            type="button"
            class="btn cbi-button cbi-button-neutral"
            disabled={state.busy.value}
            onClick={() => void state.order("restart")}
          >
            {_("Restart")}
          </button>
          <button
            type="button"
            class="btn cbi-button cbi-button-negative"
            disabled={state.busy.value}
            onClick={() => void state.order("stop")}
          >
            {_("Stop")}
          </button>
        </p>
      )}
    </Card>
  );
}

/** What payload occupies of its budget, and what follows from that for connections. */
function Memory({ memory }: { readonly memory: StatusInfo["memory"] }) {
  const [tone, word] = levelWords(memory.level);
  return (
    <>
      {fill(_("%s of %s"), bytes(memory.usedBytes), bytes(memory.budgetBytes))} <Tag tone={tone}>{word}</Tag>
    </>
  );
}

function levelWords(level: StatusInfo["memory"]["level"]): readonly ["good" | "warn" | "bad", string] {
  switch (level) {
    case "normal":
      return ["good", _("normal")];
    case "saving":
      return ["warn", _("plain only")];
    case "shedding":
      return ["bad", _("shedding")];
  }
}

function headline(status: StatusInfo, address: string, network: string): string {
  switch (status.state) {
    case "joined":
      return fill(_("Joined network %s as %s."), network, address);
    case "alone":
      return fill(_("Running as %s in network %s, but no peer is reachable."), address, network);
    case "starting":
      return _("KCP Router is starting …");
    case "stopping":
      return _("KCP Router is stopping …");
  }
}

function Problems({ problems }: { readonly problems: readonly Problem[] }) {
  if (problems.length === 0) return null;
  return (
    <ul class="kcp-problems">
      {problems.map((problem) => (
        <li key={problem.code}>
          {problemText(problem)} <span class="kcp-muted">{remedyText(problem)}</span>
        </li>
      ))}
    </ul>
  );
}

function Card(props: {
  readonly tone: Tone;
  readonly headline: string;
  readonly text?: string;
  readonly children?: preact.ComponentChildren;
}) {
  return (
    <section class={`kcp-card ${props.tone}`} aria-live="polite">
      <p class="kcp-headline kcp-text">{props.headline}</p>
      {props.text !== undefined && props.text !== "" && <p class="kcp-text">{props.text}</p>}
      {props.children}
    </section>
  );
}
