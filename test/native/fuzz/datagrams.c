/*
 * Datagrams of all kinds, whole and damaged, alone and as trains, to the core's socket. Each is either delivered or counted as
 * dropped for one reason; what comes out as opened was sealed by us, to the byte; slots that hold nothing are not written.
 */
#include "fuzz.h"

#include <netinet/udp.h>
#include <sys/socket.h>

#define MAX_DATAGRAM 3000
#define MAX_TRAIN 8
#define SENT_AT_ONCE 6
#define PLAIN_MAX 2600

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

/** Bytes that follow from the first four of them: whoever reads them can tell whether they are whole. */
static void fill_plain(uint8_t *plain, size_t n, uint32_t id) {
  for (size_t i = 0; i < n; i++) {
    plain[i] = i < 4 ? (uint8_t)(id >> 8 * i) : (uint8_t)((id + (uint32_t)n) * 2654435761u >> 24 ^ (i * 131));
  }
}

static int is_plain(const uint8_t *plain, size_t n) {
  uint8_t expected[PLAIN_MAX];
  if (n > PLAIN_MAX) return 0;
  uint32_t id = 0;
  for (size_t i = 0; i < 4 && i < n; i++) id |= (uint32_t)plain[i] << 8 * i;
  if (n < 4) return 1;
  fill_plain(expected, n, id);
  return memcmp(plain, expected, n) == 0;
}

static void put_tunnel(uint8_t *out, uint32_t conn_id, int type, size_t body) {
  store32le(out, conn_id);
  out[4] = (uint8_t)type;
  out[5] = 0;
  store16le(out + 6, (uint32_t)body);
}

/** A peer packet in a DATA datagram, sealed when `sealed`. Returns its length. */
static size_t make_data(struct world *world, uint8_t *out, uint32_t conn_id, uint32_t to, int sealed) {
  uint8_t plain[PLAIN_MAX], *packet = out + TUNNEL_BYTES, *body = packet + PEER_HEADER_BYTES;
  size_t n = random_below(random_below(6) == 0 ? PLAIN_MAX : 1500), length = PEER_HEADER_BYTES + n;
  fill_plain(plain, n, random_bits());
  random_fill(packet, PEER_HEADER_BYTES);
  store32le(packet + PEER_TO, to);
  packet[PEER_FLAGS] = (uint8_t)((packet[PEER_FLAGS] & ~FLAG_ENCRYPTED) | (sealed ? FLAG_ENCRYPTED : 0));
  store32le(packet + PEER_LENGTH, (uint32_t)n);
  if (sealed) {
    uint8_t *nonce = body + n + AEAD_TAG_BYTES;
    random_fill(nonce, AEAD_NONCE_BYTES);
    CHECK(aead_seal(world->cipher, nonce, plain, n, body) == 0);
    length += AEAD_TAIL_BYTES;
  } else {
    memcpy(body, plain, n);
  }
  put_tunnel(out, conn_id, TUNNEL_DATA, length);
  return TUNNEL_BYTES + length;
}

static size_t make_datagram(struct world *world, uint8_t *out) {
  uint32_t conn_id = 1 + random_below(LINKS + 1);
  size_t n;
  switch (random_below(8)) {
    case 0:
      n = random_below(MAX_DATAGRAM);
      random_fill(out, n);
      break;
    case 1:
      n = random_below(40);
      put_tunnel(out, conn_id, 1 + (int)random_below(8), n);
      random_fill(out + TUNNEL_BYTES, n);
      n += TUNNEL_BYTES;
      break;
    case 2:
      n = make_data(world, out, conn_id, OUR_PEER, 1);
      if (n > 80) n = 20 + random_below(60);
      store16le(out + 6, (uint32_t)(n - TUNNEL_BYTES));
      break;
    case 3:
      n = 20 + random_below(80);
      random_fill(out, n);
      out[0] &= 0x3f;
      store32be(out + 4, 0x2112a442);
      break;
    default:
      n = make_data(world, out, conn_id, random_below(4) == 0 ? OTHER_PEER : OUR_PEER, random_below(4) != 0);
  }
  if (random_below(3) != 0) return n;
  n = mutate(out, n, MAX_DATAGRAM);
  /* The length made right again, so that damage gets past the first look. */
  if (n >= TUNNEL_BYTES && random_below(2) == 0) store16le(out + 6, (uint32_t)(n - TUNNEL_BYTES));
  return n;
}

static void send_datagram(struct world *world, const uint8_t *bytes, size_t n) {
  if (send(world->sender, bytes, n, 0) == (ssize_t)n) totals.datagrams++;
}

