/**
 * The host: everything that touches a kernel, behind integers.
 *
 * One C core implements it (`native/io`), bound to Node (`native/node`, `host/node`); the simulated world
 * (`test/sim`) implements it in TypeScript. All share one conformance suite (`test/unit/host`).
 *
 * ## Conventions
 * - All payload lies in one arena (`SlotPool.bytes`); calls carry byte offsets into it ("offset"), lengths and handles.
 * - A result >= 0 is success. A result < 0 is an error: `-errno`, put into words by `describeError`. Nothing throws
 *   for what the outside world did; wrong arguments (offset outside the arena, a closed handle) are `-EINVAL`/`-EBADF`.
 * - Nothing blocks. `-EAGAIN` is spelled `0` where a count is returned.
 * - Descriptors are 32-bit integers in `HostMemory.words`, an `Int32Array` over a part of the arena. A call names the
 *   index of the first word. Layouts are given with each call; the `…_WORDS` constants are their strides.
 * - Addresses: IPv4 and IPv6 as 16 bytes (IPv4 mapped, `::ffff:a.b.c.d`) + port, `ENDPOINT_BYTES` = 18 bytes in the arena,
 *   port in network order.
 */

/** 16 address bytes (IPv4 as ::ffff:a.b.c.d) and 2 port bytes in network order. */
export const ENDPOINT_BYTES = 18;

/** Bytes of `struct virtio_net_hdr` in front of every TUN frame on this surface, whether the kernel does offloads or not. */
export const VNET_HEADER_BYTES = 10;

/** Where the opened datagram's peer header lies in its slot: leaves the KCP segment header 4-byte aligned. */
export const RX_PACKET_OFFSET = 2;

/** Words of one entry written by `udpReceive`: [packet offset, packet length, link or -1, flags]. */
export const RX_WORDS = 4;
/** `flags` of a received entry. */
export const RxFlag = {
  /** Authenticated and opened: the ENCRYPTED flag of the header is cleared, tag and nonce are cut off. */
  opened: 1,
  /** The packet is addressed to another peer (or not encrypted): its bytes are as received. */
  untouched: 2,
  /** Not DATA of a known link: the whole datagram, its sender's endpoint in the last 18 bytes of the slot. */
  datagram: 4,
} as const;

/** Words of one entry read by `send`: [payload offset, payload length, route, 0]. */
export const TX_WORDS = 4;

/** Words of one entry written by `tunRead`: [frame offset, frame length]; both include the vnet header. */
export const TUN_READ_WORDS = 2;

/** Words of one entry written by `poll`: [handle, events]. */
export const EVENT_WORDS = 2;
export const PollEvent = { readable: 1, writable: 2, hangup: 4, error: 8, timer: 16, signal: 32 } as const;

/** The arena and its regions. All offsets are multiples of 64. */
export interface HostMemory {
  readonly arena: ArrayBuffer;
  readonly bytes: Uint8Array;
  /** The whole arena as 32-bit words: word index = offset / 4. */
  readonly words: Int32Array;
  /** Slots [0, slotCount) of slotBytes each lie at offset 0. */
  readonly slotCount: number;
  readonly slotBytes: number;
  /** Free scratch for whoever asks: `reserve` hands out disjoint regions at start-up and throws when none is left. */
  reserve(bytes: number): number;
}

/** What the kernel was found to support when the device or socket was opened. */
export interface TunInfo {
  readonly handle: number;
  readonly name: string;
  /** Checksum and segmentation offload negotiated with the kernel (IFF_VNET_HDR + TUNSETOFFLOAD). */
  readonly offload: boolean;
}
export interface UdpInfo {
  readonly handle: number;
  readonly port: number;
  /** UDP_SEGMENT / UDP_GRO accepted by the kernel. */
  readonly segmentation: boolean;
  readonly coalescing: boolean;
}

export type HostFailure = { readonly error: number; readonly message: string };

/** How a TCP socket of the destination side is found again: returned by `tcpConnect`. */
export type TcpHandle = number;

export interface Host {
  readonly memory: HostMemory;

  /** Monotonic time in milliseconds, with fractions (microsecond resolution). */
  now(): number;
  /** Wall clock in whole seconds since 1970. */
  unixTime(): number;
  /** Fills `bytes[offset, offset+length)` with cryptographically strong randomness. */
  random(offset: number, length: number): void;
  /** One sentence for a negative result. */
  describeError(code: number): string;

  // ── events ────────────────────────────────────────────────────────────────────────────────────────────────────
  /**
   * Writes up to `max` ready entries (EVENT_WORDS each) at word index `out`, without waiting; returns their number.
   * Edge-triggered: a handle is reported again only after new readiness.
   */
  poll(out: number, max: number): number;
  /** Calls `wake` from the engine's event loop whenever `poll` would return something, or the timer has fired. */
  onReady(wake: () => void): void;
  /** One timer: `wake` is called at `atMs` of `now()` (sub-millisecond), Infinity = off. A second call replaces the first. */
  setTimer(atMs: number): void;
  close(handle: number): void;

