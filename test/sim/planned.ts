/** Connections that go as planned in advance, for property tests. */
import fc from "fast-check";

import { pattern } from "./random.ts";
import { type Scene, same } from "./scene.ts";
import { SegmentStream } from "./segment-stream.ts";
import type { Stream } from "./stream.ts";
import type { World } from "./world.ts";

const FIRST_PORT = 1000;

/** How a connection goes. */
export interface Plan {
  readonly startMs: number;
  readonly upBytes: number;
  readonly downBytes: number;
  /** Who finishes first: the other one finishes when it has seen the end. */
  readonly ending: "client" | "service" | "both" | "client resets" | "service resets" | "nobody listens";
  /** When a reset comes. */
  readonly resetAfterMs: number;
  /** The client does not read for so long. */
  readonly pauseMs: number;
}

export const anyPlan: fc.Arbitrary<Plan> = fc.record({
  startMs: fc.integer({ min: 0, max: 3000 }),
  upBytes: fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 60_000 })),
  downBytes: fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 60_000 })),
  ending: fc.constantFrom("client", "service", "both", "client resets", "service resets", "nobody listens"),
  resetAfterMs: fc.integer({ min: 1, max: 800 }),
  pauseMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2000 })),
});

/** What a path may be like. */
export const anyUnderlay = fc.record({
  delayMs: fc.integer({ min: 0, max: 80 }),
  jitterMs: fc.integer({ min: 0, max: 10 }),
  loss: fc.constantFrom(0, 0.01, 0.05, 0.1),
  burst: fc.constantFrom(undefined, { enter: 0.002, leave: 0.2, loss: 0.9 }),
  reorder: fc.constantFrom(0, 0.03, 0.2),
  reorderMs: fc.integer({ min: 1, max: 20 }),
  duplicate: fc.constantFrom(0, 0.02),
  rate: fc.constantFrom(Number.POSITIVE_INFINITY, 2000, 500),
});

/** One planned connection while it runs. */
export class Planned {
  readonly plan: Plan;
  readonly #up: Uint8Array;
  readonly #down: Uint8Array;
  #near: SegmentStream | undefined;
  #far: Stream | undefined;

  /** The `number`-th connection of its world: it has a port of its own. */
  constructor(plan: Plan, number: number) {
    this.plan = plan;
    this.#up = pattern(plan.upBytes, 2 * number);
    this.#down = pattern(plan.downBytes, 2 * number + 1);
  }

  static all(plans: readonly Plan[], world: World, scene: Scene): Planned[] {
    return plans.map((plan, number) => {
      const planned = new Planned(plan, number);
      planned.#schedule(FIRST_PORT + number, world, scene);
      return planned;
    });
  }

  #schedule(port: number, world: World, { phone, nas }: Scene): void {
    const { plan } = this;
    const { ending, resetAfterMs, pauseMs } = plan;
    if (ending !== "nobody listens") {
      nas.listen(port, (far) => {
        this.#far = far;
        far.write(this.#down);
        if (ending === "service" || ending === "both") far.end();
        far.onChange = () => {
          if (ending === "client" && far.hasEnded) far.end();
        };
        if (ending === "service resets") world.clock.after(resetAfterMs, () => far.reset());
      });
    }
    world.clock.after(plan.startMs, () => {
      const near = phone.connect(nas.address, port);
      this.#near = near;
      if (pauseMs > 0) {
        near.pause();
        world.clock.after(pauseMs, () => near.resume());
      }
      near.write(this.#up);
      if (ending === "client" || ending === "both") near.end();
      near.onChange = () => {
        if (ending === "service" && near.hasEnded) near.end();
      };
      if (ending === "client resets") world.clock.after(resetAfterMs, () => near.reset());
    });
  }

  /** Over, as planned. */
  get isOver(): boolean {
    const near = this.#near;
    const far = this.#far;
    if (near === undefined) return false;
    const { ending } = this.plan;
    if (ending === "nobody listens") return near.wasReset;
    if (ending === "client resets" || ending === "service resets") {
      // Over a plain connection a reset is one packet, and may be lost.
      if (far instanceof SegmentStream) return near.wasReset || far.wasReset;
      return near.wasReset && (far === undefined || far.wasReset);
    }
    return near.hasEnded && far?.hasEnded === true;
  }

  /** Bytes that are not what was sent; undefined = there are none. */
  get damage(): string | undefined {
    const up = this.#far?.received() ?? new Uint8Array(0);
    const down = this.#near?.received() ?? new Uint8Array(0);
    if (!same(up, this.#up.subarray(0, up.length))) return this.#say("the service got other bytes");
    if (!same(down, this.#down.subarray(0, down.length))) return this.#say("the client got other bytes");
    return undefined;
  }

  /** What is wrong with how it went, when nothing has come between; undefined = nothing. */
  get complaint(): string | undefined {
    const { plan } = this;
    const near = this.#near;
    const far = this.#far;
    if (plan.ending === "nobody listens") return near?.isOpen ? this.#say("nobody listens") : undefined;
    if (plan.ending === "client resets" || plan.ending === "service resets") return this.damage;
    if (near?.wasReset || far?.wasReset) return this.#say("was reset");
    if (far?.receivedBytes !== plan.upBytes || near?.receivedBytes !== plan.downBytes) {
      return this.#say("bytes are missing");
    }
    return this.damage;
  }

  describe(): string {
    return this.#say("not over");
  }

  /** Nothing of it goes on: both programs are gone. */
  abandon(): void {
    this.#near?.reset();
    this.#far?.reset();
  }

  #say(what: string): string {
    const state = (stream: Stream | undefined) =>
      stream && {
        isOpen: stream.isOpen,
        hasEnded: stream.hasEnded,
        wasReset: stream.wasReset,
        receivedBytes: stream.receivedBytes,
        unsentBytes: stream.unsentBytes,
      };
    return `${what}: ${JSON.stringify({ plan: this.plan, near: state(this.#near), far: state(this.#far) })}`;
  }
}
