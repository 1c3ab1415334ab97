/** The host as it is in QuickJS: what holds for Node's and for the simulated one holds for this one. */
import { native } from "kcp-router:native";
import type { Host } from "../../../router-daemon/src/host/host.ts";
import { createQuickJsHost } from "../../../router-daemon/src/host/quickjs/host.ts";
import { createQuickJsStreams } from "../../../router-daemon/src/host/quickjs/streams.ts";
import type { ByteStream, StreamHandlers } from "../../../router-daemon/src/host/streams.ts";
import { conformance } from "../../unit/host/conformance.ts";
import type { Service, ServiceConnection, World } from "../../unit/host/world.ts";

const PATIENCE_MS = 10_000;
const streams = createQuickJsStreams(native);

class QuickJsWorld implements World {
  readonly name = "QuickJS";
  readonly lacks: World["lacks"] = {
    reset: "byte streams cannot be reset",
    ...(hasIpv6() ? {} : { ipv6: "this machine has no IPv6 loopback" }),
  };

  host(options: { slotCount?: number; slotBytes?: number } = {}): Host {
    const host = createQuickJsHost(native, { slotCount: 1100, ...options });
    if ("error" in host) throw new Error(host.message);
    return host;
  }

  async until(done: () => boolean, what: string): Promise<void> {
    const deadline = native.monotonicMs() + PATIENCE_MS;
    for (let looks = 0; !done(); looks++) {
      if (looks > 500 && native.monotonicMs() > deadline) {
        throw new Error(`Waited ${PATIENCE_MS} ms in vain for ${what}.`);
      }
      await this.pass(1);
    }
  }

  pass(ms: number): Promise<void> {
    return new Promise((resolve) => native.startTimer(resolve, ms));
  }

  async service(): Promise<Service> {
    const waiting: Connection[] = [];
    const address = { ipv4: "127.0.0.1", port: 0 };
    const listener = await streams.listen(address, { maxClients: 100 }, (stream) => {
      const connection = new Connection(stream);
      waiting.push(connection);
      return connection.handlers;
    });
    if (!listener.ok) throw new Error(`The service cannot listen: ${listener.code}`);
    return {
      port: listener.port,
      accept: async () => {
        await this.until(() => waiting.length > 0, "a connection to the service");
        return waiting.shift()!;
      },
      close: () => listener.close(),
    };
  }

  async closedPort(): Promise<number> {
    const service = await this.service();
    service.close();
    return service.port;
  }
}

class Connection implements ServiceConnection {
  readonly handlers: StreamHandlers;
  readonly #stream: ByteStream;
  #bytes = new Uint8Array(0);
  ended = false;
  wasReset = false;

  constructor(stream: ByteStream) {
    this.#stream = stream;
    this.handlers = {
      data: (bytes) => {
        const longer = new Uint8Array(this.#bytes.length + bytes.length);
        longer.set(this.#bytes);
        longer.set(bytes, this.#bytes.length);
        this.#bytes = longer;
      },
      ended: () => {
        this.ended = true;
      },
      drained() {},
      closed: (code) => {
        this.wasReset ||= code === "ECONNRESET";
      },
    };
  }

  received(): Uint8Array {
    return this.#bytes;
  }
  write(bytes: Uint8Array): void {
    this.#stream.write(bytes);
  }
  end(): void {
    this.#stream.end();
  }
  reset(): void {
    throw new Error("Byte streams cannot be reset.");
  }
  pause(): void {
    this.#stream.pause();
  }
  resume(): void {
    this.#stream.resume();
  }
}

function hasIpv6(): boolean {
  return typeof native.readFile("/proc/net/if_inet6", 65_536) !== "number";
}

conformance(new QuickJsWorld());
