/*
 * Datagrams out: header, sealed payload, tag and nonce are laid out one datagram after the other, equal-sized
 * neighbours on the same link become one UDP_SEGMENT message, and all messages go in one sendmmsg.
 *
 *   tx->bytes  │tunnel 8│peer 16│sealed payload│tag 16│nonce 12│tunnel 8│peer 16│…│shorter last│ │ next train …
 *               └────────────── size ────────────────────────┘
 *               └──────────────────────── one message ─────────────────────────────────────┘
 */
#include "core.h"
#include "udp_gso.h"

#include <errno.h>
#include <stdlib.h>

#define TX_MESSAGES 64
#define TX_BYTES (256 << 10)
#define HEADERS_BYTES (TUNNEL_BYTES + PEER_HEADER_BYTES)

struct message {
  uint32_t datagrams;
  uint32_t size;  /* of every datagram but the last */
  int32_t link;
  int closed;     /* ended by a shorter one */
};

struct tx_batch {
  int32_t socket; /* 0 = empty batch */
  int fd;
  int count;
  size_t used;
  int blocked;  /* the socket's buffer is full: what follows in this call is dropped */
  uint64_t sent;
  struct message messages[TX_MESSAGES];
  struct mmsghdr headers[TX_MESSAGES];
  struct iovec iov[TX_MESSAGES];
  union {
    char bytes[CMSG_SPACE(sizeof(uint16_t))];
    struct cmsghdr align;
  } control[TX_MESSAGES];
  uint8_t bytes[TX_BYTES];
};

int tx_create(struct io_core *core) {
  core->tx = malloc(sizeof *core->tx);
  if (core->tx == NULL) return -ENOMEM;
  memset(core->tx, 0, offsetof(struct tx_batch, bytes));
  return 0;
}

void tx_free(struct io_core *core) { free(core->tx); }

static void sent_ok(struct io_core *core, uint64_t datagrams, uint64_t bytes) {
  core->count.udpDatagramsSent += datagrams;
  core->count.udpBytesSent += bytes;
  core->tx->sent += datagrams;
}

/** A train as single datagrams, for kernels, devices and paths that do not take trains. */
static void send_plain(struct io_core *core, int index) {
  struct tx_batch *tx = core->tx;
  struct message *message = &tx->messages[index];
  struct mmsghdr headers[TRAIN_MAX_SEGMENTS];
  struct iovec iov[TRAIN_MAX_SEGMENTS];
  uint8_t *data = tx->iov[index].iov_base;
  size_t rest = tx->iov[index].iov_len;
  int count = (int)message->datagrams;
  memset(headers, 0, (size_t)count * sizeof *headers);
  for (int i = 0; i < count; i++) {
    size_t size = rest < message->size ? rest : message->size;
    iov[i] = (struct iovec){.iov_base = data, .iov_len = size};
    headers[i].msg_hdr.msg_name = tx->headers[index].msg_hdr.msg_name;
    headers[i].msg_hdr.msg_namelen = tx->headers[index].msg_hdr.msg_namelen;
    headers[i].msg_hdr.msg_iov = &iov[i];
    headers[i].msg_hdr.msg_iovlen = 1;
    data += size;
    rest -= size;
  }
  for (int i = 0; i < count;) {
    int done = sendmmsg(tx->fd, headers + i, (unsigned)(count - i), MSG_DONTWAIT | MSG_NOSIGNAL);
    core->count.udpSendCalls++;
    if (done > 0) {
      for (int k = i; k < i + done; k++) sent_ok(core, 1, iov[k].iov_len);
      i += done;
    } else if (errno == EAGAIN) {
      core->count.txQueueFull += (uint64_t)(count - i);
      tx->blocked = 1;
      return;
    } else if (errno != EINTR) {
      core->count.txFailed++;
      i++;
    }
  }
}

/** A train was refused. 1 = it was the train's form, and it went another way. */
static int fall_back(struct io_core *core, int index, int error) {
  struct tx_batch *tx = core->tx;
  struct message *message = &tx->messages[index];
  if (message->datagrams < 2) return 0;
  if (error == EMSGSIZE) {
    /* One datagram of the train exceeds the path's MTU; only IP fragments get through there. */
    struct link *link = link_get(core, message->link);
    if (link != NULL) link->plain_from = message->size;
  } else if (error == EIO || error == EINVAL || error == ENOPROTOOPT || error == EOPNOTSUPP) {
    struct handle *entry = handle_get(core, tx->socket, KIND_UDP);
    if (entry != NULL && entry->as.udp.segmentation) {
      entry->as.udp.segmentation = 0;
      core->count.udpSegmentFallbacks++;
    }
  } else {
    return 0;
  }
  send_plain(core, index);
  return 1;
}

