// Written by proto/generate.ts from proto/*.proto. Change those and run it again.

import { type Schema, schema } from "../schema.ts";

export const NatType = {
  unknown: 0,
  openInternet: 1,
  noPat: 2,
  fullCone: 3,
  restricted: 4,
  portRestricted: 5,
  symmetric: 6,
  symUdpFirewall: 7,
  symmetricEasyInc: 8,
  symmetricEasyDec: 9,
} as const;

export const CompressionAlgo = {
  invalid: 0,
  none: 1,
  zstd: 2,
} as const;

export const SyncRouteInfoError = {
  duplicatePeerId: 0,
  stopped: 1,
} as const;

/** Empty reply. */
export type Void = Readonly<Record<never, never>>;
export const Void: Schema<Void> = /* @__PURE__ */ schema("Void", []);

/** 16 bytes cut in four big-endian words. */
export interface UUID {
  readonly part1: number;
  readonly part2: number;
  readonly part3: number;
  readonly part4: number;
}
export const UUID: Schema<UUID> = /* @__PURE__ */ schema("UUID", [
  [1, "part1", "uint32"],
  [2, "part2", "uint32"],
  [3, "part3", "uint32"],
  [4, "part4", "uint32"],
]);

export interface Ipv4Addr {
  /** 10.0.0.1 = 0x0a000001. */
  readonly addr: number;
}
export const Ipv4Addr: Schema<Ipv4Addr> = /* @__PURE__ */ schema("Ipv4Addr", [
  [1, "addr", "uint32"],
]);

/** 16 bytes cut in four big-endian words. */
export interface Ipv6Addr {
  readonly part1: number;
  readonly part2: number;
  readonly part3: number;
  readonly part4: number;
}
export const Ipv6Addr: Schema<Ipv6Addr> = /* @__PURE__ */ schema("Ipv6Addr", [
  [1, "part1", "uint32"],
  [2, "part2", "uint32"],
  [3, "part3", "uint32"],
  [4, "part4", "uint32"],
]);

/** Host address with the length of its network. */
export interface Ipv6Inet {
  readonly address?: Ipv6Addr | undefined;
  /** 0..128. Never send a larger one. */
  readonly networkLength: number;
}
export const Ipv6Inet: Schema<Ipv6Inet> = /* @__PURE__ */ schema("Ipv6Inet", [
  [1, "address", "message", Ipv6Addr],
  [2, "networkLength", "uint32"],
]);

export interface Url {
  /** Absolute, with a scheme: stock nodes end on a text that is not. */
  readonly url: string;
}
export const Url: Schema<Url> = /* @__PURE__ */ schema("Url", [
  [1, "url", "string"],
]);

/** Without an address it reads as 0.0.0.0:0. */
export interface SocketAddr {
  readonly ipv4?: Ipv4Addr | undefined;
  readonly ipv6?: Ipv6Addr | undefined;
  /** Low 16 bits. */
  readonly port: number;
}
export const SocketAddr: Schema<SocketAddr> = /* @__PURE__ */ schema("SocketAddr", [
  [1, "ipv4", "message", Ipv4Addr, 1],
  [2, "ipv6", "message", Ipv6Addr, 1],
  [3, "port", "uint32"],
]);

/** google.protobuf.Timestamp. */
export interface Timestamp {
  /** Unix time. */
  readonly seconds: bigint;
  readonly nanos: number;
}
export const Timestamp: Schema<Timestamp> = /* @__PURE__ */ schema("Timestamp", [
  [1, "seconds", "int64"],
  [2, "nanos", "int32"],
]);

/** Capabilities a node announces (routes-rpc.md 4). */
export interface PeerFeatureFlag {
  readonly isPublicServer: boolean;
  readonly avoidRelayData: boolean;
  readonly kcpInput: boolean;
  readonly noRelayKcp: boolean;
  readonly supportConnListSync: boolean;
  readonly quicInput: boolean;
  readonly noRelayQuic: boolean;
  readonly isCredentialPeer: boolean;
  readonly needP2p: boolean;
  readonly disableP2p: boolean;
  readonly ipv6PublicAddrProvider: boolean;
}
export const PeerFeatureFlag: Schema<PeerFeatureFlag> = /* @__PURE__ */ schema("PeerFeatureFlag", [
  [1, "isPublicServer", "bool"],
  [2, "avoidRelayData", "bool"],
  [3, "kcpInput", "bool"],
  [4, "noRelayKcp", "bool"],
  [5, "supportConnListSync", "bool"],
  [6, "quicInput", "bool"],
  [7, "noRelayQuic", "bool"],
  [8, "isCredentialPeer", "bool"],
  [9, "needP2p", "bool"],
  [10, "disableP2p", "bool"],
  [11, "ipv6PublicAddrProvider", "bool"],
]);

