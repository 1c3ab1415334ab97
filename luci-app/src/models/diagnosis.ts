import { signal } from "@preact/signals";
import type { Diagnosis } from "../../../router-daemon/src/api/reports.ts";
import { daemon } from "../luci/call.ts";

/** One run of the checks. */
export class Examination {
  readonly result = signal<Diagnosis | undefined>(undefined);
  readonly running = signal(false);
  /** 0 = a peer that is reachable. */
  readonly peerId = signal(0);

  async run(): Promise<void> {
    this.running.value = true;
    try {
      this.result.value = await daemon("diagnose", { peer: this.peerId.value }, true);
    } finally {
      this.running.value = false;
    }
  }

  /** Everything somebody who helps may want to see; the daemon masks secrets. */
  async bundle(): Promise<string> {
    return `${JSON.stringify(await daemon("debug_bundle", {}, true), null, 2)}\n`;
  }
}
