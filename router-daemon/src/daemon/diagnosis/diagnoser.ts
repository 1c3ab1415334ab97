import type { CheckResult, Diagnosis } from "../../api/reports.ts";
import type { Check, Scene } from "./check.ts";
import { MACHINE_CHECKS } from "./machine-checks.ts";
import { PEER_CHECKS } from "./peer-checks.ts";

/** Runs the checks, one after the other, and remembers the last result. */
export class Diagnoser {
  readonly #checks: readonly Check[];
  #running: Promise<Diagnosis> | undefined;
  last: Diagnosis | null = null;

  /** `more`: what only this kind of machine has, examined between the machine and the peers. */
  constructor(more: readonly Check[]) {
    this.#checks = [...MACHINE_CHECKS, ...more, ...PEER_CHECKS];
  }

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
    for (const { code, title, run } of this.#checks) checks.push({ code, title, ...(await run(scene)) });
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