/** Names the called method. */
export interface RpcDescriptor {
  /** Network name. */
  readonly domainName: string;
  /** Bare service name, twice. */
  readonly protoName: string;
  readonly serviceName: string;
  /** Position in the service, counted from 1. */
  readonly methodIndex: number;
}
export const RpcDescriptor: Schema<RpcDescriptor> = /* @__PURE__ */ schema("RpcDescriptor", [
  [1, "domainName", "string"],
  [2, "protoName", "string"],
  [3, "serviceName", "string"],
  [4, "methodIndex", "uint32"],
]);

export interface RpcCompressionInfo {
  /** How this body is compressed. 0 makes the receiver fail. */
  readonly algo: number;
  /** What the sender can read. */
  readonly acceptedAlgo: number;
}
export const RpcCompressionInfo: Schema<RpcCompressionInfo> = /* @__PURE__ */ schema("RpcCompressionInfo", [
  [1, "algo", "int32"],
  [2, "acceptedAlgo", "int32"],
]);

/** Payload of packet types 8 (request) and 9 (response). */
export interface RpcPacket {
  readonly fromPeer: number;
  readonly toPeer: number;
  readonly transactionId: bigint;
  /** On piece 0 always. */
  readonly descriptor?: RpcDescriptor | undefined;
  /** A piece of the encoded RpcRequest or RpcResponse. */
  readonly body: Uint8Array;
  readonly isRequest: boolean;
  readonly totalPieces: number;
  readonly pieceIdx: number;
  /** Free number for debugging, echoed. */
  readonly traceId: number;
  /** Only on piece 0. */
  readonly compressionInfo?: RpcCompressionInfo | undefined;
}
export const RpcPacket: Schema<RpcPacket> = /* @__PURE__ */ schema("RpcPacket", [
  [1, "fromPeer", "uint32"],
  [2, "toPeer", "uint32"],
  [3, "transactionId", "int64"],
  [4, "descriptor", "message", RpcDescriptor],
  [5, "body", "bytes"],
  [6, "isRequest", "bool"],
  [7, "totalPieces", "uint32"],
  [8, "pieceIdx", "uint32"],
  [9, "traceId", "int32"],
  [10, "compressionInfo", "message", RpcCompressionInfo],
]);

export interface RpcRequest {
  /** Field 1 (a descriptor) is never set. */
  readonly request: Uint8Array;
  /** What the server may spend; must be above 0. */
  readonly timeoutMs: number;
}
export const RpcRequest: Schema<RpcRequest> = /* @__PURE__ */ schema("RpcRequest", [
  [2, "request", "bytes"],
  [3, "timeoutMs", "int32"],
]);

export interface RpcErrorText {
  readonly errorMessage: string;
}
export const RpcErrorText: Schema<RpcErrorText> = /* @__PURE__ */ schema("RpcErrorText", [
  [1, "errorMessage", "string"],
]);

export interface InvalidMethodIndex {
  /** Wrapped in double quotes. */
  readonly serviceName: string;
  readonly methodIndex: number;
}
export const InvalidMethodIndex: Schema<InvalidMethodIndex> = /* @__PURE__ */ schema("InvalidMethodIndex", [
  [1, "serviceName", "string"],
  [2, "methodIndex", "uint32"],
]);

export interface InvalidService {
  /** Wrapped in double quotes. */
  readonly serviceName: string;
}
export const InvalidService: Schema<InvalidService> = /* @__PURE__ */ schema("InvalidService", [
  [1, "serviceName", "string"],
]);

/** error.Error: what went wrong at the server (messages.md 3). */
export interface RpcError {
  readonly otherError?: RpcErrorText | undefined;
  readonly invalidMethodIndex?: InvalidMethodIndex | undefined;
  readonly invalidService?: InvalidService | undefined;
  readonly prostDecodeError?: Void | undefined;
  readonly prostEncodeError?: Void | undefined;
  readonly executeError?: RpcErrorText | undefined;
  readonly malformatRpcPacket?: RpcErrorText | undefined;
  readonly timeout?: RpcErrorText | undefined;
}
export const RpcError: Schema<RpcError> = /* @__PURE__ */ schema("RpcError", [
  [1, "otherError", "message", RpcErrorText, 1],
  [2, "invalidMethodIndex", "message", InvalidMethodIndex, 1],
  [3, "invalidService", "message", InvalidService, 1],
  [4, "prostDecodeError", "message", Void, 1],
  [5, "prostEncodeError", "message", Void, 1],
  [6, "executeError", "message", RpcErrorText, 1],
  [7, "malformatRpcPacket", "message", RpcErrorText, 1],
  [8, "timeout", "message", RpcErrorText, 1],
]);

