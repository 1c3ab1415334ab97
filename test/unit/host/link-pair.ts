import type { UdpInfo } from "../../../router-daemon/src/host/host.ts";
import type { Desk, Received } from "./desk.ts";
import type { World } from "./world.ts";

export const ME = 0xf234_5678;
export const OTHER = 0x0bad_cafe;
export const CONN = 0xdead_bee5;

/** Two sockets of one host with a link to each other: link 1 sends from `left`, link 2 receives at `right`. */
export function pair(d: Desk): { left: UdpInfo; right: UdpInfo } {
  const left = d.udp();
  const right = d.udp();
  d.link(1, left, right.port, CONN);
  d.link(2, right, left.port, CONN);
  return { left, right };
}

/** At least `count` datagrams, as they come. */
export async function arrivals(world: World, d: Desk, socket: UdpInfo, count: number): Promise<Received[]> {
  const all: Received[] = [];
  await world.until(() => d.drain(socket, all).length >= count, `${count} datagrams`);
  return all;
}
