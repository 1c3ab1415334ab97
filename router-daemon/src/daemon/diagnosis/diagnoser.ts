import type { CheckResult, Diagnosis } from "../../api/reports.ts";
import type { Check, Scene } from "./check.ts";
import { MACHINE_CHECKS } from "./machine-checks.ts";
import { PEER_CHECKS } from "./peer-checks.ts";

const CHECKS: readonly Check[] = [...MACHINE_CHECKS, ...PEER_CHECKS];

/** Runs the checks, one after the other, and remembers the last result. */
export class Diagnoser {
  #running: Promise<Diagnosis> | undefined;
  last: Diagnosis | null = null;

  /** One run at a time: who asks meanwhile is given its result. */
  run(scene: Scene): Promise<Diagnosis> {
    this.#running ??= this.#run(scene).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(scene: Scene): Promise<Diagnosis> {
    const started = scene.now();
    const checks: CheckResult[] = [];
    for (const { code, title, run } of CHECKS) checks.push({ code, title, ...(await run(scene)) });
    this.last = {
      time: scene.unixTime,
      tookMs: Math.round(scene.now() - started),
      peerId: scene.target?.peer.peerId ?? 0,
      peerName: scene.target?.peer.hostname ?? "",
      checks,
    };
    return this.last;
  }
}