export interface RpcResponse {
  readonly response: Uint8Array;
  readonly error?: RpcError | undefined;
  readonly runtimeUs: bigint;
}
export const RpcResponse: Schema<RpcResponse> = /* @__PURE__ */ schema("RpcResponse", [
  [1, "response", "bytes"],
  [2, "error", "message", RpcError],
  [3, "runtimeUs", "uint64"],
]);

/** Packet type 2, sent by both sides of a new link. */
export interface HandshakeRequest {
  readonly magic: number;
  readonly myPeerId: number;
  readonly version: number;
  readonly features: readonly string[];
  readonly networkName: string;
  /** 32 bytes; all zero when the sender does not prove the secret. */
  readonly networkSecretDigest: Uint8Array;
}
export const HandshakeRequest: Schema<HandshakeRequest> = /* @__PURE__ */ schema("HandshakeRequest", [
  [1, "magic", "uint32"],
  [2, "myPeerId", "uint32"],
  [3, "version", "uint32"],
  [4, "features", "string[]"],
  [5, "networkName", "string"],
  [6, "networkSecretDigest", "bytes"],
]);

export interface RoutePeerInfos {
  /**
   * Encoded RoutePeerInfo messages. Declared as bytes, which is the same on the wire, because what others announced is
   * passed on exactly as it came, unknown fields included (routes-rpc.md 3.8).
   */
  readonly items: readonly Uint8Array[];
}
export const RoutePeerInfos: Schema<RoutePeerInfos> = /* @__PURE__ */ schema("RoutePeerInfos", [
  [1, "items", "bytes[]"],
]);

export interface PeerIdVersion {
  readonly peerId: number;
  readonly version: number;
}
export const PeerIdVersion: Schema<PeerIdVersion> = /* @__PURE__ */ schema("PeerIdVersion", [
  [1, "peerId", "uint32"],
  [2, "version", "uint32"],
]);

/** Bit row*N+col, least significant bit first in each byte; ceil(N*N/8) bytes. */
export interface RouteConnBitmap {
  readonly peerIds: readonly PeerIdVersion[];
  readonly bitmap: Uint8Array;
}
export const RouteConnBitmap: Schema<RouteConnBitmap> = /* @__PURE__ */ schema("RouteConnBitmap", [
  [1, "peerIds", "message[]", PeerIdVersion],
  [2, "bitmap", "bytes"],
]);

export interface RouteConnPeerListPeerConnInfo {
  /** Owner and version of the row. */
  readonly peerId?: PeerIdVersion | undefined;
  readonly connectedPeerIds: readonly number[];
}
export const RouteConnPeerListPeerConnInfo: Schema<RouteConnPeerListPeerConnInfo> = /* @__PURE__ */ schema("RouteConnPeerListPeerConnInfo", [
  [1, "peerId", "message", PeerIdVersion],
  [2, "connectedPeerIds", "uint32[]"],
]);

export interface RouteConnPeerList {
  readonly peerConnInfos: readonly RouteConnPeerListPeerConnInfo[];
}
export const RouteConnPeerList: Schema<RouteConnPeerList> = /* @__PURE__ */ schema("RouteConnPeerList", [
  [1, "peerConnInfos", "message[]", RouteConnPeerListPeerConnInfo],
]);

export interface ForeignNetworkRouteInfoKey {
  /** The node that hosts the other network. */
  readonly peerId: number;
  readonly networkName: string;
}
export const ForeignNetworkRouteInfoKey: Schema<ForeignNetworkRouteInfoKey> = /* @__PURE__ */ schema("ForeignNetworkRouteInfoKey", [
  [1, "peerId", "uint32"],
  [2, "networkName", "string"],
]);

