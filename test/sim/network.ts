import { createHash, type Hash } from "node:crypto";

import type { Clock } from "./clock.ts";
import { Path, type PathOptions } from "./path.ts";
import type { Random } from "./random.ts";

/** One UDP datagram between machines. Addresses are text (`203.0.113.1`, `::1`). */
export interface Datagram {
  readonly from: string;
  readonly fromPort: number;
  readonly to: string;
  readonly toPort: number;
  readonly bytes: Uint8Array;
}

/** Takes datagrams that have arrived at an address. */
export interface DatagramTarget {
  handleDatagram(datagram: Datagram): void;
}

/**
 * What lies between the machines: one path for each ordered pair of addresses, made when it is first needed, as the last
 * matching `shape` says.
 */
export class Network {
  /** False = the datagram is lost. Asked before the path. For stories that lose one certain packet. */
  filter: ((datagram: Datagram) => boolean) | undefined;
  /** Called for every datagram that is sent, lost or not. */
  observe: ((datagram: Datagram) => void) | undefined;
  sent = 0;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #targets = new Map<string, DatagramTarget>();
  readonly #paths = new Map<string, Path>();
  #defaults: Partial<PathOptions>;
  readonly #hash: Hash = createHash("sha256");

  constructor(clock: Clock, random: Random, defaults: Partial<PathOptions> = {}) {
    this.#clock = clock;
    this.#random = random;
    this.#defaults = defaults;
  }

  attach(address: string, target: DatagramTarget): void {
    if (this.#targets.has(address)) throw new Error(`Two machines with the address ${address}.`);
    this.#targets.set(address, target);
  }

  detach(address: string): void {
    this.#targets.delete(address);
  }

  /** The path from one address to another. */
  path(from: string, to: string): Path {
    const key = `${from} ${to}`;
    let path = this.#paths.get(key);
    if (path === undefined) {
      path = new Path(this.#clock, this.#random.fork(), this.#defaults);
      this.#paths.set(key, path);
    }
    return path;
  }

  /** Changes all paths, those that are still to be made included. */
  shape(options: Partial<PathOptions>): void {
    this.#defaults = { ...this.#defaults, ...options };
    for (const path of this.#paths.values()) Object.assign(path.options, options);
  }

  send(datagram: Datagram): void {
    this.sent++;
    this.note(`udp ${datagram.from}:${datagram.fromPort} ${datagram.to}:${datagram.toPort}`, datagram.bytes);
    this.observe?.(datagram);
    if (this.filter !== undefined && !this.filter(datagram)) return;
    // 28 bytes of IP and UDP header also take their time on the line.
    this.path(datagram.from, datagram.to).send(datagram.bytes.length + 28, () =>
      this.#targets.get(datagram.to)?.handleDatagram(datagram),
    );
  }

  /** Writes something into the trace that tells one run of a story from another. */
  note(what: string, bytes?: Uint8Array): void {
    this.#hash.update(`${this.#clock.now} ${what}\n`);
    if (bytes !== undefined) this.#hash.update(bytes);
  }

  /** Hash of everything that happened so far. */
  digest(): string {
    return this.#hash.copy().digest("hex");
  }
}
