/** Methods of the services between peers, and how a handler and a caller are tied to the messages of one. */
import { tryDecode } from "../../wire/messages/decode.ts";
import { encode } from "../../wire/messages/encode.ts";
import {
  GetGlobalPeerMapRequest,
  GetGlobalPeerMapResponse,
  GetIpListRequest,
  GetIpListResponse,
  ReportPeersRequest,
  ReportPeersResponse,
  SyncRouteInfoRequest,
  SyncRouteInfoResponse,
} from "../../wire/messages/gen/messages.ts";
import type { Init, Schema } from "../../wire/messages/schema.ts";
import type { RpcEndpoint } from "./endpoint.ts";
import type { RpcResult } from "./failure.ts";
import type { IncomingCall, RpcHandler } from "./incoming-call.ts";

export interface RpcMethod<Q, R> {
  readonly service: string;
  /** Position in the service, counted from 1. */
  readonly index: number;
  readonly request: Schema<Q>;
  readonly response: Schema<R>;
}

function method<Q, R>(
  service: string,
  index: number,
  request: Schema<Q>,
  response: Schema<R>,
): RpcMethod<Q, R> {
  return { service, index, request, response };
}

export const SYNC_ROUTE_INFO = method("OspfRouteRpc", 1, SyncRouteInfoRequest, SyncRouteInfoResponse);
export const REPORT_PEERS = method("PeerCenterRpc", 1, ReportPeersRequest, ReportPeersResponse);
export const GET_GLOBAL_PEER_MAP = method(
  "PeerCenterRpc",
  2,
  GetGlobalPeerMapRequest,
  GetGlobalPeerMapResponse,
);
export const GET_IP_LIST = method("DirectConnectorRpc", 1, GetIpListRequest, GetIpListResponse);

/**
 * A handler that gets the request decoded and gives the response to be encoded, or undefined when it has called
 * `call.fail` or will call `call.respond` later. Requests that do not decode are answered with `decode_error`.
 */
export function handler<Q, R>(
  { request, response }: RpcMethod<Q, R>,
  handle: (request: Q, call: IncomingCall, now: number) => Init<R> | undefined,
): RpcHandler {
  return (call, now) => {
    const decoded = tryDecode(request, call.request);
    if (decoded === undefined) {
      call.fail("decode_error", "", now);
      return undefined;
    }
    const answer = handle(decoded, call, now);
    return answer === undefined ? undefined : encode(response, answer);
  };
}

/** As `RpcEndpoint.call`, with messages instead of bytes. */
export function callMethod<Q, R>(
  rpc: RpcEndpoint,
  toPeerId: number,
  { service, index, request, response }: RpcMethod<Q, R>,
  value: Init<Q>,
  timeoutMs: number,
  now: number,
  done: (result: RpcResult<R>, now: number) => void,
): void {
  rpc.call(toPeerId, service, index, encode(request, value), timeoutMs, now, (result, at) => {
    if (!result.ok) return done(result, at);
    const decoded = tryDecode(response, result.response);
    if (decoded !== undefined) done({ ok: true, response: decoded }, at);
    else
      done(
        { ok: false, failure: { code: "bad_response", message: "The peer's answer could not be read." } },
        at,
      );
  });
}