export interface ForeignNetworkRouteInfoEntry {
  /** Empty = withdrawn. */
  readonly foreignPeerIds: readonly number[];
  readonly lastUpdate?: Timestamp | undefined;
  readonly version: number;
  readonly networkSecretDigest: Uint8Array;
  readonly myPeerIdForThisNetwork: number;
}
export const ForeignNetworkRouteInfoEntry: Schema<ForeignNetworkRouteInfoEntry> = /* @__PURE__ */ schema("ForeignNetworkRouteInfoEntry", [
  [1, "foreignPeerIds", "uint32[]"],
  [2, "lastUpdate", "message", Timestamp],
  [3, "version", "uint32"],
  [4, "networkSecretDigest", "bytes"],
  [5, "myPeerIdForThisNetwork", "uint32"],
]);

export interface RouteForeignNetworkInfosInfo {
  /** Both must be there: stock nodes end on an item without one. */
  readonly key?: ForeignNetworkRouteInfoKey | undefined;
  readonly value?: ForeignNetworkRouteInfoEntry | undefined;
}
export const RouteForeignNetworkInfosInfo: Schema<RouteForeignNetworkInfosInfo> = /* @__PURE__ */ schema("RouteForeignNetworkInfosInfo", [
  [1, "key", "message", ForeignNetworkRouteInfoKey],
  [2, "value", "message", ForeignNetworkRouteInfoEntry],
]);

export interface RouteForeignNetworkInfos {
  readonly infos: readonly RouteForeignNetworkInfosInfo[];
}
export const RouteForeignNetworkInfos: Schema<RouteForeignNetworkInfos> = /* @__PURE__ */ schema("RouteForeignNetworkInfos", [
  [1, "infos", "message[]", RouteForeignNetworkInfosInfo],
]);

export interface SyncRouteInfoRequest {
  readonly myPeerId: number;
  /** The caller's number for its session with the callee. */
  readonly mySessionId: bigint;
  /** The caller owns this session and keeps it alive. */
  readonly isInitiator: boolean;
  readonly peerInfos?: RoutePeerInfos | undefined;
  /** The whole connection matrix. */
  readonly connBitmap?: RouteConnBitmap | undefined;
  /** Changed rows of it. */
  readonly connPeerList?: RouteConnPeerList | undefined;
  readonly foreignNetworkInfos?: RouteForeignNetworkInfos | undefined;
}
export const SyncRouteInfoRequest: Schema<SyncRouteInfoRequest> = /* @__PURE__ */ schema("SyncRouteInfoRequest", [
  [1, "myPeerId", "uint32"],
  [2, "mySessionId", "uint64"],
  [3, "isInitiator", "bool"],
  [4, "peerInfos", "message", RoutePeerInfos],
  [5, "connBitmap", "message", RouteConnBitmap, 1],
  [6, "foreignNetworkInfos", "message", RouteForeignNetworkInfos],
  [7, "connPeerList", "message", RouteConnPeerList, 1],
]);

export interface SyncRouteInfoResponse {
  readonly isInitiator: boolean;
  readonly sessionId: bigint;
  /** Absent = success. Zero is an error and is written. */
  readonly error?: number | undefined;
}
export const SyncRouteInfoResponse: Schema<SyncRouteInfoResponse> = /* @__PURE__ */ schema("SyncRouteInfoResponse", [
  [1, "isInitiator", "bool"],
  [2, "sessionId", "uint64"],
  [3, "error", "int32?"],
]);

export interface PeerGroupInfo {
  readonly groupName: string;
  readonly groupProof: Uint8Array;
}
export const PeerGroupInfo: Schema<PeerGroupInfo> = /* @__PURE__ */ schema("PeerGroupInfo", [
  [1, "groupName", "string"],
  [2, "groupProof", "bytes"],
]);

export interface TrustedCredentialPubkey {
  readonly pubkey: Uint8Array;
  readonly groups: readonly string[];
  readonly allowRelay: boolean;
  readonly expiryUnix: bigint;
  readonly allowedProxyCidrs: readonly string[];
  readonly reusable?: boolean | undefined;
}
export const TrustedCredentialPubkey: Schema<TrustedCredentialPubkey> = /* @__PURE__ */ schema("TrustedCredentialPubkey", [
  [1, "pubkey", "bytes"],
  [2, "groups", "string[]"],
  [3, "allowRelay", "bool"],
  [4, "expiryUnix", "int64"],
  [5, "allowedProxyCidrs", "string[]"],
  [6, "reusable", "bool?"],
]);

