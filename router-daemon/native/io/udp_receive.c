/*
 * Datagrams in: recvmmsg into buffers of the core, UDP_GRO trains taken apart, peer packets opened into the caller's
 * slots.
 *
 *   kernel ─recvmmsg─▶ batch: 32 buffers of 64 KiB ─▶ datagram ─▶ link? ─open / copy─▶ slot + RX_PACKET_OFFSET
 *                                                         │
 *                                                         └─▶ forged, unknown, malformed: counted, gone
 */
#include "core.h"
#include "udp_gso.h"

#include <errno.h>
#include <stdlib.h>

#define BATCH_MESSAGES 32
/* Not a power of two: else the buffers' first lines would all fall into the same few sets of the cache. */
#define BUFFER_STRIDE (65536 + 1088)
/* Sockets that may hold a half-read batch at the same time. */
#define MAX_BATCHES 4
/* How many times one call asks the kernel when everything it gets is refuse. */
#define MAX_FRUITLESS_ROUNDS 16

#define TYPE_MAX 7
#define STUN_MAGIC 0x2112a442u

struct rx_batch {
  struct rx_batch *next;
  int count;   /* messages received */
  int message; /* the one at hand */
  size_t at;   /* bytes of it handed out */
  struct mmsghdr headers[BATCH_MESSAGES];
  struct iovec iov[BATCH_MESSAGES];
  union address from[BATCH_MESSAGES];
  size_t segment[BATCH_MESSAGES]; /* size of one datagram of a train; 0 = not looked at yet */
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control[BATCH_MESSAGES];
  uint8_t *buffers;
};

static struct rx_batch *batch_take(struct io_core *core) {
  struct rx_batch *batch = core->free_batches;
  if (batch != NULL) {
    core->free_batches = batch->next;
    return batch;
  }
  if (core->batch_count >= MAX_BATCHES) {
    /* Somebody offered too few slots and never came back for the rest: his datagrams are lost, as if in a full queue. */
    for (int32_t i = 1; i < core->handle_count; i++) {
      struct handle *entry = &core->handles[i];
      if (entry->kind != KIND_UDP || entry->as.udp.pending == NULL) continue;
      batch = entry->as.udp.pending;
      core->count.rxOverrun += (uint64_t)(batch->count - batch->message);
      entry->as.udp.pending = NULL;
      return batch;
    }
    return NULL;
  }
  batch = calloc(1, sizeof *batch);
  if (batch == NULL) return NULL;
  batch->buffers = malloc((size_t)BATCH_MESSAGES * BUFFER_STRIDE);
  if (batch->buffers == NULL) {
    free(batch);
    return NULL;
  }
  for (int i = 0; i < BATCH_MESSAGES; i++) {
    batch->iov[i].iov_base = batch->buffers + (size_t)i * BUFFER_STRIDE;
    batch->iov[i].iov_len = 65536;
    struct msghdr *header = &batch->headers[i].msg_hdr;
    header->msg_iov = &batch->iov[i];
    header->msg_iovlen = 1;
    header->msg_name = &batch->from[i];
    header->msg_control = batch->control[i].bytes;
  }
  core->batch_count++;
  return batch;
}

static void batch_give(struct io_core *core, struct rx_batch *batch) {
  batch->next = core->free_batches;
  core->free_batches = batch;
}

void rx_release(struct io_core *core, struct udp *udp) {
  if (udp->pending != NULL) batch_give(core, udp->pending);
  udp->pending = NULL;
}

void rx_free_all(struct io_core *core) {
  while (core->free_batches != NULL) {
    struct rx_batch *batch = core->free_batches;
    core->free_batches = batch->next;
    free(batch->buffers);
    free(batch);
  }
}

/** Returns the number of messages, or -errno. */
static int batch_fill(struct io_core *core, int fd, struct rx_batch *batch) {
  for (int i = 0; i < BATCH_MESSAGES; i++) {
    batch->headers[i].msg_hdr.msg_namelen = sizeof batch->from[i];
    batch->headers[i].msg_hdr.msg_controllen = sizeof batch->control[i];
    batch->segment[i] = 0;
  }
  batch->message = 0;
  batch->at = 0;
  core->count.udpReceiveCalls++;
  batch->count = recvmmsg(fd, batch->headers, BATCH_MESSAGES, MSG_DONTWAIT, NULL);
  return batch->count < 0 ? -errno : batch->count;
}

