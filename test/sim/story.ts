import test, { type ExecutionContext } from "ava";

import type { PathOptions } from "./path.ts";
import { World } from "./world.ts";

/** `SIM_SEED=7` tells every story with this seed only; `SIM_SEEDS=50` tells each with fifty. */
const ONLY_SEED = process.env.SIM_SEED;
const SEEDS = process.env.SIM_SEEDS;

export interface StoryOptions {
  readonly underlay?: Partial<PathOptions>;
  /** The story is told with the seeds 1 to this. */
  readonly seeds?: number;
  /** Looks at the memory at the end by itself. */
  readonly keepsMemory?: boolean;
}

/**
 * One story as a test: told once per seed in a fresh world. At its end every router that runs must be as it was before the
 * first connection: no slot held, no socket open. A failure names the seed.
 */
export function story(
  title: string,
  options: StoryOptions,
  body: (t: ExecutionContext, world: World) => void | Promise<void>,
): void {
  test(title, async (t) => {
    for (const seed of seedsOf(options.seeds ?? 2)) {
      try {
        const world = new World(seed, options.underlay);
        await body(t, world);
        if (!options.keepsMemory) world.checkAtRest();
      } catch (error) {
        t.log(`seed ${seed}: replay with SIM_SEED=${seed}`);
        throw error;
      }
    }
  });
}

function seedsOf(count: number): number[] {
  if (ONLY_SEED !== undefined) return [Number(ONLY_SEED)];
  return Array.from({ length: SEEDS === undefined ? count : Number(SEEDS) }, (_, i) => i + 1);
}
