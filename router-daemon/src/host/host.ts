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
 * - A handle is a positive integer; after `close` it stays invalid (`-EBADF`), also when the kernel uses the descriptor
 *   again. 0 is the timer (`TIMER_HANDLE`). Links and routes are numbered by the caller, below `MAX_LINKS`/`MAX_ROUTES`.
 * - Arguments of another type than said throw a TypeError. Fractions are cut off.
 * - Descriptors are 32-bit integers in `HostMemory.words`, an `Int32Array` over a part of the arena. A call names the
 *   index of the first word. Layouts are given with each call; the `…_WORDS` constants are their strides.
 * - Addresses: IPv4 and IPv6 as 16 bytes (IPv4 mapped, `::ffff:a.b.c.d`) + port, `ENDPOINT_BYTES` = 18 bytes in the arena,
 *   port in network order.
 */

/** 16 address bytes (IPv4 as ::ffff:a.b.c.d) and 2 port bytes in network order. */
export const ENDPOINT_BYTES = 18;

/** Numbers that links and routes may have: 0 up to these, exclusive. */
export const MAX_LINKS = 4096;
export const MAX_ROUTES = 16_384;
/** Devices and sockets open at once; beyond it opening gives -EMFILE. */
export const MAX_HANDLES = 16_383;
/** Pairs of one gathered read or write. */
export const MAX_IOV = 1024;
/** Largest datagram that is sent; larger ones are dropped and counted (links.md 2.1). */
export const MAX_DATAGRAM_BYTES = 2000;

/**
 * Bytes of `struct virtio_net_hdr` in front of every TUN frame on this surface, whether the kernel does offloads or not:
 * flags (1 NEEDS_CSUM, 2 DATA_VALID), gso_type (0 none, 1 TCPv4, 4 TCPv6, 5 UDP; | 0x80 ECN), then 16-bit words, always
 * little-endian: hdr_len, gso_size, csum_start, csum_offset (both counted from the IP header).
 */
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
  /**
   * SYN, SACK, hole punching, STUN, and clear-text DATA of no known link (a session's handshake comes before its link). The
   * whole datagram at the packet offset, its sender's endpoint in the last 18 bytes of the slot. (Sealed DATA of no known
   * link, and what is malformed, is dropped and counted by the core.)
   */
  datagram: 4,
} as const;

/** Words of one entry read by `send`: [payload offset, payload length, route, 0]. */
export const TX_WORDS = 4;

/** Words of one entry written by `tunRead`: [frame offset, frame length]; both include the vnet header. */
export const TUN_READ_WORDS = 2;

