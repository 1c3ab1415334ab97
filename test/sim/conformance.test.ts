import { conformance } from "../unit/host/conformance.ts";
import type { World as HostWorld, Service, ServiceConnection } from "../unit/host/world.ts";
import { Clock } from "./clock.ts";
import { Kernel } from "./kernel.ts";
import { Network } from "./network.ts";
import { Random } from "./random.ts";
import { SimHost } from "./sim-host.ts";
import type { Stream } from "./stream.ts";

const PATIENCE_MS = 10_000;

/** Hosts on one simulated machine. */
class SimulatedWorld implements HostWorld {
  readonly name = "simulated";
  readonly lacks = {};
  readonly #clock = new Clock();
  readonly #random = new Random(1);
  readonly #kernel = new Kernel(this.#clock, this.#random, new Network(this.#clock, this.#random), [
    "203.0.113.1",
  ]);
  #nextPort = 8000;

  host(options: { slotCount?: number; slotBytes?: number } = {}): SimHost {
    const sizes = { slotCount: 1100, scratchBytes: 4 << 20, ...options };
    return new SimHost(this.#kernel, this.#random.fork(), sizes);
  }

  async until(done: () => boolean, what: string): Promise<void> {
    const deadline = this.#clock.now + PATIENCE_MS;
    while (!done()) {
      if (this.#clock.now > deadline) throw new Error(`Waited ${PATIENCE_MS} ms in vain for ${what}.`);
      this.#clock.runTo(this.#clock.now + 0.5);
    }
  }

  async pass(ms: number): Promise<void> {
    this.#clock.runTo(this.#clock.now + ms);
  }

  async service(): Promise<Service> {
    const port = this.#nextPort++;
    const waiting: Stream[] = [];
    this.#kernel.local.listen(port, (stream) => waiting.push(stream));
    return {
      port,
      accept: async () => {
        await this.until(() => waiting.length > 0, "a connection to the service");
        return connectionOf(waiting.shift()!, this.#clock);
      },
      close: () => this.#kernel.local.unlisten(port),
    };
  }

  async closedPort(): Promise<number> {
    return this.#nextPort++;
  }
}

function connectionOf(stream: Stream, clock: Clock): ServiceConnection {
  return {
    received: () => stream.received().slice(),
    get ended() {
      return stream.hasEnded;
    },
    get wasReset() {
      return stream.wasReset;
    },
    write: (bytes) => stream.write(bytes),
    end: () => stream.end(),
    reset: () => stream.reset(),
    pause: () => stream.pause(),
    // Another process: it has its turn later.
    resume: () => clock.after(0.01, () => stream.resume()),
  };
}

conformance(new SimulatedWorld());
