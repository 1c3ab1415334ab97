import type { Parameters } from "fast-check";

/**
 * How a property is tried: for so long, unless `SIM_MIX_MS` says otherwise. fast-check prints seed and path of a failure;
 * `SIM_SEED` (and `SIM_PATH`) replays it.
 */
export function timeBoxed<T>(ms: number): Parameters<T> {
  const { SIM_SEED, SIM_PATH, SIM_MIX_MS } = process.env;
  return {
    ...(SIM_SEED === undefined ? {} : { seed: Number(SIM_SEED) }),
    ...(SIM_PATH === undefined ? {} : { path: SIM_PATH }),
    numRuns: 1_000_000,
    interruptAfterTimeLimit: Number(SIM_MIX_MS ?? ms),
    markInterruptAsFailure: false,
    includeErrorInReport: true,
  };
}
