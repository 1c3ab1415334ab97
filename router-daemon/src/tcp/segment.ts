import {
  checkIpv4,
  IpProtocol,
  ipv4Destination,
  ipv4IsFragment,
  ipv4Protocol,
  ipv4Source,
  ipv4TotalLength,
} from "../wire/ipv4.ts";
import {
  checkTcp,
  TcpOptions,
  tcpAcknowledgement,
  tcpChecksumIsRight,
  tcpDestinationPort,
  tcpFlags,
  tcpSequence,
  tcpSourcePort,
  tcpWindow,
} from "../wire/tcp.ts";
import { VNET_BYTES, vnetChecksumUnverified } from "../wire/vnet.ts";

/** One received segment, or super-segment, taken apart. Made once and filled again and again. */
export class Segment {
  /** Addresses as signed 32-bit numbers, ports as in `TupleTable.ports`. */
  client = 0;
  target = 0;
  ports = 0;
  flags = 0;
  sequence = 0;
  acknowledgement = 0;
  /** As in the header, not scaled. */
  window = 0;
  payloadOffset = 0;
  payloadBytes = 0;
  /** Filled by `parseOptions` only. */
  readonly options: TcpOptions = new TcpOptions();
  readonly #bytes: Uint8Array;
  #tcpOffset = 0;
  #tcpHeaderBytes = 0;
  #unverified = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /**
   * Takes a frame (vnet header first) apart. False when it is not a whole TCP segment over IPv4: then nothing here counts.
   * The checksum of the IP header is the kernel's business, which has routed the packet to us by it.
   */
  parse(offset: number, length: number): boolean {
    const bytes = this.#bytes;
    const ip = offset + VNET_BYTES;
    const ipHeaderBytes = checkIpv4(bytes, ip, length - VNET_BYTES);
    if (ipHeaderBytes === 0 || ipv4Protocol(bytes, ip) !== IpProtocol.tcp || ipv4IsFragment(bytes, ip))
      return false;
    const tcp = ip + ipHeaderBytes;
    const tcpBytes = ipv4TotalLength(bytes, ip) - ipHeaderBytes;
    const headerBytes = checkTcp(bytes, tcp, tcpBytes);
    if (headerBytes === 0) return false;
    this.client = ipv4Source(bytes, ip) | 0;
    this.target = ipv4Destination(bytes, ip) | 0;
    this.ports = (tcpSourcePort(bytes, tcp) << 16) | tcpDestinationPort(bytes, tcp);
    this.flags = tcpFlags(bytes, tcp);
    this.sequence = tcpSequence(bytes, tcp);
    this.acknowledgement = tcpAcknowledgement(bytes, tcp);
    this.window = tcpWindow(bytes, tcp);
    this.payloadOffset = tcp + headerBytes;
    this.payloadBytes = tcpBytes - headerBytes;
    this.#tcpOffset = tcp;
    this.#tcpHeaderBytes = headerBytes;
    this.#unverified = vnetChecksumUnverified(bytes, offset);
    return true;
  }

  /** False = the checksum is wrong, and neither the kernel nor the network card has looked at it. */
  get checksumIsRight(): boolean {
    if (!this.#unverified) return true;
    const length = this.#tcpHeaderBytes + this.payloadBytes;
    return tcpChecksumIsRight(this.#bytes, this.#tcpOffset, length, this.client >>> 0, this.target >>> 0);
  }

  parseOptions(): void {
    this.options.parse(this.#bytes, this.#tcpOffset, this.#tcpHeaderBytes);
  }
}
