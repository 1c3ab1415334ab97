/** The recorded and hand-built QUIC of `test/vectors`, and helpers to read them. */
import { readFileSync } from "node:fs";

export interface FlowPacket {
  header: string;
  payload: string;
  tag: string;
  hex: string;
}

export interface CapturedPacket {
  type: "Initial" | "Handshake" | "1RTT";
  first_byte: string;
  dcid: string;
  scid?: string;
  pn: number;
  pn_bytes: number;
  frames: string[];
}

interface ProxyVectors {
  seahash: { vectors: { name: string; input: string; u64_hex_be: string }[] };
  quic_checksum: {
    header: string;
    payload: string;
    tag_64bit_usize: string;
    tag_32bit_usize_legacy: string;
  }[];
  quic_stream_header: { conn_data: string; hex: string };
  quic: {
    original_dcid: string;
    client_scid: string;
    server_scid: string;
    transport_parameters: Record<
      "client_like_quinn" | "server_like_quinn" | "client_minimal" | "server_minimal",
      string
    >;
    client_initial_tag_if_sender_is_32bit_v2_6_0_to_2_6_4: string;
    flow: { n: number; what: string; packets: FlowPacket[] }[];
  };
  quic_captured: {
    original_dcid: string;
    datagrams: { n: number; dir: string; datagram: string; packets: CapturedPacket[] }[];
  };
}

/** A frame as `captures-proxies.json` describes it. */
export interface SeenFrame {
  frame: string;
  offset?: number;
  id?: number;
  data?: string;
  fin?: boolean;
  ranges?: [number, number][];
  delay?: number;
  seq?: number;
  retire_prior_to?: number;
  cid?: string;
  params?: [number, string][];
  count?: number;
  code?: number;
  reason?: string;
  token?: string;
}

export interface SeenPacket {
  type: "Initial" | "Handshake" | "1RTT";
  first_byte: string;
  dcid: string;
  scid?: string;
  truncated_pn: number;
  pn_len: number;
  header_len: number;
  payload_len: number;
  tag: string;
  key_phase?: number;
  frames: SeenFrame[];
}

export interface SeenConversation {
  name: string;
  datagrams: {
    t_ms: number;
    dir: string;
    type: number;
    from_peer_id: number;
    to_peer_id: number;
    meaning: string;
    datagram: string;
    packets: SeenPacket[];
  }[];
}

function load<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../vectors/${name}`, import.meta.url), "utf8")) as T;
}

export const VECTORS = load<ProxyVectors>("proxies.json");
export const CONVERSATIONS = load<{ quic: SeenConversation[] }>("captures-proxies.json").quic;

export const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));
export const toHex = (bytes: Uint8Array, at = 0, length = bytes.length - at): string =>
  Buffer.from(bytes.subarray(at, at + length)).toString("hex");