/** Several in one message, as the kernel hands them over with UDP_GRO: all as long as the first, which is cut or filled up. */
static void send_train(struct world *world) {
  static uint8_t bytes[MAX_TRAIN * MAX_DATAGRAM];
  size_t step = 1 + random_below(1400), count = 2 + random_below(MAX_TRAIN - 1);
  for (size_t i = 0; i < count; i++) {
    uint8_t one[MAX_DATAGRAM] = {0};
    size_t n = make_datagram(world, one);
    if (i == 0 && n > 0 && n <= 1400) step = n;
    memcpy(bytes + i * step, one, step);
  }
  size_t total = count * step - random_below((uint32_t)step);
  struct iovec iov = {bytes, total};
  union {
    char bytes[CMSG_SPACE(sizeof(uint16_t))];
    struct cmsghdr align;
  } control = {{0}};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  struct cmsghdr *segment = CMSG_FIRSTHDR(&message);
  uint16_t size = (uint16_t)step;
  segment->cmsg_level = SOL_UDP;
  segment->cmsg_type = UDP_SEGMENT;
  segment->cmsg_len = CMSG_LEN(sizeof size);
  memcpy(CMSG_DATA(segment), &size, sizeof size);
  /* Kernels without it refuse: then there are no trains. */
  if (sendmsg(world->sender, &message, 0) == (ssize_t)total) totals.datagrams += count;
}

void send_some(struct world *world) {
  uint8_t bytes[MAX_DATAGRAM];
  for (uint32_t i = random_below(SENT_AT_ONCE) + 1; i > 0; i--) {
    if (random_below(3) == 0) send_train(world);
    else send_datagram(world, bytes, make_datagram(world, bytes));
  }
}

static uint64_t dropped(const struct world *world) {
  return counter(world, "rxMalformed") + counter(world, "rxUnknownLink") + counter(world, "rxTooLarge") +
         counter(world, "rxBadTag") + counter(world, "rxNoKey") + counter(world, "rxOverrun");
}

static void check_entry(const struct world *world, int32_t slot, const int32_t entry[4], uint8_t used[SLOTS]) {
  CHECK(slot >= 0 && slot < SLOTS && !used[slot]);
  used[slot] = 1;
  CHECK(entry[0] == slot * SLOT_BYTES + RX_PACKET_OFFSET);
  CHECK(entry[1] >= 0 && RX_PACKET_OFFSET + entry[1] <= SLOT_BYTES);
  CHECK(entry[3] == IO_RX_OPENED || entry[3] == IO_RX_UNTOUCHED || entry[3] == IO_RX_DATAGRAM);
  CHECK(entry[3] == IO_RX_DATAGRAM ? entry[2] == -1 : entry[2] >= 0 && entry[2] < LINKS);
  size_t end = RX_PACKET_OFFSET + (size_t)entry[1];
  if (entry[3] == IO_RX_DATAGRAM) CHECK(end <= SLOT_BYTES - ENDPOINT_BYTES);
  if (entry[3] == IO_RX_OPENED) {
    const uint8_t *packet = world->arena + entry[0];
    CHECK(entry[1] >= PEER_HEADER_BYTES && (packet[PEER_FLAGS] & FLAG_ENCRYPTED) == 0);
    CHECK(load32le(packet + PEER_TO) == OUR_PEER);
    CHECK(is_plain(packet + PEER_HEADER_BYTES, (size_t)entry[1] - PEER_HEADER_BYTES));
  }
}

void fuzz_datagrams(struct world *world) {
  uint8_t used[SLOTS] = {0};
  const int32_t slots = offer_slots(world, world->words), out = world->words + 2 * SLOTS;
  const int32_t *words = (const int32_t *)(const void *)world->arena;
  uint64_t received = counter(world, "udpDatagramsReceived"), lost = dropped(world), entries = 0;
  mark_slots(world);
  send_some(world);
  io_poll(world->core, world->words + 4096, 16);
  int32_t offered = 0;
  for (int fruitless = 0; fruitless < 3 && offered < SLOTS;) {
    int32_t max = 1 + (int32_t)random_below((uint32_t)(SLOTS - offered));
    int32_t got = io_udp_receive(world->core, world->socket, slots + offered, max, out);
    CHECK(got >= 0 && got <= max);
    for (int32_t i = 0; i < got; i++) check_entry(world, words[slots + offered + i], words + out + 4 * i, used);
    offered += got;
    entries += (uint64_t)got;
    if (got == 0) fruitless++;
  }
  /* What has no slot stays in the core, and is not counted yet as anything but received. */
  if (offered < SLOTS) CHECK(counter(world, "udpDatagramsReceived") - received == entries + dropped(world) - lost);
  for (uint32_t slot = 0; slot < SLOTS; slot++) {
    /* A forged packet leaves garbage in the slot that was offered for it, which the next one gets. */
    if (!used[slot] && (int32_t)slot != words[slots + offered % SLOTS]) CHECK(slot_untouched(world, slot, 0, SLOT_BYTES));
  }
  totals.delivered += entries;
}