/** Size of one datagram of message i: what UDP_GRO says, else the message is one datagram. */
static size_t segment_of(struct rx_batch *batch, int i) {
  struct msghdr *header = &batch->headers[i].msg_hdr;
  size_t total = batch->headers[i].msg_len;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
    int size;
    if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO) continue;
    memcpy(&size, CMSG_DATA(c), sizeof size);
    if (size > 0 && (size_t)size < total) return (size_t)size;
  }
  return total == 0 ? 1 : total;
}

/** Whether JavaScript should see a datagram that is not DATA: STUN (links.md 2.6), or a known message type. */
static int is_control(const uint8_t *data, size_t length) {
  if (length < TUNNEL_BYTES) return 0;
  if ((data[0] & 0xc0) == 0 && load32be(data + 4) == STUN_MAGIC) return 1;
  return load16le(data + 6) == length - TUNNEL_BYTES && data[4] != 0 && data[4] <= TYPE_MAX;
}

static int deliver_control(struct io_core *core, const struct rx_batch *batch, const uint8_t *data, size_t length,
                           uint8_t *slot, int32_t *entry) {
  if (!is_control(data, length)) {
    core->count.rxMalformed++;
    return 0;
  }
  if (RX_PACKET_OFFSET + length + ENDPOINT_BYTES > core->slot_bytes) {
    core->count.rxTooLarge++;
    return 0;
  }
  memcpy(slot + RX_PACKET_OFFSET, data, length);
  address_to_endpoint(&batch->from[batch->message], slot + core->slot_bytes - ENDPOINT_BYTES);
  entry[1] = (int32_t)length;
  entry[2] = -1;
  entry[3] = IO_RX_DATAGRAM;
  return 1;
}

static int deliver_packet(struct io_core *core, const uint8_t *packet, size_t length, int32_t link, uint8_t *slot,
                          int32_t *entry) {
  if (length < PEER_HEADER_BYTES) {
    core->count.rxMalformed++;
    return 0;
  }
  size_t payload = length - PEER_HEADER_BYTES;
  int open = (packet[PEER_FLAGS] & FLAG_ENCRYPTED) && load32le(packet + PEER_TO) == core->peer_id;
  if (open) {
    if (core->aead == NULL) {
      core->count.rxNoKey++;
      return 0;
    }
    if (payload < AEAD_TAIL_BYTES) {
      core->count.rxMalformed++;
      return 0;
    }
    payload -= AEAD_TAIL_BYTES;
  }
  if (RX_PACKET_OFFSET + PEER_HEADER_BYTES + payload > core->slot_bytes) {
    core->count.rxTooLarge++;
    return 0;
  }
  uint8_t *out = slot + RX_PACKET_OFFSET;
  entry[1] = (int32_t)(PEER_HEADER_BYTES + payload);
  entry[2] = link;
  if (!open) {
    memcpy(out, packet, length);
    entry[3] = IO_RX_UNTOUCHED;
    return 1;
  }
  const uint8_t *body = packet + PEER_HEADER_BYTES;
  if (aead_open(core->aead, body + payload + AEAD_TAG_BYTES, body, payload, out + PEER_HEADER_BYTES) != 0) {
    core->count.rxBadTag++;
    return 0;
  }
  memcpy(out, packet, PEER_HEADER_BYTES);
  out[PEER_FLAGS] &= (uint8_t)~FLAG_ENCRYPTED;
  entry[3] = IO_RX_OPENED;
  core->count.rxOpened++;
  return 1;
}

/** One datagram of the message at hand. 1 = an entry was made in `slot`. */
static int deliver(struct io_core *core, const struct rx_batch *batch, struct link_key *key, int32_t *link,
                   const uint8_t *data, size_t length, uint8_t *slot, int32_t *entry) {
  core->count.udpDatagramsReceived++;
  core->count.udpBytesReceived += length;
  if (length < TUNNEL_BYTES || data[4] != TUNNEL_DATA) return deliver_control(core, batch, data, length, slot, entry);
  if (load16le(data + 6) != length - TUNNEL_BYTES) {
    core->count.rxMalformed++;
    return 0;
  }
  uint32_t conn_id = load32le(data);
  /* All datagrams of a message have one sender, and nearly always one conn_id. */
  if (*link == -2 || key->conn_id != conn_id) {
    key->conn_id = conn_id;
    *link = link_find(core, key);
  }
  if (*link < 0) {
    /* A session becomes a link with its handshake, which is in clear text; sealed packets of no link are stale. */
    if (length >= TUNNEL_BYTES + PEER_HEADER_BYTES && !(data[TUNNEL_BYTES + PEER_FLAGS] & FLAG_ENCRYPTED)) {
      return deliver_control(core, batch, data, length, slot, entry);
    }
    core->count.rxUnknownLink++;
    return 0;
  }
  return deliver_packet(core, data + TUNNEL_BYTES, length - TUNNEL_BYTES, *link, slot, entry);
}

