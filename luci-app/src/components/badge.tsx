import type { ConnectionRow } from "../../../router-daemon/src/api/rows.ts";

type Transport = ConnectionRow["transport"];

const MARKS: Readonly<Record<Transport, string>> = { kcp: "●", quic: "◆", tcp: "○" };
const NAMES: Readonly<Record<Transport, string>> = { kcp: "KCP", quic: "QUIC", tcp: "TCP" };

/** How a connection crosses the network: told apart by text, mark, outline and colour. */
export function TransportBadge({ transport }: { readonly transport: Transport }) {
  return (
    <span class={`kcp-badge kcp-transport-${transport}`}>
      <span aria-hidden="true">{MARKS[transport]}</span>
      {NAMES[transport]}
    </span>
  );
}

/** A short word with a tone. */
export function Tag({
  tone,
  children,
}: {
  readonly tone: "good" | "warn" | "bad" | "muted";
  readonly children: string;
}) {
  return <span class={`kcp-badge ${tone}`}>{children}</span>;
}
