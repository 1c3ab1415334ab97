import { createServer, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { HostFeature } from "../../../router-daemon/src/host/features.ts";
import type { Host } from "../../../router-daemon/src/host/host.ts";
import { createNodeHost } from "../../../router-daemon/src/host/node/host.ts";
import type { Service, ServiceConnection, World } from "./world.ts";

const PATIENCE_MS = 10_000;

/** The kernel's own network, through the addon, with some of the kernel's features switched off. */
export class NodeWorld implements World {
  readonly name: string;
  readonly lacks: World["lacks"];
  readonly #without: readonly HostFeature[];

  constructor(name: string, without: readonly HostFeature[] = []) {
    this.name = name;
    this.#without = without;
    const hasIpv6 = networkInterfaces().lo?.some(({ family }) => family === "IPv6") ?? false;
    this.lacks = hasIpv6 ? {} : { ipv6: "this machine has no IPv6 loopback" };
  }

  host(options: { slotCount?: number; slotBytes?: number } = {}): Host {
    const host = createNodeHost({ slotCount: 1100, ...options, without: this.#without });
    if ("error" in host) throw new Error(host.message);
    return host;
  }

  async until(done: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    // Also so many looks: other tests may keep this process from looking.
    for (let looks = 0; !done(); looks++) {
      if (looks > 500 && performance.now() > deadline)
        throw new Error(`Waited ${PATIENCE_MS} ms in vain for ${what}.`);
      await sleep(1);
    }
  }

  async pass(ms: number): Promise<void> {
    await sleep(ms);
  }

  async service(): Promise<Service> {
    const waiting: NodeConnection[] = [];
    const server = createServer({ allowHalfOpen: true }, (socket) =>
      waiting.push(new NodeConnection(socket)),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    // A test that fails half-way must not keep the process.
    server.unref();
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("The service has no port.");
    return {
      port: address.port,
      accept: async () => {
        await this.until(() => waiting.length > 0, "a connection to the service");
        return waiting.shift()!;
      },
      close: () => server.close(),
    };
  }

  async closedPort(): Promise<number> {
    const service = await this.service();
    service.close();
    await sleep(1);
    return service.port;
  }
}

class NodeConnection implements ServiceConnection {
  readonly #socket: Socket;
  readonly #chunks: Buffer[] = [];
  ended = false;
  wasReset = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.unref();
    socket.on("data", (chunk) => this.#chunks.push(chunk));
    socket.on("end", () => {
      this.ended = true;
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.wasReset ||= error.code === "ECONNRESET";
    });
  }

  received(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.#chunks));
  }
  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }
  end(): void {
    this.#socket.end();
  }
  reset(): void {
    this.#socket.resetAndDestroy();
  }
  pause(): void {
    this.#socket.pause();
  }
  resume(): void {
    this.#socket.resume();
  }
}