static void flush(struct io_core *core) {
  struct tx_batch *tx = core->tx;
  for (int i = 0; i < tx->count; i++) {
    struct message *message = &tx->messages[i];
    struct msghdr *header = &tx->headers[i].msg_hdr;
    header->msg_control = NULL;
    header->msg_controllen = 0;
    if (message->datagrams < 2) continue;
    header->msg_control = tx->control[i].bytes;
    header->msg_controllen = sizeof tx->control[i].bytes;
    struct cmsghdr *control = CMSG_FIRSTHDR(header);
    control->cmsg_level = SOL_UDP;
    control->cmsg_type = UDP_SEGMENT;
    control->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    uint16_t size = (uint16_t)message->size;
    memcpy(CMSG_DATA(control), &size, sizeof size);
  }
  for (int i = 0; i < tx->count;) {
    if (tx->blocked) {
      core->count.txQueueFull += tx->messages[i++].datagrams;
      continue;
    }
    int done, error;
    struct handle *entry = handle_get(core, tx->socket, KIND_UDP);
    if (tx->messages[i].datagrams > 1 && (entry == NULL || !entry->as.udp.segmentation)) {
      /* The batch was laid out before an earlier train was refused. */
      send_plain(core, i++);
      continue;
    }
    if (tx->messages[i].datagrams > 1 && (core->without & IO_REFUSE_UDP_SEGMENT)) {
      done = -1;
      error = EIO;
    } else {
      done = sendmmsg(tx->fd, tx->headers + i, (unsigned)(tx->count - i), MSG_DONTWAIT | MSG_NOSIGNAL);
      error = errno;
      core->count.udpSendCalls++;
    }
    if (done > 0) {
      for (int k = i; k < i + done; k++) {
        sent_ok(core, tx->messages[k].datagrams, tx->iov[k].iov_len);
        if (tx->messages[k].datagrams > 1) core->count.udpTrains++;
      }
      i += done;
    } else if (error == EAGAIN) {
      tx->blocked = 1;
    } else if (error != EINTR) {
      if (!fall_back(core, i, error)) core->count.txFailed += tx->messages[i].datagrams;
      i++;
    }
  }
  tx->count = 0;
  tx->used = 0;
}

/** Room for one datagram of `size` bytes on this link: at the end of the last train if it fits there. */
static uint8_t *reserve(struct io_core *core, int32_t number, struct link *link, const struct handle *socket,
                        size_t size) {
  struct tx_batch *tx = core->tx;
  if (tx->socket != link->key.socket) {
    flush(core);
    tx->socket = link->key.socket;
    tx->fd = socket->fd;
    tx->blocked = 0;
  }
  if (tx->blocked) {
    core->count.txQueueFull++;
    return NULL;
  }
  if (tx->count > 0) {
    struct message *last = &tx->messages[tx->count - 1];
    struct iovec *iov = &tx->iov[tx->count - 1];
    if (last->link == number && !last->closed && size <= last->size && last->datagrams < TRAIN_MAX_SEGMENTS &&
        iov->iov_len + size <= TRAIN_MAX_BYTES && tx->used + size <= TX_BYTES && socket->as.udp.segmentation &&
        (link->plain_from == 0 || last->size < link->plain_from)) {
      uint8_t *at = tx->bytes + tx->used;
      last->datagrams++;
      last->closed = size < last->size;
      iov->iov_len += size;
      tx->used += size;
      return at;
    }
  }
  if (tx->count == TX_MESSAGES || tx->used + size > TX_BYTES) {
    flush(core);
    if (tx->blocked) {
      core->count.txQueueFull++;
      return NULL;
    }
  }
  uint8_t *at = tx->bytes + tx->used;
  int i = tx->count++;
  tx->messages[i] = (struct message){.datagrams = 1, .size = (uint32_t)size, .link = number};
  tx->iov[i] = (struct iovec){.iov_base = at, .iov_len = size};
  tx->headers[i].msg_hdr.msg_name = &link->address;
  tx->headers[i].msg_hdr.msg_namelen = link->address_bytes;
  tx->headers[i].msg_hdr.msg_iov = &tx->iov[i];
  tx->headers[i].msg_hdr.msg_iovlen = 1;
  tx->used += size;
  return at;
}

static void put_tunnel_header(uint8_t *at, uint32_t conn_id, size_t size) {
  store32le(at, conn_id);
  at[4] = TUNNEL_DATA;
  at[5] = 0;
  store16le(at + 6, (uint32_t)(size - TUNNEL_BYTES));
}

