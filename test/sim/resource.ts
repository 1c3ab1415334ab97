import { PollEvent } from "../../router-daemon/src/host/host.ts";
import type { PipeEnd } from "./pipe.ts";
import type { TunDevice } from "./tun-device.ts";
import { UdpSocket } from "./udp-socket.ts";

/** A TCP connection of the daemon. */
export interface Pipe {
  readonly end: PipeEnd;
}

/** What a handle of the host stands for. */
export type Resource = UdpSocket | TunDevice | Pipe;

/** The state of a handle as epoll would report it. */
export function eventsOf(resource: Resource): number {
  if (resource instanceof UdpSocket) return resource.waiting > 0 ? PollEvent.readable : 0;
  if ("end" in resource) {
    const { end } = resource;
    let events = 0;
    if (end.readableBytes > 0 || end.finArrived || end.error !== 0) events |= PollEvent.readable;
    if (end.isWritable || end.error !== 0) events |= PollEvent.writable;
    if (end.finArrived || end.error !== 0) events |= PollEvent.hangup;
    if (end.error !== 0) events |= PollEvent.error;
    return events;
  }
  const { isFull, waiting } = resource;
  return (waiting > 0 ? PollEvent.readable : 0) | (isFull ? 0 : PollEvent.writable);
}
