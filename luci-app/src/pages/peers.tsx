import type { PeerRow, RouteRow } from "../../../router-daemon/src/api/rows.ts";
import { Tag, TransportBadge } from "../components/badge.tsx";
import { Facts } from "../components/facts.tsx";
import { StatusCard } from "../components/status-card.tsx";
import { Peers } from "../models/peers.ts";
import { type PageParts, type PageProps, pollingView } from "../page.tsx";
import { bytes, fill, milliseconds, share, UNKNOWN } from "../text/format.ts";

/** The other nodes and the way to them. */
function makeParts(): PageParts {
  const model = new Peers();
  return {
    ask: () => ({ peers: true, routes: true }),
    take: (answer) => model.take(answer),
    view: (props) => <View {...props} model={model} />,
  };
}

export const module = pollingView(makeParts);

function View({ state, writable, model }: PageProps & { readonly model: Peers }) {
  if (state.status.value === undefined) return <StatusCard state={state} writable={writable} />;
  const rows = model.rows.value;
  return (
    <>
      <section class="cbi-section">
        <h3>{_("Peers")}</h3>
        {!model.known.value ? (
          <p class="kcp-muted">{_("Collecting data …")}</p>
        ) : rows.length === 0 ? (
          <p>{_("No other node is known yet. The log tells what happens to the links.")}</p>
        ) : (
          rows.map((peer) => <Peer key={peer.peerId} peer={peer} all={rows} />)
        )}
        {model.total.value > rows.length && (
          <p class="kcp-muted">{fill(_("%s more are not shown."), model.total.value - rows.length)}</p>
        )}
      </section>
      <section class="cbi-section">
        <h3>{_("Routes")}</h3>
        <Routes rows={model.routes.value} />
        {model.routesTotal.value > model.routes.value.length && (
          <p class="kcp-muted">
            {fill(_("%s more are not shown."), model.routesTotal.value - model.routes.value.length)}
          </p>
        )}
      </section>
    </>
  );
}

function Peer({ peer, all }: { readonly peer: PeerRow; readonly all: readonly PeerRow[] }) {
  return (
    <article class={`kcp-card ${peer.pathLength > 0 ? "good" : "bad"}`}>
      <p class="kcp-row">
        <strong class="kcp-text">{peer.hostname || fill(_("node %s"), peer.peerId)}</strong>
        <span class="kcp-text kcp-muted">{peer.ipv4}</span>
        <Way peer={peer} all={all} />
      </p>
      <p class="kcp-row">
        <TransportBadge transport={peer.choice.transport} />
        <span class="kcp-grow kcp-text">{_(peer.choice.reasonText)}</span>
      </p>
      <Facts
        of={[
          [_("Latency"), milliseconds(peer.latencyMs)],
          [_("Loss"), share(peer.lossShare)],
          [_("Received"), bytes(peer.rxBytes)],
          [_("Sent"), bytes(peer.txBytes)],
          [_("Takes"), takes(peer)],
          [_("Version"), peer.version, "wide"],
          [_("Links"), peer.links.map(({ remote }) => remote).join(", "), "wide"],
          [_("Subnets behind it"), peer.exportedSubnets.join(", "), "wide"],
        ]}
      />
    </article>
  );
}

/** Direct, through whom, or not at all. */
function Way({ peer, all }: { readonly peer: PeerRow; readonly all: readonly PeerRow[] }) {
  if (peer.pathLength === 0) return <Tag tone="bad">{_("not reachable")}</Tag>;
  if (peer.pathLength === 1) return <Tag tone="good">{_("direct")}</Tag>;
  const relay =
    all.find(({ peerId }) => peerId === peer.nextHopPeerId)?.hostname ?? String(peer.nextHopPeerId);
  return (
    <span class="kcp-clip">
      <Tag tone="warn">{_("relayed")}</Tag> <span class="kcp-sub">{fill(_("by %s"), relay)}</span>
    </span>
  );
}

function takes(peer: PeerRow): string {
  const transports = ["TCP", ...(peer.kcpInput ? ["KCP"] : []), ...(peer.quicInput ? ["QUIC"] : [])];
  return transports.join(", ");
}

function Routes({ rows }: { readonly rows: readonly RouteRow[] }) {
  if (rows.length === 0) return <p>{_("There are no routes to other nodes.")}</p>;
  return (
    <div class="kcp-table">
      <table class="table">
        <tbody>
          <tr class="tr table-titles">
            <th class="th">{_("Destination")}</th>
            <th class="th">{_("Node")}</th>
            <th class="th">{_("Next hop")}</th>
            <th class="th">{_("Links on the way")}</th>
            <th class="th">{_("Latency")}</th>
          </tr>
          {rows.map((route) => (
            <tr class="tr" key={`${route.destination} ${route.peerId}`}>
              <td class="td kcp-text" data-title={_("Destination")}>
                {route.destination}
              </td>
              <td class="td kcp-text" data-title={_("Node")}>
                {route.hostname}
              </td>
              <td class="td kcp-text" data-title={_("Next hop")}>
                {route.pathLength === 1 ? _("direct") : route.nextHopHostname || UNKNOWN}
              </td>
              <td class="td" data-title={_("Links on the way")}>
                {route.pathLength === 0 ? _("not reachable") : route.pathLength}
              </td>
              <td class="td" data-title={_("Latency")}>
                {milliseconds(route.pathLatencyMs)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