/** The handle of the timer in `poll`'s entries. */
export const TIMER_HANDLE = 0;

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
  /** The same for UDP (gso_type 5). */
  readonly udpOffload: boolean;
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
  /** Fills `bytes[offset, offset+length)` with cryptographically strong randomness. Throws a RangeError outside the arena. */
  random(offset: number, length: number): void;
  /** One sentence for a negative result. */
  describeError(code: number): string;

  // ── events ────────────────────────────────────────────────────────────────────────────────────────────────────
  /**
   * Writes up to `max` ready entries (EVENT_WORDS each) at word index `out`, without waiting; returns their number.
   * Edge-triggered: a handle is reported again only after new readiness, so whoever is told reads until 0 (or comes back
   * for the rest himself). UDP sockets are never reported writable. [TIMER_HANDLE, timer] tells that the timer has fired.
   */
  poll(out: number, max: number): number;
  /**
   * Calls `wake` from the engine's event loop whenever `poll` would return something, or the timer has fired. When it returns
   * `true` it has put nothing off (no promise, no tick): an engine whose event loop is dear may then call it again for what
   * comes in the next milliseconds without going round the loop.
   */
  onReady(wake: () => unknown): void;
  /** One timer: `wake` is called at `atMs` of `now()` (sub-millisecond), Infinity = off. A second call replaces the first. */
  setTimer(atMs: number): void;
  /** Closes a device or socket; links of a closed UDP socket are cleared. */
  close(handle: number): void;
  /** Closes everything and ends the watch of `onReady`; afterwards every call gives `-EBADF`. */
  dispose(): void;

  // ── TUN ───────────────────────────────────────────────────────────────────────────────────────────────────────
  /** Creates (or attaches to) the device, non-blocking, with offloads as far as the kernel has them. */
  tunOpen(name: string): TunInfo | HostFailure;
  /** Address with prefix, MTU, queue length >= 2000, link up. */
  tunConfigure(handle: number, ipv4: number, prefixLength: number, mtu: number): number;
  /** Adds (or removes) an IPv4 route through the device. */
  tunRoute(handle: number, add: boolean, network: number, prefixLength: number): number;
  /**
   * Reads up to `max` frames, each vnet header + IP packet of up to 65545 bytes, into the core's read ring.
   * Entries of TUN_READ_WORDS at word index `out`. The frames are valid until the next `tunRead` and the caller's to
   * change. Fewer than `max` does not mean that the device is empty: only 0 does.
   */
  tunRead(handle: number, out: number, max: number): number;
  /**
   * Writes one frame gathered from `count` (offset, length) word pairs at word index `iov`. The first bytes are a vnet
   * header; a frame with `gso_size` is a super-segment, with NEEDS_CSUM its transport checksum holds the pseudo-header
   * sum only. Where the kernel has no offload the core segments and sums itself. Returns bytes written, 0 = queue full
   * (nothing was written; `writable` is reported when there is room).
   */
  tunWrite(handle: number, iov: number, count: number): number;
  /**
   * Cuts one frame as read from the TUN (vnet header in front) into IP packets of at most `mtu` bytes with complete
   * checksums, one per slot, for the plain path. `slots` is a word index of `max` slot numbers owned by the caller;
   * each packet is written at `headroom` bytes into its slot, its length to word index `lengths`. Returns the number of
   * slots used; -EMSGSIZE when the packet cannot be cut and is larger than mtu (not TCP, and IPv6 or don't-fragment) or
   * does not fit a slot; -ENOBUFS when it needs more than `max` slots; -EINVAL when it is no IP packet; -EBADMSG when it
   * would be cut and its checksum is wrong. TCP is cut at gso_size or less, UDP trains exactly at gso_size, other IPv4 into
   * fragments. On an error no slot holds anything.
   */
  tunSplit(
    offset: number,
    length: number,
    mtu: number,
    slots: number,
    lengths: number,
    max: number,
    headroom: number,
  ): number;

  // ── checksums ───────────────────────────────────────────────────────────────────────────────────────────────────
  /**
   * SeaHash of `frontBytes` bytes at `front` and of `restBytes` bytes at `rest` behind them: 8 bytes at `out`, most significant
   * first. `front` has whole words of 8 bytes, unless there is no rest.
   */
  seahash(front: number, frontBytes: number, rest: number, restBytes: number, out: number): number;

  // ── UDP links ─────────────────────────────────────────────────────────────────────────────────────────────────
  /** Binds a UDP socket (dual stack for ::) with large buffers; port 0 = any. `address` = 16 bytes at an arena offset. */
  udpOpen(endpointOffset: number): UdpInfo | HostFailure;
  /**
   * Names a link: datagrams of `endpoint` with tunnel conn_id `connId` on this socket. A number in use is given the new
   * meaning. -EEXIST when another link has this meaning; -EAFNOSUPPORT for an IPv6 endpoint on an IPv4 socket.
   */
  linkSet(link: number, socket: number, endpointOffset: number, connId: number): number;
  linkClear(link: number): void;
  /**
   * Our peer id, and the network's key: AES-128-GCM with a 16-byte key at an arena offset (copied; wipe it), or -1 =
   * encryption off: encrypted packets to us are then dropped and counted. NO_CIPHER when this engine has no AES-128-GCM.
   */
  identitySet(peerId: number, keyOffset: number): number;
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
   * Asks the kernel as often as it takes to fill `max`. What was received and finds no slot waits in the core for the next
   * call (at most 4 sockets may keep the core waiting; then the first loses its datagrams, counted).
   */
  udpReceive(socket: number, slots: number, max: number, out: number): number;
  /**
   * Of `count` packets that `udpReceive` has written at `out`, their slots at `slots`: how many behind the first continue its KCP
   * stream without a gap. Each has the headers of the first but for lengths, `ts` and the next `sn`, and in it one data segment
   * with more payload than a quarter of a slot. Written as a run of kcp-ts with its head (`RunHead`) at word index `run`,
   * RUN_WORDS words for each of the `count`; undefined when there are none. -EINVAL outside the arena.
   */
  udpFollowers(out: number, slots: number, count: number, run: number): number;
  /**
   * Sends `count` payloads (TX_WORDS entries at word index `list`), sealed out of place: the arena is not written.
   * Equal-sized neighbours on the same link leave as one UDP_SEGMENT train, which a shorter one may end. Unsendable ones
   * (no such route, socket buffer full, refused by the kernel) are dropped and counted.
   * Returns the number of datagrams handed to the kernel; -EINVAL when an entry lies outside the arena (those before it
   * were sent).
   */
  send(list: number, count: number): number;
  /**
   * Sends one whole packet (peer header included, nothing sealed) on a link: handshake, ping, forwarded packets.
   * 1 = sent, 0 = dropped and counted, -ENOENT = no such link.
   */
  sendOnLink(link: number, offset: number, length: number): number;
  /** Sends one raw datagram: SYN, SACK. 1 = sent, 0 = the socket's buffer is full. */
  sendDatagram(socket: number, endpointOffset: number, offset: number, length: number): number;

  // ── TCP sockets of the destination side ───────────────────────────────────────────────────────────────────────
  /** Non-blocking connect with NODELAY and keep-alive; `writable` tells the end, `tcpError` the outcome. */
  tcpConnect(ipv4: number, port: number): number;
  /** 0 = connected, -EINPROGRESS, or why it failed (also later: -ECONNRESET, -ETIMEDOUT); stays until closed. */
  tcpError(handle: TcpHandle): number;
  /** `writable`, and after the other end's FIN `readable` and `hangup`, are reported by `poll`. readv into `count` (offset, length) word pairs at `iov`. Bytes read, 0 = nothing now, -ECONNRESET …; END_OF_STREAM. */
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
/** Returned by `identitySet` when the engine has no AES-128-GCM. */
export const NO_CIPHER = -0x7ffe;
