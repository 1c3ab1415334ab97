import { useEffect, useState } from "preact/hooks";
import type { ConnectionRow } from "../../../router-daemon/src/api/rows.ts";
import type { Connections, SortKey } from "../models/connections.ts";
import type { Devices } from "../models/devices.ts";
import { bytes, duration, fill, hostOf, milliseconds, rate, share } from "../text/format.ts";
import { TransportBadge } from "./badge.tsx";
import { VirtualList } from "./virtual-list.tsx";

const WIDE_ROW_PIXELS = 46;
/** On a phone a row is a small card. */
const NARROW_ROW_PIXELS = 92;
const NARROW = "(max-width: 40em)";

const COLUMNS: readonly (readonly [SortKey, () => string, string])[] = [
  ["src", () => _("Device"), "minmax(7.5em, 1.4fr)"],
  ["dst", () => _("Destination"), "minmax(7.5em, 1.4fr)"],
  ["transport", () => _("Transport"), "minmax(6.5em, 1.3fr)"],
  ["downRate", () => _("↓ Rate"), "6.4em"],
  ["upRate", () => _("↑ Rate"), "6.4em"],
  ["downBytes", () => _("↓ Bytes"), "5.8em"],
  ["upBytes", () => _("↑ Bytes"), "5.8em"],
  ["rttMs", () => _("RTT"), "4.4em"],
  ["retransmittedShare", () => _("Repeated"), "6em"],
  ["ageMs", () => _("Age"), "5em"],
];
const TEMPLATE = COLUMNS.map(([, , width]) => width).join(" ");
/** From here on columns hold numbers. */
const FIRST_NUMBER = 3;

interface TableProps {
  readonly model: Connections;
  readonly devices: Devices;
  readonly refresh: () => void;
}

/** Is it as narrow as a phone? Asked again when that changes: a phone is turned. */
function useNarrow(): boolean {
  const [narrow, setNarrow] = useState(() => matchMedia(NARROW).matches);
  useEffect(() => {
    const media = matchMedia(NARROW);
    const update = () => setNarrow(media.matches);
    media.addEventListener("change", update);
    return () => media.removeEventListener("change", update);
  }, []);
  return narrow;
}

/** The live proxy table. */
export function ConnectionTable({ model, devices, refresh }: TableProps) {
  const query = model.query.value;
  const rows = model.rows.value;
  const offset = model.offset.value;
  const rowPixels = useNarrow() ? NARROW_ROW_PIXELS : WIDE_ROW_PIXELS;
  return (
    <VirtualList
      label={_("Connections")}
      count={model.total.value}
      rowPixels={rowPixels}
      head={<Head model={model} />}
      onSeen={(first, last) => {
        if (model.moveTo(first, last)) refresh();
      }}
      row={(index) => {
        const row = rows[index - offset];
        if (row === undefined) return <div class="kcp-grid kcp-muted">…</div>;
        const before = rows[index - offset - 1];
        const isFirst = query.grouped && (before === undefined || hostOf(before.src) !== hostOf(row.src));
        return (
          <Row
            row={row}
            devices={devices}
            isFirst={isFirst}
            grouped={query.grouped}
            onOpen={() => (model.openId.value = row.id)}
          />
        );
      }}
    />
  );
}

function Head({ model }: { readonly model: Connections }) {
  const { sort, descending } = model.query.value;
  return (
    <div class="kcp-grid kcp-head" style={{ gridTemplateColumns: TEMPLATE }}>
      {COLUMNS.map(([key, name], at) => (
        <div key={key} class={at >= FIRST_NUMBER ? "kcp-cell kcp-number" : "kcp-cell"}>
          <button
            type="button"
            aria-pressed={sort === key}
            title={_("Sort by this column")}
            onClick={() => model.sortBy(key)}
          >
            {name()}
            {sort === key ? (descending ? " ▾" : " ▴") : ""}
          </button>
        </div>
      ))}
    </div>
  );
}

interface RowProps {
  readonly row: ConnectionRow;
  readonly devices: Devices;
  /** The first row of its device. */
  readonly isFirst: boolean;
  readonly grouped: boolean;
  readonly onOpen: () => void;
}

function Row({ row, devices, isFirst, grouped, onOpen }: RowProps) {
  const source = hostOf(row.src);
  const device = devices.nameOf(source);
  const closed = row.state === "Closed";
  return (
    // biome-ignore lint/a11y/useSemanticElements: a button cannot be a grid of cells in every theme
    <div
      class={`kcp-grid kcp-line${closed ? " closed" : ""}`}
      style={{ gridTemplateColumns: TEMPLATE, height: "100%" }}
      role="button"
      tabIndex={0}
      onClick={onOpen}
      onKeyDown={(event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          onOpen();
        }
      }}
    >
      <div class="kcp-cell">
        {grouped && !isFirst ? (
          <div class="kcp-clip kcp-sub">{row.src}</div>
        ) : (
          <>
            <div class="kcp-clip">{device}</div>
            <div class="kcp-clip kcp-sub">{row.src}</div>
          </>
        )}
      </div>
      <div class="kcp-cell">
        <div class="kcp-clip">{row.dst}</div>
        <div class="kcp-clip kcp-sub">
          {fill(row.role === "source" ? _("to node %s") : _("from node %s"), row.peerName || row.peerId)}
        </div>
      </div>
      <div class="kcp-cell">
        <TransportBadge transport={row.transport} />
        <div class="kcp-clip kcp-sub" title={_(row.reasonText)}>
          {closed ? _("closed") : row.reason}
        </div>
      </div>
      <div class="kcp-cell kcp-number">{closed ? "" : <Rates down={row.downRate} up={row.upRate} />}</div>
      <div class="kcp-cell kcp-number kcp-wide">{closed ? "" : rate(row.upRate)}</div>
      <div class="kcp-cell kcp-number kcp-wide">{bytes(row.downBytes)}</div>
      <div class="kcp-cell kcp-number kcp-wide">{bytes(row.upBytes)}</div>
      <div class="kcp-cell kcp-number kcp-wide">{milliseconds(row.rttMs)}</div>
      <div class="kcp-cell kcp-number kcp-wide">{share(row.retransmittedShare)}</div>
      <div class="kcp-cell kcp-number kcp-wide">{duration(row.ageMs)}</div>
    </div>
  );
}

/** The cell of the rate down; on a phone it has both, since the other columns are not there. */
function Rates({ down, up }: { readonly down: number; readonly up: number }) {
  return (
    <>
      <span class="kcp-narrow">↓ </span>
      {rate(down)}
      <div class="kcp-narrow">↑ {rate(up)}</div>
    </>
  );
}