/** Takes back what `reserve` gave last. */
static void unreserve(struct tx_batch *tx, size_t size) {
  struct message *last = &tx->messages[tx->count - 1];
  tx->used -= size;
  tx->iov[tx->count - 1].iov_len -= size;
  last->closed = 0;
  if (--last->datagrams == 0) tx->count--;
}

static void add_sealed(struct io_core *core, const uint8_t *payload, size_t length, const struct route *route) {
  struct link *link = link_get(core, route->link);
  struct handle *socket = link == NULL ? NULL : handle_get(core, link->key.socket, KIND_UDP);
  if (socket == NULL) {
    core->count.txNoRoute++;
    return;
  }
  int seal = route->header[PEER_FLAGS] & FLAG_ENCRYPTED;
  size_t size = HEADERS_BYTES + length + (seal ? AEAD_TAIL_BYTES : 0);
  if (size > IO_MAX_DATAGRAM) {
    core->count.txTooLarge++;
    return;
  }
  const uint8_t *nonce = NULL;
  if (seal && (core->aead == NULL || (nonce = next_nonce(core)) == NULL)) {
    core->count.txNoKey++;
    return;
  }
  uint8_t *at = reserve(core, route->link, link, socket, size);
  if (at == NULL) return;
  put_tunnel_header(at, link->key.conn_id, size);
  memcpy(at + TUNNEL_BYTES, route->header, PEER_HEADER_BYTES);
  store32le(at + TUNNEL_BYTES + PEER_LENGTH, (uint32_t)length);
  at += HEADERS_BYTES;
  if (!seal) {
    memcpy(at, payload, length);
    return;
  }
  if (aead_seal(core->aead, nonce, payload, length, at) != 0) {
    core->count.txNoKey++;
    unreserve(core->tx, size);
    return;
  }
  memcpy(at + length + AEAD_TAG_BYTES, nonce, AEAD_NONCE_BYTES);
  core->count.txSealed++;
}

int io_send(struct io_core *core, int32_t list, int32_t count) {
  if (!words_ok(core, list, count, 4)) return -EINVAL;
  struct tx_batch *tx = core->tx;
  tx->socket = 0;
  tx->sent = 0;
  for (const int32_t *entry = core->words + list, *end = entry + 4 * (size_t)count; entry < end; entry += 4) {
    if (!bytes_ok(core, entry[0], entry[1])) {
      flush(core);
      return -EINVAL;
    }
    if (entry[2] < 0 || entry[2] >= IO_MAX_ROUTES || !core->routes[entry[2]].used) {
      core->count.txNoRoute++;
      continue;
    }
    add_sealed(core, core->arena + entry[0], (size_t)entry[1], &core->routes[entry[2]]);
  }
  flush(core);
  return (int)tx->sent;
}

int io_send_on_link(struct io_core *core, int32_t number, int32_t offset, int32_t length) {
  if (!bytes_ok(core, offset, length)) return -EINVAL;
  struct link *link = link_get(core, number);
  struct handle *socket = link == NULL ? NULL : handle_get(core, link->key.socket, KIND_UDP);
  if (socket == NULL) {
    core->count.txNoRoute++;
    return -ENOENT;
  }
  size_t size = TUNNEL_BYTES + (size_t)length;
  if (size > IO_MAX_DATAGRAM) {
    core->count.txTooLarge++;
    return -EMSGSIZE;
  }
  struct tx_batch *tx = core->tx;
  tx->socket = 0;
  tx->sent = 0;
  uint8_t *at = reserve(core, number, link, socket, size);
  put_tunnel_header(at, link->key.conn_id, size);
  memcpy(at + TUNNEL_BYTES, core->arena + offset, (size_t)length);
  flush(core);
  return (int)tx->sent;
}

int io_send_datagram(struct io_core *core, int32_t socket, int32_t endpoint, int32_t offset, int32_t length) {
  struct handle *entry = handle_get(core, socket, KIND_UDP);
  if (entry == NULL) return -EBADF;
  if (!bytes_ok(core, endpoint, ENDPOINT_BYTES) || !bytes_ok(core, offset, length)) return -EINVAL;
  if (length > IO_MAX_DATAGRAM) {
    core->count.txTooLarge++;
    return -EMSGSIZE;
  }
  union address address;
  socklen_t bytes = endpoint_to_address(core->arena + endpoint, entry->as.udp.family, &address);
  if (bytes == 0) return -EAFNOSUPPORT;
  for (;;) {
    core->count.udpSendCalls++;
    ssize_t sent = sendto(entry->fd, core->arena + offset, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL, &address.any,
                          bytes);
    if (sent >= 0) {
      core->count.udpDatagramsSent++;
      core->count.udpBytesSent += (uint64_t)sent;
      return 1;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      core->count.txQueueFull++;
      return 0;
    }
    core->count.txFailed++;
    return -errno;
  }
}