export interface TrustedCredentialPubkeyProof {
  readonly credential?: TrustedCredentialPubkey | undefined;
  readonly credentialHmac: Uint8Array;
}
export const TrustedCredentialPubkeyProof: Schema<TrustedCredentialPubkeyProof> = /* @__PURE__ */ schema("TrustedCredentialPubkeyProof", [
  [1, "credential", "message", TrustedCredentialPubkey],
  [2, "credentialHmac", "bytes"],
]);

/**
 * One node's announcement. All known fields are listed: what does not decode here would not decode at others either,
 * and is not passed on.
 */
export interface RoutePeerInfo {
  readonly peerId: number;
  readonly instId?: UUID | undefined;
  readonly cost: number;
  readonly ipv4Addr?: Ipv4Addr | undefined;
  /** Text "a.b.c.d/len", no host bits. */
  readonly proxyCidrs: readonly string[];
  readonly hostname?: string | undefined;
  readonly udpNatType: number;
  /** The owner's clock. */
  readonly lastUpdate?: Timestamp | undefined;
  /** From 1, raised by its owner; 0 = placeholder. */
  readonly version: number;
  readonly easytierVersion: string;
  readonly featureFlag?: PeerFeatureFlag | undefined;
  /** Random per process run. */
  readonly peerRouteId: bigint;
  /** 0..32. A larger one ends some stock nodes. */
  readonly networkLength: number;
  readonly quicPort?: number | undefined;
  readonly ipv6Addr?: Ipv6Inet | undefined;
  readonly groups: readonly PeerGroupInfo[];
  readonly tcpNatType: number;
  readonly noiseStaticPubkey: Uint8Array;
  readonly trustedCredentialPubkeys: readonly TrustedCredentialPubkeyProof[];
  readonly ipv6PublicAddrPrefix?: Ipv6Inet | undefined;
  readonly ipv6PublicAddrLease?: Ipv6Inet | undefined;
}
export const RoutePeerInfo: Schema<RoutePeerInfo> = /* @__PURE__ */ schema("RoutePeerInfo", [
  [1, "peerId", "uint32"],
  [2, "instId", "message", UUID],
  [3, "cost", "uint32"],
  [4, "ipv4Addr", "message", Ipv4Addr],
  [5, "proxyCidrs", "string[]"],
  [6, "hostname", "string?"],
  [7, "udpNatType", "int32"],
  [8, "lastUpdate", "message", Timestamp],
  [9, "version", "uint32"],
  [10, "easytierVersion", "string"],
  [11, "featureFlag", "message", PeerFeatureFlag],
  [12, "peerRouteId", "uint64"],
  [13, "networkLength", "uint32"],
  [14, "quicPort", "uint32?"],
  [15, "ipv6Addr", "message", Ipv6Inet],
  [16, "groups", "message[]", PeerGroupInfo],
  [17, "tcpNatType", "int32"],
  [18, "noiseStaticPubkey", "bytes"],
  [19, "trustedCredentialPubkeys", "message[]", TrustedCredentialPubkeyProof],
  [22, "ipv6PublicAddrPrefix", "message", Ipv6Inet],
  [24, "ipv6PublicAddrLease", "message", Ipv6Inet],
]);

export type GetIpListRequest = Readonly<Record<never, never>>;
export const GetIpListRequest: Schema<GetIpListRequest> = /* @__PURE__ */ schema("GetIpListRequest", []);

export interface GetIpListResponse {
  readonly publicIpv4?: Ipv4Addr | undefined;
  readonly interfaceIpv4s: readonly Ipv4Addr[];
  readonly publicIpv6?: Ipv6Addr | undefined;
  readonly interfaceIpv6s: readonly Ipv6Addr[];
  readonly listeners: readonly Url[];
}
export const GetIpListResponse: Schema<GetIpListResponse> = /* @__PURE__ */ schema("GetIpListResponse", [
  [1, "publicIpv4", "message", Ipv4Addr],
  [2, "interfaceIpv4s", "message[]", Ipv4Addr],
  [3, "publicIpv6", "message", Ipv6Addr],
  [4, "interfaceIpv6s", "message[]", Ipv6Addr],
  [5, "listeners", "message[]", Url],
]);

export interface SendUdpHolePunchPacketRequest {
  readonly connectorAddr?: SocketAddr | undefined;
  readonly listenerPort: number;
  readonly preferredSrcIpv6?: Ipv6Addr | undefined;
  readonly connectorAddrs: readonly SocketAddr[];
}
export const SendUdpHolePunchPacketRequest: Schema<SendUdpHolePunchPacketRequest> = /* @__PURE__ */ schema("SendUdpHolePunchPacketRequest", [
  [1, "connectorAddr", "message", SocketAddr],
  [2, "listenerPort", "uint32"],
  [3, "preferredSrcIpv6", "message", Ipv6Addr],
  [4, "connectorAddrs", "message[]", SocketAddr],
]);