  // ── TUN ───────────────────────────────────────────────────────────────────────────────────────────────────────
  /** Creates (or attaches to) the device, non-blocking, with offloads as far as the kernel has them. */
  tunOpen(name: string): TunInfo | HostFailure;
  /** Address with prefix, MTU, queue length >= 2000, link up. */
  tunConfigure(handle: number, ipv4: number, prefixLength: number, mtu: number): number;
  /** Adds (or removes) an IPv4 route through the device. */
  tunRoute(handle: number, add: boolean, network: number, prefixLength: number): number;
  /**
   * Reads up to `max` frames, each vnet header + IP packet of up to 65545 bytes, into the core's read ring.
   * Entries of TUN_READ_WORDS at word index `out`. The frames are valid until the next `tunRead`.
   */
  tunRead(handle: number, out: number, max: number): number;
  /**
   * Writes one frame gathered from `count` (offset, length) word pairs at word index `iov`. The first bytes are a vnet
   * header; a frame with `gso_size` is a super-segment, with NEEDS_CSUM its transport checksum holds the pseudo-header
   * sum only. Where the kernel has no offload the core segments and sums itself. Returns bytes written, 0 = queue full.
   */
  tunWrite(handle: number, iov: number, count: number): number;
  /**
   * Cuts one frame as read from the TUN (vnet header in front) into IP packets of at most `mtu` bytes with complete
   * checksums, one per slot, for the plain path. `slots` is a word index of `max` slot numbers owned by the caller;
   * each packet is written at `headroom` bytes into its slot, its length to word index `lengths`. Returns the number of
   * slots used; -EMSGSIZE when the packet cannot be cut (not TCP, or don't-fragment UDP) and is larger than mtu.
   */
  tunSplit(offset: number, length: number, mtu: number, slots: number, lengths: number, max: number, headroom: number): number;

  // ── UDP links ─────────────────────────────────────────────────────────────────────────────────────────────────
  /** Binds a UDP socket (dual stack for ::) with large buffers; port 0 = any. `address` = 16 bytes at an arena offset. */
  udpOpen(endpointOffset: number): UdpInfo | HostFailure;
  /** Names a link: datagrams of `endpoint` with tunnel conn_id `connId` on this socket. -EEXIST when taken. */
  linkSet(link: number, socket: number, endpointOffset: number, connId: number): number;
  linkClear(link: number): void;
  /** Our peer id, and the network's key: AES-128-GCM with a 16-byte key at an arena offset, or -1 = encryption off. */
  identitySet(peerId: number, keyOffset: number): void;
  /**
   * A route is what precedes a payload on the wire: link, and the 16 bytes of the peer header at `headerOffset`
   * (links.md 1.2; `len` is filled in per packet). With the ENCRYPTED flag in the header the payload is sealed.
   */
  routeSet(route: number, link: number, headerOffset: number): number;
  routeClear(route: number): void;
  /**
   * Receives up to `max` datagrams. Each lands in one of the slots whose numbers the caller offers at word index `slots`
   * (consumed in order), packet (peer header first) at slot start + RX_PACKET_OFFSET. Encrypted packets addressed to
   * our peer id are opened in the same pass; those that fail are dropped and counted. Writes RX_WORDS entries at `out`;
   * entry i used slot i. Returns the number of entries; fewer than `max` does not mean that the socket is empty: only 0 does.
   */
  udpReceive(socket: number, slots: number, max: number, out: number): number;
  /**
   * Sends `count` payloads (TX_WORDS entries at word index `list`), sealed out of place: the arena is not written.
   * Equal-sized neighbours on the same link leave as one UDP_SEGMENT train. Unsendable ones are dropped and counted.
   * Returns the number of datagrams handed to the kernel.
   */
  send(list: number, count: number): number;
  /** Sends one whole packet (peer header included, nothing sealed) on a link: handshake, ping, forwarded packets. */
  sendOnLink(link: number, offset: number, length: number): number;
  /** Sends one raw datagram: SYN, SACK. */
  sendDatagram(socket: number, endpointOffset: number, offset: number, length: number): number;

  // ── TCP sockets of the destination side ───────────────────────────────────────────────────────────────────────
  /** Non-blocking connect with NODELAY and keep-alive; `writable` tells the end, `tcpError` the outcome. */
  tcpConnect(ipv4: number, port: number): number;
  /** 0 = connected, -EINPROGRESS, or why it failed. */
  tcpError(handle: TcpHandle): number;
  /** readv into `count` (offset, length) word pairs at `iov`. Bytes read, 0 = nothing now, -ECONNRESET …; END_OF_STREAM. */
  tcpRead(handle: TcpHandle, iov: number, count: number): number;
  /** writev from `count` word pairs. Bytes taken, 0 = full. */
  tcpWrite(handle: TcpHandle, iov: number, count: number): number;
  /** Half-close: FIN after what was written. */
  tcpShutdown(handle: TcpHandle): number;
  /** Close with RST instead of FIN. */
  tcpAbort(handle: TcpHandle): void;

  /** Counters of the core, by name: drops with their reasons, batches, bytes. */
  counters(): Readonly<Record<string, number>>;
}

/** Returned by `tcpRead` when the other end has closed its direction. */
export const END_OF_STREAM = -0x7fff;
