import { pseudoHeaderSum } from "../wire/checksum.ts";
import { IPV4_HEADER_BYTES, IpProtocol, writeIpv4Header } from "../wire/ipv4.ts";
import {
  TCP_HEADER_BYTES,
  TcpOffset,
  writeMss,
  writeSackBlocks,
  writeSackPermitted,
  writeTcpChecksum,
  writeTcpHeader,
  writeTimestamps,
  writeWindowShift,
} from "../wire/tcp.ts";
import { GsoType, VNET_BYTES, writeVnetHeader } from "../wire/vnet.ts";
import { TCP_REGION_BYTES } from "./limits.ts";

const HEADER_AREA_BYTES = 128;
/** Most (offset, length) pairs of a frame, the headers' included. */
export const MAX_FRAME_PAIRS = (TCP_REGION_BYTES - HEADER_AREA_BYTES) / 8;

const TIME_TO_LIVE = 64;

/**
 * Builds the headers of one output frame in the stack's region, and its list of pieces.
 *
 * ```
 *  region  ├ 2 ┤ vnet 10 │ IPv4 20 │ TCP 20 + options 40 │ … 128 │ iov: (offset, length) pairs …
 *               ▲ first pair                                       ▲ iov
 * ```
 *
 * `begin`, then options, then payload pairs written to `payloadIov`, then `finish`.
 */
export class FrameWriter {
  /** Word index of the pairs, and of the first pair of payload. */
  readonly iov: number;
  readonly payloadIov: number;
  readonly words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #frame: number;
  readonly #ip: number;
  readonly #tcp: number;
  #optionsEnd = 0;
  #source = 0;
  #destination = 0;

  constructor(bytes: Uint8Array, words: Int32Array, regionOffset: number) {
    this.#bytes = bytes;
    this.words = words;
    this.#frame = regionOffset + 2;
    this.#ip = this.#frame + VNET_BYTES;
    this.#tcp = this.#ip + IPV4_HEADER_BYTES;
    this.iov = (regionOffset + HEADER_AREA_BYTES) >> 2;
    this.payloadIov = this.iov + 2;
  }

  /** A segment from `target` to `client`, addresses and ports as in `TupleTable`. */
  begin(
    client: number,
    target: number,
    ports: number,
    sequence: number,
    ack: number,
    flags: number,
    window: number,
  ): void {
    this.#source = target;
    this.#destination = client;
    this.#optionsEnd = this.#tcp + TCP_HEADER_BYTES;
    const tcp = this.#tcp;
    writeTcpHeader(
      this.#bytes,
      tcp,
      ports & 0xffff,
      ports >>> 16,
      sequence,
      ack,
      TCP_HEADER_BYTES,
      flags,
      window,
    );
  }

  addMss(mss: number): void {
    this.#optionsEnd = writeMss(this.#bytes, this.#optionsEnd, mss);
  }

  addSackPermitted(): void {
    this.#optionsEnd = writeSackPermitted(this.#bytes, this.#optionsEnd);
  }

  addWindowShift(shift: number): void {
    this.#optionsEnd = writeWindowShift(this.#bytes, this.#optionsEnd, shift);
  }

  addTimestamps(value: number, echo: number): void {
    this.#optionsEnd = writeTimestamps(this.#bytes, this.#optionsEnd, value, echo);
  }

  addSackBlocks(edges: Int32Array, blocks: number): void {
    this.#optionsEnd = writeSackBlocks(this.#bytes, this.#optionsEnd, edges, blocks);
  }

  /**
   * Completes the headers for `payloadBytes` behind them; more than `mss` makes a super-segment. The checksum is left to the
   * kernel or the core: they know whether the bytes ever meet a wire.
   */
  finish(payloadBytes: number, mss: number, identification: number): void {
    const bytes = this.#bytes;
    const tcpHeaderBytes = this.#optionsEnd - this.#tcp;
    bytes[this.#tcp + TcpOffset.dataOffset] = tcpHeaderBytes << 2;
    const tcpBytes = tcpHeaderBytes + payloadBytes;
    const source = this.#source >>> 0;
    const destination = this.#destination >>> 0;
    writeTcpChecksum(bytes, this.#tcp, pseudoHeaderSum(source, destination, IpProtocol.tcp, tcpBytes));
    const total = IPV4_HEADER_BYTES + tcpBytes;
    writeIpv4Header(
      bytes,
      this.#ip,
      total,
      identification,
      TIME_TO_LIVE,
      IpProtocol.tcp,
      source,
      destination,
    );
    const many = payloadBytes > mss;
    writeVnetHeader(
      bytes,
      this.#frame,
      many ? GsoType.tcp4 : GsoType.none,
      IPV4_HEADER_BYTES + tcpHeaderBytes,
      many ? mss : 0,
      IPV4_HEADER_BYTES,
      TcpOffset.checksum,
    );
    this.words[this.iov] = this.#frame;
    this.words[this.iov + 1] = VNET_BYTES + IPV4_HEADER_BYTES + tcpHeaderBytes;
  }
}
