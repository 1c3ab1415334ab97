/** Many connections of all sorts at once, over paths of all sorts. */
import test from "ava";
import fc from "fast-check";

import { pattern } from "./random.ts";
import { same, twoRouters } from "./scene.ts";
import { SegmentStream } from "./segment-stream.ts";
import type { Stream } from "./stream.ts";
import { World } from "./world.ts";

const TIME_MS = Number(process.env.SIM_MIX_MS ?? 6000);
const FIRST_PORT = 1000;

/** How a connection goes. */
interface Plan {
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

const anyPlan: fc.Arbitrary<Plan> = fc.record({
  startMs: fc.integer({ min: 0, max: 3000 }),
  upBytes: fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 60_000 })),
  downBytes: fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 60_000 })),
  ending: fc.constantFrom("client", "service", "both", "client resets", "service resets", "nobody listens"),
  resetAfterMs: fc.integer({ min: 1, max: 800 }),
  pauseMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2000 })),
});

const anyUnderlay = fc.record({
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
class Running {
  readonly plan: Plan;
  readonly port: number;
  near!: SegmentStream;
  far: Stream | undefined;

  constructor(plan: Plan, port: number) {
    this.plan = plan;
    this.port = port;
  }

  get up(): Uint8Array {
    return pattern(this.plan.upBytes, this.port);
  }
  get down(): Uint8Array {
    return pattern(this.plan.downBytes, this.port + 1);
  }

  get isOver(): boolean {
    if (this.near === undefined) return false;
    if (this.plan.ending === "nobody listens") return this.near.wasReset;
    if (this.plan.ending.endsWith("resets")) {
      // Over a plain connection a reset is one packet, and may be lost.
      if (this.far instanceof SegmentStream) return this.near.wasReset || this.far.wasReset;
      return this.near.wasReset && (this.far === undefined || this.far.wasReset);
    }
    return this.near.hasEnded && this.far?.hasEnded === true;
  }

  /** What is wrong with how it went; undefined = nothing. */
  complaint(): string | undefined {
    const { near, far, plan } = this;
    const up = far?.received() ?? new Uint8Array(0);
    const down = near.received();
    if (!same(up, this.up.subarray(0, up.length))) return "the service got other bytes than were sent";
    if (!same(down, this.down.subarray(0, down.length))) return "the client got other bytes than were sent";
    if (plan.ending === "nobody listens" && near.isOpen) return "opened although nobody listens";
    if (plan.ending.endsWith("resets") || plan.ending === "nobody listens") return undefined;
    if (near.wasReset || far?.wasReset) return "was reset";
    if (up.length !== plan.upBytes || down.length !== plan.downBytes) return "bytes are missing";
    return undefined;
  }
}

export function tell(
  seed: number,
  underlay: Partial<typeof anyUnderlay extends fc.Arbitrary<infer T> ? T : never>,
  plans: readonly Plan[],
): void {
  const world = new World(seed);
  const small = { cipher: "stand-in" } as const;
  const { phone, nas } = twoRouters(world, { a: small, b: small });
  world.network.shape(underlay);
  const all = plans.map((plan, i) => new Running(plan, FIRST_PORT + i));
  for (const running of all) {
    const { plan, port } = running;
    if (plan.ending !== "nobody listens") {
      nas.listen(port, (far) => {
        running.far = far;
        far.write(running.down);
        if (plan.ending !== "client" && !plan.ending.endsWith("resets")) far.end();
        far.onChange = () => {
          if (plan.ending === "client" && far.hasEnded) far.end();
        };
        if (plan.ending === "service resets") world.clock.after(plan.resetAfterMs, () => far.reset());
      });
    }
    world.clock.after(plan.startMs, () => {
      const near = phone.connect(nas.address, port);
      running.near = near;
      if (plan.pauseMs > 0) {
        near.pause();
        world.clock.after(plan.pauseMs, () => near.resume());
      }
      near.write(running.up);
      if (plan.ending === "client" || plan.ending === "both") near.end();
      near.onChange = () => {
        if (plan.ending === "service" && near.hasEnded) near.end();
      };
      if (plan.ending === "client resets") world.clock.after(plan.resetAfterMs, () => near.reset());
    });
  }
  const endless = () => all.filter(({ isOver }) => !isOver);
  try {
    world.until(() => endless().length === 0, "all to be over", 120_000);
  } catch {
    const list = endless().map(({ plan, near, far }) =>
      JSON.stringify({ plan, near: stateOf(near), far: far && stateOf(far) }),
    );
    throw new Error(
      `${list.length} connections are not over after two minutes: ${list.slice(0, 3).join("; ")}`,
    );
  }
  for (const running of all) {
    const complaint = running.complaint();
    if (complaint !== undefined) throw new Error(`${complaint}: ${JSON.stringify(running.plan)}`);
  }
  world.checkAtRest();
}

function stateOf(stream: Stream): object {
  const { isOpen, hasEnded, wasReset, receivedBytes, unsentBytes } = stream;
  return { isOpen, hasEnded, wasReset, receivedBytes, unsentBytes };
}

test("any mix of connections over any path: whole, in order, ended or reset as planned, nothing left", (t) => {
  const story = fc.property(
    fc.nat(),
    anyUnderlay,
    fc.array(anyPlan, { minLength: 1, maxLength: 100 }),
    (seed, underlay, plans) => tell(seed, underlay, plans),
  );
  const replay = process.env.SIM_SEED === undefined ? {} : { seed: Number(process.env.SIM_SEED) };
  fc.assert(story, {
    ...replay,
    numRuns: 1000,
    interruptAfterTimeLimit: TIME_MS,
    markInterruptAsFailure: false,
    includeErrorInReport: true,
  });
  t.pass();
});
