/** The two encodings of connection rows (routes-rpc.md 3.3): a list of rows, and a matrix of bits. */
import type {
  RouteConnBitmap,
  RouteConnPeerList,
  SyncRouteInfoRequest,
} from "../../wire/messages/gen/messages.ts";
import type { Init } from "../../wire/messages/schema.ts";
import { MAX_ROW_ENTRIES } from "./limits.ts";

/** Which peers a node says it has links to. */
export interface ConnectionRow {
  readonly peerId: number;
  readonly version: number;
  /** Ascending, without repetition. */
  readonly peers: Uint32Array;
}

/** The rows of a request, in whichever form. Placeholders, rows of nobody and rows that are too long are left out. */
export function readRows({ connPeerList, connBitmap }: SyncRouteInfoRequest): ConnectionRow[] {
  if (connPeerList !== undefined) return readList(connPeerList);
  return connBitmap === undefined ? [] : readBitmap(connBitmap);
}

export function writeList(rows: readonly ConnectionRow[]): Init<RouteConnPeerList> {
  return {
    peerConnInfos: rows.map(({ peerId, version, peers }) => ({
      peerId: { peerId, version },
      connectedPeerIds: Array.from(peers),
    })),
  };
}

/** The whole matrix: all rows, and a column for everybody in them. Those without a row have version 0. */
export function writeBitmap(rows: readonly ConnectionRow[]): Init<RouteConnBitmap> {
  const versions = new Map<number, number>();
  for (const { peers } of rows) for (const peerId of peers) versions.set(peerId, 0);
  for (const { peerId, version } of rows) versions.set(peerId, version);
  const ids = [...versions.keys()].sort((a, b) => a - b);
  const columns = new Map(ids.map((peerId, column) => [peerId, column]));
  // A shorter field would end the process of stock nodes.
  const bitmap = new Uint8Array(Math.ceil(ids.length ** 2 / 8));
  for (const { peerId, peers } of rows) {
    const first = columns.get(peerId)! * ids.length;
    for (const connected of peers) {
      const bit = first + columns.get(connected)!;
      bitmap[bit >> 3]! |= 1 << (bit & 7);
    }
  }
  return { peerIds: ids.map((peerId) => ({ peerId, version: versions.get(peerId)! })), bitmap };
}

function readList({ peerConnInfos }: RouteConnPeerList): ConnectionRow[] {
  const rows: ConnectionRow[] = [];
  for (const { peerId, connectedPeerIds } of peerConnInfos) {
    if (peerId !== undefined) addRow(rows, peerId.peerId, peerId.version, connectedPeerIds);
  }
  return rows;
}

function readBitmap({ peerIds, bitmap }: RouteConnBitmap): ConnectionRow[] {
  const rows: ConnectionRow[] = [];
  const size = peerIds.length;
  if (bitmap.length < Math.ceil(size ** 2 / 8)) return rows;
  for (const [row, { peerId, version }] of peerIds.entries()) {
    if (version === 0) continue;
    const connected: number[] = [];
    for (let column = 0; column < size; column++) {
      const bit = row * size + column;
      if ((bitmap[bit >> 3]! & (1 << (bit & 7))) !== 0) connected.push(peerIds[column]!.peerId);
    }
    addRow(rows, peerId, version, connected);
  }
  return rows;
}

function addRow(rows: ConnectionRow[], peerId: number, version: number, connected: readonly number[]): void {
  if (peerId === 0 || version === 0 || connected.length > MAX_ROW_ENTRIES) return;
  const peers = [...new Set(connected)].filter((id) => id !== 0 && id !== peerId).sort((a, b) => a - b);
  rows.push({ peerId, version, peers: Uint32Array.from(peers) });
}
