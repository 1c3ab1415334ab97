import { Choices } from "../components/choices.tsx";
import { ConnectionDetails } from "../components/connection-details.tsx";
import { ConnectionTable } from "../components/connection-table.tsx";
import { StatusCard } from "../components/status-card.tsx";
import { download } from "../luci/download.ts";
import { Connections } from "../models/connections.ts";
import { Devices } from "../models/devices.ts";
import { Peers } from "../models/peers.ts";
import { attempt, type PageParts, type PageProps, pollingView } from "../page.tsx";
import { fill, hostOf, hostOfPrefix } from "../text/format.ts";

/** The live table of carried and plain TCP connections. */
function makeParts(): PageParts {
  const model = new Connections();
  const peers = new Peers();
  const devices = new Devices();
  void devices.load();
  return {
    // The peers are of interest only while there is nothing else to show.
    ask: () => ({ ...model.ask(), peers: model.total.value === 0 }),
    take(answer) {
      model.take(answer.connections);
      peers.take(answer);
    },
    view: (props) => <View {...props} model={model} peers={peers} devices={devices} />,
  };
}

export const module = pollingView(makeParts);

interface ViewProps extends PageProps {
  readonly model: Connections;
  readonly peers: Peers;
  readonly devices: Devices;
}

function View({ state, writable, refresh, model, peers, devices }: ViewProps) {
  if (state.status.value === undefined) return <StatusCard state={state} writable={writable} />;
  const open = model.open.value;
  const filtered =
    model.query.value.text !== "" ||
    model.query.value.transport !== "" ||
    model.query.value.device !== "" ||
    model.query.value.live;
  return (
    <section class="cbi-section">
      <h3>{_("Connections")}</h3>
      <Filters model={model} devices={devices} refresh={refresh} />
      {open !== undefined && (
        <ConnectionDetails
          row={open}
          devices={devices}
          writable={writable}
          onHide={() => (model.openId.value = undefined)}
          onEnd={() => void attempt(() => model.close(open.id)).then(refresh)}
        />
      )}
      {!model.known.value ? (
        <p class="kcp-muted">{_("Collecting data …")}</p>
      ) : model.total.value > 0 ? (
        <>
          <ConnectionTable model={model} devices={devices} refresh={refresh} />
          <OwnAddressNote model={model} address={hostOfPrefix(state.node.value?.ipv4 ?? "")} />
        </>
      ) : filtered ? (
        <p>{_("No connection matches the filter.")}</p>
      ) : (
        <>
          <p>{_("No TCP connection yet. Here is what would be used for each node:")}</p>
          <Choices peers={peers.rows.value} />
        </>
      )}
    </section>
  );
}

/** Devices of a LAN that other nodes know no way to are masqueraded before the daemon sees them. */
function OwnAddressNote({ model, address }: { readonly model: Connections; readonly address: string }) {
  if (!model.rows.value.some(({ src }) => hostOf(src) === address)) return null;
  return (
    <p class="kcp-muted">
      {fill(
        _(
          "%s stands for this router itself and for all devices behind a subnet that it does not export: export the subnet to see them by name.",
        ),
        address,
      )}
    </p>
  );
}

function Filters({
  model,
  devices,
  refresh,
}: {
  readonly model: Connections;
  readonly devices: Devices;
  readonly refresh: () => void;
}) {
  const query = model.query.value;
  const change = (part: Parameters<Connections["change"]>[0]) => {
    model.change(part);
    refresh();
  };
  const sources = [...new Set(model.rows.value.map(({ src }) => hostOf(src)))].sort();
  if (query.device !== "" && !sources.includes(query.device)) sources.unshift(query.device);
  return (
    <div class="kcp-row" style={{ marginBottom: ".8em" }}>
      <input
        type="search"
        class="cbi-input-text"
        placeholder={_("Filter by address, node or reason")}
        aria-label={_("Filter by address, node or reason")}
        maxLength={100}
        value={query.text}
        onInput={(event) => change({ text: event.currentTarget.value })}
      />
      <select
        class="cbi-input-select"
        aria-label={_("Transport")}
        value={query.transport}
        onChange={(event) => change({ transport: event.currentTarget.value as "" })}
      >
        <option value="">{_("All transports")}</option>
        <option value="kcp">KCP</option>
        <option value="quic">QUIC</option>
        <option value="tcp">TCP</option>
      </select>
      <select
        class="cbi-input-select"
        aria-label={_("Device")}
        value={query.device}
        onChange={(event) => change({ device: event.currentTarget.value })}
      >
        <option value="">{_("All devices")}</option>
        {sources.map((source) => (
          <option key={source} value={source}>
            {devices.nameOf(source)}
          </option>
        ))}
      </select>
      <label>
        <input
          type="checkbox"
          checked={query.live}
          onChange={(event) => change({ live: event.currentTarget.checked })}
        />{" "}
        {_("Only open ones")}
      </label>
      <label>
        <input
          type="checkbox"
          checked={query.grouped}
          onChange={(event) => change({ grouped: event.currentTarget.checked })}
        />{" "}
        {_("Group by device")}
      </label>
      <span class="kcp-muted">{fill(_("%s rows"), model.total.value)}</span>
      <button
        type="button"
        class="btn cbi-button"
        disabled={model.total.value === 0}
        onClick={() =>
          void attempt(async () => download("connections.csv", "text/csv", await model.export()))
        }
      >
        {_("Download as CSV")}
      </button>
    </div>
  );
}
