import type { PeerRow } from "../../../router-daemon/src/api/rows.ts";
import { TransportBadge } from "./badge.tsx";

/** What a TCP connection to each peer would use, and why: seen before there is any. */
export function Choices({ peers }: { readonly peers: readonly PeerRow[] }) {
  if (peers.length === 0) return <p>{_("No other node is known yet.")}</p>;
  return (
    <div class="kcp-table">
      <table class="table">
        <tbody>
          <tr class="tr table-titles">
            <th class="th">{_("Node")}</th>
            <th class="th">{_("Transport")}</th>
            <th class="th">{_("Why")}</th>
          </tr>
          {peers.map((peer) => (
            <tr class="tr" key={peer.peerId}>
              <td class="td kcp-text" data-title={_("Node")}>
                {peer.hostname} {peer.ipv4 !== "" && <span class="kcp-sub">{peer.ipv4}</span>}
              </td>
              <td class="td" data-title={_("Transport")}>
                <TransportBadge transport={peer.choice.transport} />
              </td>
              <td class="td kcp-text" data-title={_("Why")}>
                {_(peer.choice.reasonText)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
