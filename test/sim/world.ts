/**
 * Routers, what lies between them, and time. One seed decides everything that is random, so a story runs the same way each
 * time it is told.
 */
import { Clock } from "./clock.ts";
import { Network } from "./network.ts";
import type { PathOptions } from "./path.ts";
import { Random } from "./random.ts";
import { Router, type RouterOptions } from "./router.ts";

/** Time in which everything that was opened is forgotten again: lingering ends, second copies, timers. */
export const SETTLE_MS = 30_000;
/** Time between joining and the first connection in which routes and latencies become known. */
const REST_MS = 3000;

export class World {
  readonly seed: number;
  readonly clock = new Clock();
  readonly random: Random;
  readonly network: Network;
  readonly routers: Router[] = [];
  readonly #idleSlots = new Map<Router, number>();

  /** `underlay` shapes every path between routers. */
  constructor(seed: number, underlay: Partial<PathOptions> = {}) {
    this.seed = seed;
    this.random = new Random(seed);
    this.network = new Network(this.clock, this.random.fork(), underlay);
  }

  get now(): number {
    return this.clock.now;
  }

  router(name: string, options: RouterOptions): Router {
    const router = new Router(this, name, options);
    this.routers.push(router);
    return router;
  }

  get #running(): Router[] {
    return this.routers.filter(({ isRunning }) => isRunning);
  }

  /** Lets `ms` of virtual time pass. */
  run(ms: number): void {
    this.clock.runTo(this.now + ms);
  }

  /** Lets time pass until the condition holds; throws with the seed when it does not within `maxMs`. */
  until(condition: () => boolean, what: string, maxMs = 30_000): void {
    const end = this.now + maxMs;
    while (!condition()) {
      if (!this.clock.step(end)) {
        this.clock.runTo(end);
        if (condition()) return;
        throw new Error(`Seed ${this.seed}: waited ${maxMs} ms in vain for ${what}.`);
      }
    }
  }

  /** All routers reach each other. */
  join(maxMs = 15_000): void {
    this.until(
      () => this.#running.every((a) => this.#running.every((b) => a === b || a.reaches(b))),
      "all routers to reach each other",
      maxMs,
    );
  }

  /** Lets the network come to rest, and takes what the routers then hold as what they hold at rest. */
  rest(): void {
    this.run(REST_MS);
    for (const router of this.routers) this.#idleSlots.set(router, router.pool.usedSlots);
  }

  /** After some time, every router holds what it held at rest, and no socket of a connection is open. */
  checkAtRest(): void {
    this.run(SETTLE_MS);
    for (const router of this.routers) {
      if (!router.isRunning) continue;
      const { name, pool, host, failures } = router;
      pool.checkAll();
      const idle = this.#idleSlots.get(router);
      const wrong: string[] = [];
      if (failures.length > 0) wrong.push(`gave up: ${failures.join(" ")}`);
      if (host.openConnections > 0) wrong.push(`has ${host.openConnections} sockets of connections open`);
      if (idle !== undefined && pool.usedSlots !== idle) {
        wrong.push([`holds ${pool.usedSlots} slots, ${idle} at rest`, ...pool.owners()].join("\n  "));
      }
      if (wrong.length > 0) throw new Error(`Seed ${this.seed}: ${name} ${wrong.join(", ")}.`);
    }
  }

  /** Cuts or mends both directions between two addresses. */
  setCut(a: string, b: string, isCut: boolean): void {
    this.network.path(a, b).options.isCut = isCut;
    this.network.path(b, a).options.isCut = isCut;
  }
}
