/** `mesh-process.ts` as tests of the lab see it. */
import { join } from "node:path";
import type { MeshEvent } from "../../router-daemon/src/mesh/event.ts";
import type { PeerSnapshot, RouteSnapshot } from "../../router-daemon/src/mesh/snapshot.ts";
import type { Lab } from "../netns/lab.ts";
import { until } from "../netns/namespace.ts";
import { ROOT } from "../netns/paths.ts";
import type { LabProcess } from "../netns/process.ts";
import type { MeshProcessConfig } from "./mesh-process.ts";

export interface MeshStatus {
  readonly peers: readonly PeerSnapshot[];
  readonly routes: readonly RouteSnapshot[];
  readonly counters: Readonly<Record<string, number>>;
}

export class MeshPeer {
  readonly process: LabProcess;
  readonly peerId: number;

  private constructor(child: LabProcess, peerId: number) {
    this.process = child;
    this.peerId = peerId;
  }

  static async start(lab: Lab, host: string, config: MeshProcessConfig): Promise<MeshPeer> {
    const child = lab.spawn(
      host,
      [process.execPath, "--import=tsx", join(ROOT, "test/interop/mesh-process.ts")],
      { cwd: ROOT },
    );
    child.write(`${JSON.stringify(config)}\n`);
    const { ready } = JSON.parse(await child.waitForLine(/^\{"ready"/, 20_000));
    if (ready.failures.length + ready.problems.length > 0) throw new Error(JSON.stringify(ready));
    return new MeshPeer(child, ready.peerId);
  }

  async status(): Promise<MeshStatus> {
    const next = this.process.nextLine(/^\{"status"/);
    this.process.write("status\n");
    return JSON.parse(await next).status;
  }

  /** Sends a payload; resolves with the number of datagrams the kernel took. */
  async send(peerId: number, type: number, payload: Uint8Array): Promise<number> {
    const next = this.process.nextLine(/^\{"sent"/);
    this.process.write(`send ${peerId} ${type} ${Buffer.from(payload).toString("hex")}\n`);
    return JSON.parse(await next).sent;
  }

  get events(): MeshEvent[] {
    return this.process.lines
      .filter((line) => line.startsWith('{"event"'))
      .map((line) => JSON.parse(line).event);
  }

  get received(): { kind: string; from: number; payload: string }[] {
    return this.process.lines
      .filter((line) => line.startsWith('{"received"'))
      .map((line) => JSON.parse(line).received);
  }

  async untilPeer(
    what: string,
    wanted: (peer: PeerSnapshot) => boolean,
    timeoutMs = 20_000,
  ): Promise<PeerSnapshot> {
    let found: PeerSnapshot | undefined;
    await until(
      what,
      async () => {
        found = (await this.status()).peers.find(wanted);
        return found !== undefined;
      },
      timeoutMs,
      50,
    );
    return found as PeerSnapshot;
  }

  async untilEvent(type: MeshEvent["type"], timeoutMs = 20_000): Promise<MeshEvent> {
    let found: MeshEvent | undefined;
    await until(
      `the event ${type}`,
      async () => {
        found = this.events.find((event) => event.type === type);
        return found !== undefined;
      },
      timeoutMs,
      50,
    );
    return found as MeshEvent;
  }

  stop(): Promise<number> {
    return this.process.stop("SIGKILL");
  }
}
