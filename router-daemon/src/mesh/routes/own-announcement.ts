/** What we announce of ourselves, and when its version goes up (routes-rpc.md 3.2, 3.9). */
import type { Random32 } from "../types.ts";
import { type Announcement, readAnnouncement, writeAnnouncement } from "./announcement.ts";
import { RENEW_MS } from "./limits.ts";
import { random64 } from "./session-id.ts";
import type { LocalInfo } from "./types.ts";

export class OwnAnnouncement {
  /** Random per process run: tells us from another process with our peer id. */
  readonly routeId: bigint;
  readonly #peerId: number;
  #info: LocalInfo;
  #version = 0;
  /** The announcement without version and time, to tell whether it changed. */
  #content = "";
  #announcedAt = Number.NEGATIVE_INFINITY;
  /** Unix time at `now` = 0, in milliseconds; undefined while unknown. */
  #clockOffsetMs: number | undefined;

  constructor(peerId: number, info: LocalInfo, random: Random32) {
    this.#peerId = peerId;
    this.#info = info;
    this.routeId = random64(random);
  }

  get info(): LocalInfo {
    return this.#info;
  }

  get version(): number {
    return this.#version;
  }

  /** Others forget what is not renewed. */
  get renewAt(): number {
    return this.#announcedAt + RENEW_MS;
  }

  setClock(unixMs: number, now: number): void {
    this.#clockOffsetMs = unixMs - now;
  }

  change(change: Partial<LocalInfo>): void {
    this.#info = { ...this.#info, ...change };
  }

  /** The next version, when anything but version and time is new or it is time to renew it. */
  next(now: number): Announcement | undefined {
    const identity = { peerId: this.#peerId, routeId: this.routeId };
    const content = writeAnnouncement(this.#info, { ...identity, version: 0 }, undefined).join();
    if (content === this.#content && now < this.renewAt) return undefined;
    this.#content = content;
    this.#announcedAt = now;
    this.#version++;
    const unixMs = this.#clockOffsetMs === undefined ? undefined : this.#clockOffsetMs + now;
    return readAnnouncement(writeAnnouncement(this.#info, { ...identity, version: this.#version }, unixMs));
  }
}