/**
 * Hands datagrams of the batch out until it or the slots are used up. Returns the entries made, or -EINVAL when a slot
 * number is out of range: then nothing of the batch is lost.
 */
static int batch_deliver(struct io_core *core, int32_t socket, struct rx_batch *batch, int32_t slots, int32_t max,
                         int32_t out) {
  int32_t used = 0;
  struct link_key key = {.socket = socket};
  for (; batch->message < batch->count; batch->message++, batch->at = 0) {
    int i = batch->message;
    size_t total = batch->headers[i].msg_len;
    const uint8_t *data = batch->iov[i].iov_base;
    if (batch->segment[i] == 0) {
      batch->segment[i] = segment_of(batch, i);
      if (batch->segment[i] < total) {
        core->count.udpCoalesced += (total + batch->segment[i] - 1) / batch->segment[i];
      }
    }
    key_of_address(&batch->from[i], &key);
    int32_t link = -2;
    do {
      if (used == max) return used;
      uint32_t slot = (uint32_t)core->words[slots + used];
      if (slot >= core->slot_count) return used > 0 ? used : -EINVAL;
      size_t length = total - batch->at < batch->segment[i] ? total - batch->at : batch->segment[i];
      size_t slot_offset = (size_t)slot * core->slot_bytes;
      int32_t *entry = core->words + out + 4 * used;
      int32_t made[4] = {(int32_t)(slot_offset + RX_PACKET_OFFSET), 0, 0, 0};
      if (deliver(core, batch, &key, &link, data + batch->at, length, core->arena + slot_offset, made)) {
        memcpy(entry, made, sizeof made);
        used++;
      }
      batch->at += batch->segment[i];
    } while (batch->at < total);
  }
  return used;
}

int io_udp_receive(struct io_core *core, int32_t socket, int32_t slots, int32_t max, int32_t out) {
  struct handle *entry = handle_get(core, socket, KIND_UDP);
  if (entry == NULL) return -EBADF;
  if (!words_ok(core, slots, max, 1) || !words_ok(core, out, max, 4)) return -EINVAL;
  if (max == 0) return 0;
  struct udp *udp = &entry->as.udp;
  if (entry->drained && udp->pending == NULL) {
    entry->drained = 0;
    return 0;
  }
  int32_t used = 0;
  for (int round = 0; used < max; round++) {
    struct rx_batch *batch = udp->pending;
    if (batch == NULL) {
      if (used > 0 && entry->drained) break;
      if (used == 0 && round >= MAX_FRUITLESS_ROUNDS) {
        /* Nothing but refuse: let others run, and be told again. */
        handle_rearm(core, socket, EPOLLIN);
        return 0;
      }
      batch = batch_take(core);
      if (batch == NULL) return used > 0 ? used : -ENOMEM;
      int got = batch_fill(core, entry->fd, batch);
      if (got <= 0) {
        batch_give(core, batch);
        if (got == 0 || got == -EAGAIN) break;
        /* An ICMP error of an earlier send is reported once and then gone. */
        if (got == -EINTR || got == -ECONNREFUSED || got == -EHOSTUNREACH || got == -ENETUNREACH) continue;
        return used > 0 ? used : got;
      }
      /* Fewer than asked for: at that moment the queue was empty, and whatever comes later makes an event. */
      entry->drained = got < BATCH_MESSAGES;
    }
    int made = batch_deliver(core, socket, batch, slots + used, max - used, out + 4 * used);
    if (batch->message < batch->count) {
      udp->pending = batch;
    } else {
      udp->pending = NULL;
      batch_give(core, batch);
    }
    if (made < 0) return used > 0 ? used : made;
    used += made;
  }
  if (used == 0) entry->drained = 0;
  return used;
}
