/*
 * The I/O core: everything that touches the kernel, behind integers. It knows no JavaScript engine: `native/node`
 * binds it to Node-API, and any other engine can bind it the same way. `router-daemon/src/host/host.ts` describes what
 * each call means; this header only adds what a binding has to know.
 *
 * All payload lies in one arena that the binding hands over once and keeps alive until `io_destroy`. Calls name bytes
 * by offset into it and 32-bit words by index (offset / 4). Every offset, length, index and handle is checked here, so
 * that a binding may pass on whatever integers it is given.
 *
 * A core belongs to one thread. Results >= 0 are success, < 0 are -errno or one of IO_E_….
 */
#ifndef KCP_ROUTER_IO_H
#define KCP_ROUTER_IO_H

#include <stddef.h>
#include <stdint.h>

/** Not errno values: they lie beyond any kernel's. Kept equal to host.ts. */
#define IO_E_END_OF_STREAM (-0x7fff)
#define IO_E_NO_CIPHER (-0x7ffe)

/** Named limits of the core (docs/limits). */
#define IO_MAX_HANDLES 16384   /* sockets and devices open at once */
#define IO_MAX_LINKS 4096      /* numbers a link may have: 0 … IO_MAX_LINKS - 1 */
#define IO_MAX_ROUTES 16384    /* numbers a route may have */
#define IO_MAX_IOV 1024        /* pairs in one gathered read or write */
#define IO_MAX_EVENTS 256      /* entries of one io_poll */
#define IO_MAX_DATAGRAM 2000   /* links.md 2.1: what every version receives */
#define IO_MAX_SLOT_BYTES 65536

/** Switches that pretend the kernel lacks something: for tests, and for kernels that only pretend to have it. */
#define IO_WITHOUT_VNET 1          /* no IFF_VNET_HDR */
#define IO_WITHOUT_TUN_OFFLOAD 2   /* no TUNSETOFFLOAD */
#define IO_WITHOUT_UDP_SEGMENT 4
#define IO_WITHOUT_UDP_GRO 8
#define IO_REFUSE_UDP_SEGMENT 16   /* the socket says yes, sending says EIO: the way some drivers fail */
#define IO_WITHOUT_TUN_QUEUE 32    /* the device's send buffer holds next to nothing */
#define IO_WITHOUT_OWN_CIPHER 64   /* AES-128-GCM by the build's library (aead.mk), whatever the processor has */
#define IO_WITHOUT_WIDE_CIPHER 128 /* never with VAES */

#define IO_EVENT_READABLE 1
#define IO_EVENT_WRITABLE 2
#define IO_EVENT_HANGUP 4
#define IO_EVENT_ERROR 8
#define IO_EVENT_TIMER 16

#define IO_RX_OPENED 1
#define IO_RX_UNTOUCHED 2
#define IO_RX_DATAGRAM 4

struct io_core;

struct io_config {
  uint8_t *arena; /* 8-byte aligned */
  size_t arena_bytes;
  uint32_t slot_count;
  uint32_t slot_bytes;
  uint32_t ring_offset; /* where tunRead puts frames */
  uint32_t ring_bytes;
  uint32_t without; /* IO_WITHOUT_… */
};

int io_create(const struct io_config *config, struct io_core **out);
/** Closes everything. The arena is not touched afterwards. */
void io_destroy(struct io_core *core);

/** The descriptor to watch for readability: when it is, io_poll has something. */
int io_event_fd(const struct io_core *core);

/** Monotonic milliseconds with fractions. */
double io_now(void);
int64_t io_unix_time(void);
int io_random(struct io_core *core, int32_t offset, int32_t length);
/** A sentence for people; `buffer` is used when it has to be put together. */
const char *io_describe(int code, char *buffer, size_t buffer_bytes);

/**
 * Waits until there is something for io_poll, which then need not ask the kernel. Returns how many entries there are; 0 = the
 * time is over, or a signal came.
 */
int io_wait(struct io_core *core, int timeout_ms);
int io_poll(struct io_core *core, int32_t out, int32_t max);
/** at_ms of io_now(); infinity or NaN = off. */
int io_set_timer(struct io_core *core, double at_ms);
int io_close(struct io_core *core, int32_t handle);

struct io_tun_info {
  int32_t handle;
  char name[16];
  int offload;     /* the kernel hands over super-segments and partial checksums */
  int udp_offload; /* … of UDP too */
};
/** On failure a sentence with the remedy is left in `message`. */
int io_tun_open(struct io_core *core, const char *name, struct io_tun_info *info, char *message, size_t message_bytes);
int io_tun_configure(struct io_core *core, int32_t handle, uint32_t ipv4, int32_t prefix, int32_t mtu);
int io_tun_route(struct io_core *core, int32_t handle, int32_t add, uint32_t network, int32_t prefix);
int io_tun_read(struct io_core *core, int32_t handle, int32_t out, int32_t max);
int io_tun_write(struct io_core *core, int32_t handle, int32_t iov, int32_t count);
int io_tun_split(struct io_core *core, int32_t offset, int32_t length, int32_t mtu, int32_t slots, int32_t lengths,
                 int32_t max, int32_t headroom);
int io_seahash(struct io_core *core, int32_t front, int32_t front_bytes, int32_t rest, int32_t rest_bytes, int32_t out);

struct io_udp_info {
  int32_t handle;
  int port;
  int segmentation;
  int coalescing;
};
int io_udp_open(struct io_core *core, int32_t endpoint, struct io_udp_info *info, char *message, size_t message_bytes);
int io_link_set(struct io_core *core, int32_t link, int32_t socket, int32_t endpoint, uint32_t conn_id);
int io_link_clear(struct io_core *core, int32_t link);
int io_identity_set(struct io_core *core, uint32_t peer_id, int32_t key);
int io_route_set(struct io_core *core, int32_t route, int32_t link, int32_t header);
int io_route_clear(struct io_core *core, int32_t route);
int io_udp_receive(struct io_core *core, int32_t socket, int32_t slots, int32_t max, int32_t out);
int io_udp_followers(struct io_core *core, int32_t out, int32_t slots, int32_t count, int32_t run);
int io_send(struct io_core *core, int32_t list, int32_t count);
int io_send_on_link(struct io_core *core, int32_t link, int32_t offset, int32_t length);
int io_send_datagram(struct io_core *core, int32_t socket, int32_t endpoint, int32_t offset, int32_t length);

int io_tcp_connect(struct io_core *core, uint32_t ipv4, int32_t port);
int io_tcp_error(struct io_core *core, int32_t handle);
int io_tcp_read(struct io_core *core, int32_t handle, int32_t iov, int32_t count);
int io_tcp_write(struct io_core *core, int32_t handle, int32_t iov, int32_t count);
int io_tcp_shutdown(struct io_core *core, int32_t handle);
int io_tcp_abort(struct io_core *core, int32_t handle);

/** Counters by number: name and value, NULL past the last. */
const char *io_counter(const struct io_core *core, int number, uint64_t *value);

#endif
