/**
 * The only place where sync requests and answers are made, and therefore where it is decided what must never be sent
 * (routes-rpc.md 11): each of these would end the process of a stock node.
 */
import type { SyncRouteInfoRequest, SyncRouteInfoResponse } from "../../wire/messages/gen/messages.ts";
import { SyncRouteInfoError } from "../../wire/messages/gen/messages.ts";
import type { Init } from "../../wire/messages/schema.ts";
import type { Announcement } from "./announcement.ts";
import { type ConnectionRow, writeBitmap, writeList } from "./connection-rows.ts";
import type { ForeignEntry } from "./foreign-table.ts";

/** A node's announcement as it was when it was looked at. */
export interface ToldInfo {
  readonly peerId: number;
  readonly announcement: Announcement | undefined;
}

export interface Difference {
  /** Announcements that are news. */
  readonly infos: readonly ToldInfo[];
  /** Rows that are news; of a matrix, all rows. */
  readonly rows: readonly ConnectionRow[];
  readonly foreign: readonly ForeignEntry[];
}

/** True when a node's announcement may be told to a peer: not the peer's own, and nothing that harms others. */
export function mayTellInfo({ peerId, announcement }: ToldInfo, toPeerId: number): boolean {
  return peerId !== toPeerId && announcement !== undefined && announcement.harmless;
}

/** True when an entry may be told to a peer: not its own. That key and value are there is seen to by the table. */
export function mayTellForeign({ key }: ForeignEntry, toPeerId: number): boolean {
  return key.peerId !== toPeerId;
}

export function syncRequest(
  from: { readonly peerId: number; readonly sessionId: bigint },
  toPeerId: number,
  { infos, rows, foreign }: Difference,
  form: "list" | "bitmap",
): Init<SyncRouteInfoRequest> {
  const items = infos
    .filter((record) => mayTellInfo(record, toPeerId))
    .map(({ announcement }) => announcement!.raw);
  const told = foreign.filter((entry) => mayTellForeign(entry, toPeerId));
  const listed = rows.filter(({ peerId }) => peerId !== toPeerId);
  return {
    myPeerId: from.peerId,
    mySessionId: from.sessionId,
    isInitiator: true,
    peerInfos: items.length === 0 ? undefined : { items },
    connBitmap: form === "bitmap" && rows.length !== 0 ? writeBitmap(rows) : undefined,
    connPeerList: form === "list" && listed.length !== 0 ? writeList(listed) : undefined,
    foreignNetworkInfos:
      told.length === 0 ? undefined : { infos: told.map(({ key, value }) => ({ key, value })) },
  };
}

/** The answer to a sync request. There is no way to answer DuplicatePeerId: it would end the caller's process. */
export function syncResponse(
  isInitiator: boolean,
  sessionId: bigint,
  stopped = false,
): Init<SyncRouteInfoResponse> {
  return { isInitiator, sessionId, error: stopped ? SyncRouteInfoError.stopped : undefined };
}