export interface DirectConnectedPeerInfo {
  /** At least 1. */
  readonly latencyMs: number;
}
export const DirectConnectedPeerInfo: Schema<DirectConnectedPeerInfo> = /* @__PURE__ */ schema("DirectConnectedPeerInfo", [
  [1, "latencyMs", "int32"],
]);

export interface PeerInfoForGlobalMap {
  readonly directPeers: ReadonlyMap<number, DirectConnectedPeerInfo>;
}
export const PeerInfoForGlobalMap: Schema<PeerInfoForGlobalMap> = /* @__PURE__ */ schema("PeerInfoForGlobalMap", [
  [1, "directPeers", "map", DirectConnectedPeerInfo],
]);

export interface ReportPeersRequest {
  readonly myPeerId: number;
  readonly peerInfos?: PeerInfoForGlobalMap | undefined;
}
export const ReportPeersRequest: Schema<ReportPeersRequest> = /* @__PURE__ */ schema("ReportPeersRequest", [
  [1, "myPeerId", "uint32"],
  [2, "peerInfos", "message", PeerInfoForGlobalMap],
]);

export type ReportPeersResponse = Readonly<Record<never, never>>;
export const ReportPeersResponse: Schema<ReportPeersResponse> = /* @__PURE__ */ schema("ReportPeersResponse", []);

export interface GetGlobalPeerMapRequest {
  /** Of the caller's copy; 0 = it has none. */
  readonly digest: bigint;
}
export const GetGlobalPeerMapRequest: Schema<GetGlobalPeerMapRequest> = /* @__PURE__ */ schema("GetGlobalPeerMapRequest", [
  [1, "digest", "uint64"],
]);

/** Wholly empty = the caller's copy is current. */
export interface GetGlobalPeerMapResponse {
  readonly globalPeerMap: ReadonlyMap<number, PeerInfoForGlobalMap>;
  readonly digest?: bigint | undefined;
}
export const GetGlobalPeerMapResponse: Schema<GetGlobalPeerMapResponse> = /* @__PURE__ */ schema("GetGlobalPeerMapResponse", [
  [1, "globalPeerMap", "map", PeerInfoForGlobalMap],
  [2, "digest", "uint64?"],
]);

export interface KcpRouterCapabilities {
  /** Acknowledgements with ranges and timestamps of their own. */
  readonly extendedAcks: boolean;
  /** Largest KCP segment, header included, that the sender of this message can receive; 0 = the usual 1400. */
  readonly maxSegmentBytes: number;
  /** The end of one direction is told after its last byte, and the other direction goes on. */
  readonly halfClose: boolean;
}
export const KcpRouterCapabilities: Schema<KcpRouterCapabilities> = /* @__PURE__ */ schema("KcpRouterCapabilities", [
  [1, "extendedAcks", "bool"],
  [2, "maxSegmentBytes", "uint32"],
  [3, "halfClose", "bool"],
]);

/** Body of the SYN of a KCP connection, preamble of a QUIC stream (proxies.md 3.3). */
export interface KcpConnData {
  /** The client's address as the source node sees it. */
  readonly src?: SocketAddr | undefined;
  readonly dst?: SocketAddr | undefined;
  /** Ours: what the source can do beyond EasyTier's KCP layer. Stock nodes skip the field. */
  readonly kcpRouter?: KcpRouterCapabilities | undefined;
}
export const KcpConnData: Schema<KcpConnData> = /* @__PURE__ */ schema("KcpConnData", [
  [1, "src", "message", SocketAddr],
  [4, "dst", "message", SocketAddr],
  [1601, "kcpRouter", "message", KcpRouterCapabilities],
]);

/** Body of our SYN+ACK to a SYN that carried `kcp_router`; to all others the body stays empty. */
export interface KcpAcceptData {
  /** What both ends can do: the connection uses it from here on. */
  readonly kcpRouter?: KcpRouterCapabilities | undefined;
}
export const KcpAcceptData: Schema<KcpAcceptData> = /* @__PURE__ */ schema("KcpAcceptData", [
  [1601, "kcpRouter", "message", KcpRouterCapabilities],
]);
