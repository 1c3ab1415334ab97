import type { ConnectionRow } from "../../../router-daemon/src/api/rows.ts";
import type { Devices } from "../models/devices.ts";
import { bytes, clock, duration, hostOf, milliseconds, rate, share } from "../text/format.ts";
import { TransportBadge } from "./badge.tsx";
import { Facts } from "./facts.tsx";

interface DetailsProps {
  readonly row: ConnectionRow;
  readonly devices: Devices;
  readonly writable: boolean;
  readonly onEnd: () => void;
  readonly onHide: () => void;
}

/** Everything about one connection, why it goes the way it does first. */
export function ConnectionDetails({ row, devices, writable, onEnd, onHide }: DetailsProps) {
  return (
    <section class="kcp-card" aria-label={_("Details of the connection")}>
      <p class="kcp-row">
        <TransportBadge transport={row.transport} />
        <strong class="kcp-grow kcp-text">{_(row.reasonText)}</strong>
      </p>
      <Facts
        of={[
          [_("Device"), `${devices.nameOf(hostOf(row.src))} (${row.src})`, "wide"],
          [_("Destination"), row.dst],
          [_("Other node"), `${row.peerName} (${row.peerId})`, "wide"],
          [_("State"), row.state],
          [_("Reason code"), row.reason],
          [_("Begun"), clock(row.startTime), "wide"],
          [_("Age"), duration(row.ageMs)],
          [_("Down"), `${bytes(row.downBytes)}, ${rate(row.downRate)}`, "wide"],
          [_("Up"), `${bytes(row.upBytes)}, ${rate(row.upRate)}`, "wide"],
          [_("Round trip"), milliseconds(row.rttMs)],
          [_("Repeated packets"), share(row.retransmittedShare)],
        ]}
      />
      <p class="kcp-row">
        {writable && row.state !== "Closed" && (
          <button type="button" class="btn cbi-button cbi-button-negative" onClick={onEnd}>
            {_("End this connection")}
          </button>
        )}
        <button type="button" class="btn cbi-button cbi-button-neutral" onClick={onHide}>
          {_("Hide details")}
        </button>
      </p>
    </section>
  );
}
