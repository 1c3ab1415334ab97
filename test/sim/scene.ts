/** The usual places, and what stories do there. */
import type { Router, RouterOptions } from "./router.ts";
import type { SegmentStream } from "./segment-stream.ts";
import type { Station } from "./station.ts";
import type { Stream } from "./stream.ts";
import type { World } from "./world.ts";

export const WAN_A = "203.0.113.1";
export const WAN_B = "203.0.113.2";
export const NAS = "192.168.2.20";
export const PORT = 80;

/** The usual scene. */
export interface Scene {
  readonly a: Router;
  readonly b: Router;
  readonly phone: Station;
  readonly nas: Station;
}

/**
 * ```
 *  phone ── LAN 192.168.1.0/24 ── a ═══ underlay ═══ b ── LAN 192.168.2.0/24 ── nas
 *  .10                        10.126.126.1       10.126.126.2                    .20
 * ```
 */
export function twoRouters(
  world: World,
  options: { readonly a?: Partial<RouterOptions>; readonly b?: Partial<RouterOptions> } = {},
): Scene {
  const a = world.router("a", {
    wan: WAN_A,
    ipv4: "10.126.126.1/24",
    lans: ["192.168.1.0/24"],
    ...options.a,
  });
  const b = world.router("b", {
    wan: WAN_B,
    ipv4: "10.126.126.2/24",
    lans: ["192.168.2.0/24"],
    peers: [WAN_A],
    ...options.b,
  });
  const scene = { a, b, phone: a.station("192.168.1.10"), nas: b.station(NAS) };
  a.start();
  b.start();
  world.join();
  world.rest();
  return scene;
}

/** Keeps the connections of a service, in the order in which they were made. */
export function collect(station: Station, port: number, each: (stream: Stream) => void = () => {}): Stream[] {
  const streams: Stream[] = [];
  station.listen(port, (stream) => {
    streams.push(stream);
    each(stream);
  });
  return streams;
}

/** A connection from a LAN client to a service, both ends. */
export function open(
  world: World,
  client: Station,
  service: Station,
  port = PORT,
): { readonly near: SegmentStream; readonly far: Stream } {
  const streams = collect(service, port);
  const near = client.connect(service.address, port);
  world.until(() => streams.length > 0 && near.isOpen, "the connection");
  return { near, far: streams[0]! };
}

/** True when both are the same bytes. */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
