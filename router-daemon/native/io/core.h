/* The core's own state, shared by its files and by nobody else. */
#ifndef KCP_ROUTER_CORE_H
#define KCP_ROUTER_CORE_H

#include "aead.h"
#include "bytes.h"
#include "counters.h"
#include "io.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define VNET_BYTES 10         /* struct virtio_net_hdr */
#define ENDPOINT_BYTES 18     /* 16 address, 2 port in network order */
#define TUNNEL_BYTES 8        /* links.md 2.1 */
#define PEER_HEADER_BYTES 16  /* links.md 1.2 */
#define PEER_TO 4
#define PEER_FLAGS 9
#define PEER_LENGTH 12
#define FLAG_ENCRYPTED 0x01
#define AEAD_TAIL_BYTES (AEAD_TAG_BYTES + AEAD_NONCE_BYTES)
#define TUNNEL_DATA 3
#define RX_PACKET_OFFSET 2
#define NONCE_POOL_BYTES 3072

enum kind { KIND_FREE, KIND_TUN, KIND_UDP, KIND_TCP };

struct tun {
  char name[16];
  int vnet; /* the kernel puts a vnet header in front of frames */
};

struct rx_batch;

struct udp {
  int family;
  int segmentation;
  struct rx_batch *pending; /* received, not handed out yet for want of slots */
};

struct tcp {
  int connected;
  int error; /* -errno that ended the connection attempt */
};

/*
 * One entry of the handle table. A handle is (generation << 14 | index): a number that was closed stays invalid when
 * its entry is used again.
 */
struct handle {
  int fd;
  uint32_t generation;
  int32_t next_free;
  enum kind kind;
  /* The last read emptied it: the next read returns 0 without asking the kernel. Cleared by every readable event. */
  int drained;
  union {
    struct tun tun;
    struct udp udp;
    struct tcp tcp;
  } as;
};

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

/* What a DATA datagram is recognised by (links.md 2.3). No padding: compared as three words and two halves. */
struct link_key {
  uint64_t address[2];
  uint32_t conn_id;
  int32_t socket;
  uint32_t port; /* network order */
};

struct link {
  int used;
  struct link_key key;
  union address address;
  socklen_t address_bytes;
  uint32_t plain_from; /* trains of datagrams at least this large do not pass this path's MTU; 0 = all do */
};

struct route {
  int used;
  int32_t link;
  uint8_t header[PEER_HEADER_BYTES];
};

#define LINK_BUCKETS (2 * IO_MAX_LINKS)

struct tx_batch;

struct io_core {
  uint8_t *arena;
  size_t arena_bytes;
  int32_t *words;
  uint32_t slot_count, slot_bytes;
  uint32_t ring_offset, ring_bytes;
  uint32_t without;

  int epoll_fd, timer_fd, ioctl_fd;
  double timer_at;
  /* What the kernel has told and io_poll not yet. */
  struct epoll_event events[IO_MAX_EVENTS];
  int event_at, event_count;

  struct handle *handles;
  int32_t handle_count; /* entries allocated; entry 0 is never used */
  int32_t free_handle;

  struct link *links;
  struct route *routes;
  int16_t *buckets; /* link number + 1, 0 = empty */
  uint64_t hash_seed;

  uint32_t peer_id;
  struct aead *aead; /* NULL = encryption off */
  uint8_t nonces[NONCE_POOL_BYTES];
  size_t nonce_at;

  struct rx_batch *free_batches;
  int batch_count;
  struct tx_batch *tx;
  struct iovec iov[IO_MAX_IOV];
  uint8_t *frame; /* one gathered super-segment, for devices without offload */

  struct io_counters count;
};

static inline int bytes_ok(const struct io_core *core, int32_t offset, int32_t length) {
  return offset >= 0 && length >= 0 && (uint64_t)(uint32_t)offset + (uint32_t)length <= core->arena_bytes;
}
static inline int words_ok(const struct io_core *core, int32_t index, int32_t count, int32_t stride) {
  return index >= 0 && count >= 0 &&
         ((uint64_t)(uint32_t)index + (uint64_t)(uint32_t)count * (uint32_t)stride) * 4 <= core->arena_bytes;
}

/* core.c */
struct handle *handle_get(struct io_core *core, int32_t handle, enum kind kind);
/** Takes over `fd`, watches it for `events` (edge-triggered); returns the handle. Closes `fd` when it fails. */
int handle_new(struct io_core *core, int fd, enum kind kind, uint32_t events);
/** Makes epoll look again, so that what is still there is reported once more. */
void handle_rearm(struct io_core *core, int32_t handle, uint32_t events);
/** Fills core->iov from `count` (offset, length) pairs. Returns the total, or -EINVAL. */
int64_t gather(struct io_core *core, int32_t iov, int32_t count);
/** 12 fresh random bytes, valid until the next call. NULL when the kernel gives none. */
const uint8_t *next_nonce(struct io_core *core);
int fill_random(uint8_t *into, size_t length);
void set_message(char *message, size_t bytes, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* link.c */
socklen_t endpoint_to_address(const uint8_t *endpoint, int family, union address *address);
void address_to_endpoint(const union address *address, uint8_t *endpoint);
void key_of_address(const union address *address, struct link_key *key);
/** The link's number, or -1. */
int32_t link_find(const struct io_core *core, const struct link_key *key);
void links_forget_socket(struct io_core *core, int32_t socket);
struct link *link_get(struct io_core *core, int32_t link);

/* udp_receive.c, udp_send.c */
void rx_release(struct io_core *core, struct udp *udp);
void rx_free_all(struct io_core *core);
int tx_create(struct io_core *core);
void tx_free(struct io_core *core);

#endif
