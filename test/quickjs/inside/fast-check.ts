/**
 * fast-check with fewer runs: an interpreter, and one under an emulator even more so, has time for a share of them
 * (`SHARE_OF_RUNS`). The whole number runs in Node.
 */
import { native } from "kcp-router:native";
import whole, { type IRawProperty, type Parameters } from "fast-check";

const SHARE = Number(native.environment("SHARE_OF_RUNS") ?? "1");
const DEFAULT_RUNS = 100;

function fewer(given: Parameters<unknown> = {}): Parameters<unknown> {
  return { ...given, numRuns: Math.max(1, Math.ceil((given.numRuns ?? DEFAULT_RUNS) * SHARE)) };
}

export function assert(property: IRawProperty<unknown>, given?: Parameters<unknown>): unknown {
  return whole.assert(property, fewer(given));
}
export function check(property: IRawProperty<unknown>, given?: Parameters<unknown>): unknown {
  return whole.check(property, fewer(given));
}

export * from "fast-check";
// biome-ignore lint/style/noDefaultExport: fast-check has one
export default { ...whole, assert, check };
