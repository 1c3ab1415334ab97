import type { ClientOptions } from "../unit/tcp/client.ts";
import type { NaiveSegment } from "../unit/tcp/naive.ts";
import type { Clock } from "./clock.ts";
import { type IpPacket, tcpPacket } from "./ip-packet.ts";
import type { PipeEnd } from "./pipe.ts";
import { PipeStream } from "./pipe-stream.ts";
import type { Random } from "./random.ts";
import { SegmentStream } from "./segment-stream.ts";
import type { Stream } from "./stream.ts";

/** A program that listens: gets each new connection once it is set up. */
export type Service = (stream: Stream) => void;

/** A machine with TCP programs: a phone, a NAS, or the router itself. Its packets go to `send`. */
export class Station {
  /** Its own address; the router itself has several, this is the first. */
  readonly address: number;
  /** IP packets that are no TCP, in the order of their arrival. */
  readonly heard: Uint8Array[] = [];
  /** Switched off: takes nothing, sends nothing. */
  isOff = false;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #send: (packet: IpPacket) => void;
  readonly #services = new Map<number, Service>();
  readonly #streams = new Map<string, SegmentStream>();
  #nextPort = 40_000;

  constructor(clock: Clock, random: Random, address: number, send: (packet: IpPacket) => void) {
    this.#clock = clock;
    this.#random = random;
    this.address = address;
    this.#send = send;
  }

  /** Opens a connection; `options.address` replaces the source address (the router's own programs). */
  connect(targetAddress: number, targetPort: number, options: Partial<ClientOptions> = {}): SegmentStream {
    const port = options.port ?? this.#nextPort++;
    const stream = this.#stream({
      address: this.address,
      ...options,
      port,
      targetAddress,
      targetPort,
      isn: options.isn ?? this.#random.u32(),
    });
    stream.connect();
    return stream;
  }

  listen(port: number, service: Service): void {
    this.#services.set(port, service);
  }

  unlisten(port: number): void {
    this.#services.delete(port);
  }

  /** A connection by the daemon's socket: the service's end, or undefined when nothing listens. */
  acceptPipe(port: number, end: PipeEnd): Stream | undefined {
    const service = this.#services.get(port);
    if (service === undefined) return undefined;
    const stream = new PipeStream(end);
    service(stream);
    return stream;
  }

  /** Sends an IP packet that is no TCP. */
  sendRaw(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    this.#transmit({ source: view.getUint32(12), destination: view.getUint32(16), bytes });
  }

  handlePacket(packet: IpPacket): void {
    if (this.isOff) return;
    if ("bytes" in packet) {
      this.heard.push(packet.bytes);
      return;
    }
    const { segment } = packet;
    const key = streamKey(segment.destination, segment.destinationPort, segment.source, segment.sourcePort);
    const known = this.#streams.get(key);
    if (known !== undefined) {
      known.handle(segment);
      return;
    }
    const { flags } = segment;
    const service = this.#services.get(segment.destinationPort);
    if (flags.has("syn") && !flags.has("ack") && service !== undefined) {
      const stream = this.#stream({
        address: segment.destination,
        port: segment.destinationPort,
        targetAddress: segment.source,
        targetPort: segment.sourcePort,
        isn: this.#random.u32(),
        windowShift: segment.windowShift === undefined ? undefined : 7,
        sack: segment.sackPermitted === true,
        timestamps: segment.timestamps !== undefined,
      });
      stream.accept(segment, () => service(stream));
    } else if (!flags.has("rst")) this.#transmit(tcpPacket(resetFor(segment)));
  }

  #stream(options: Partial<ClientOptions>): SegmentStream {
    const { address, port, targetAddress, targetPort } = options;
    const stream = new SegmentStream(this.#clock, (segment) => this.#transmit(tcpPacket(segment)), options);
    this.#streams.set(streamKey(address!, port!, targetAddress!, targetPort!), stream);
    return stream;
  }

  #transmit(packet: IpPacket): void {
    if (!this.isOff) this.#send(packet);
  }
}

function streamKey(address: number, port: number, far: number, farPort: number): string {
  return `${address}:${port} ${far}:${farPort}`;
}

/** The answer to a segment of no connection (RFC 9293 3.10.7.1). */
function resetFor(segment: NaiveSegment): NaiveSegment {
  const { source, destination, sourcePort, destinationPort, flags, payload } = segment;
  const hasAck = flags.has("ack");
  const length = payload.length + (flags.has("syn") ? 1 : 0) + (flags.has("fin") ? 1 : 0);
  return {
    source: destination,
    destination: source,
    sourcePort: destinationPort,
    destinationPort: sourcePort,
    sequence: hasAck ? segment.acknowledgement : 0,
    acknowledgement: hasAck ? 0 : (segment.sequence + length) % 2 ** 32,
    flags: new Set(hasAck ? ["rst"] : ["rst", "ack"]),
    window: 0,
    payload: new Uint8Array(0),
  };
}
