#include "segment.h"

#include "checksum.h"
#include "core.h"

#include <errno.h>

/* struct virtio_net_hdr, little-endian on this surface. */
#define VNET_NEEDS_CSUM 1
#define VNET_DATA_VALID 2
#define VNET_FLAGS 0
#define VNET_GSO_TYPE 1
#define VNET_GSO_SIZE 4
#define VNET_CSUM_START 6
#define VNET_CSUM_OFFSET 8
#define GSO_NONE 0
#define GSO_TCPV4 1
#define GSO_TCPV6 4
#define GSO_UDP_L4 5
#define GSO_ECN 0x80

#define TCP_SEQUENCE 4
#define TCP_DATA_OFFSET 12
#define TCP_FLAGS 13
#define TCP_CHECKSUM 16
#define TCP_FIN_PSH 0x09
#define TCP_CWR 0x80
#define UDP_LENGTH 4
#define UDP_CHECKSUM 6
#define UDP_HEADER_BYTES 8

#define PROTO_TCP 6
#define PROTO_UDP 17

/** What the IP header says: sets version, l4, ip_bytes (without padding). Returns the protocol, -1 = not even IP. */
static int read_ip(struct cut *cut, int *is_fragment, int *dont_fragment) {
  const uint8_t *ip = cut->ip;
  size_t n = cut->ip_bytes;
  *is_fragment = 0;
  *dont_fragment = 1;
  if (n < 1) return -1;
  cut->version = ip[0] >> 4;
  if (cut->version == 4) {
    if (n < 20) return -1;
    size_t header = (size_t)(ip[0] & 15) * 4, total = load16be(ip + 2);
    /* A super-segment beyond 64 KiB has a total length of 0. */
    if (total == 0) total = n;
    if (header < 20 || total < header || total > n) return -1;
    cut->l4 = header;
    cut->ip_bytes = total;
    uint16_t fragment = load16be(ip + 6);
    *dont_fragment = (fragment & 0x4000) != 0;
    *is_fragment = (fragment & 0x3fff) != 0;
    cut->pseudo_sum = checksum_add(0, ip + 12, 8);
    return ip[9];
  }
  if (cut->version != 6 || n < 40) return -1;
  size_t payload = load16be(ip + 4);
  if (payload != 0) {
    if (40 + payload > n) return -1;
    cut->ip_bytes = n = 40 + payload;
  }
  cut->pseudo_sum = checksum_add(0, ip + 8, 32);
  int next = ip[6];
  size_t at = 40;
  /* Extension headers that a segment repeats: hop-by-hop, routing, destination options (RFC 8200, 4). */
  while (next == 0 || next == 43 || next == 60) {
    if (at + 8 > n) return -1;
    next = ip[at];
    at += ((size_t)ip[at + 1] + 1) * 8;
    if (at > n) return -1;
  }
  if (next == 44) *is_fragment = 1;
  cut->l4 = at;
  return next;
}

/** Pseudo-header (RFC 9293, 3.1; RFC 8200, 8.1) for a transport packet of this length. */
static uint64_t pseudo(const struct cut *cut, int protocol, size_t l4_bytes) {
  uint8_t tail[4] = {0, (uint8_t)protocol, (uint8_t)(l4_bytes >> 8), (uint8_t)l4_bytes};
  return checksum_add(cut->pseudo_sum, tail, 4);
}

static int plan(struct cut *cut, size_t gso_size, size_t mtu, int exact) {
  if (cut->header_bytes > cut->ip_bytes) return -EINVAL;
  size_t payload = cut->ip_bytes - cut->header_bytes;
  size_t room = mtu > cut->header_bytes ? mtu - cut->header_bytes : 0;
  size_t step = gso_size;
  if (step > room) {
    if (exact) return -EMSGSIZE;
    step = room;
  }
  if (step == 0) return -EMSGSIZE;
  cut->step = step;
  cut->count = payload == 0 ? 1 : (uint32_t)((payload + step - 1) / step);
  return (int)cut->count;
}

int cut_begin(struct cut *cut, const uint8_t *frame, size_t frame_bytes, size_t mtu) {
  if (frame_bytes <= VNET_BYTES) return -EINVAL;
  memset(cut, 0, sizeof *cut);
  cut->ip = frame + VNET_BYTES;
  cut->ip_bytes = frame_bytes - VNET_BYTES;
  cut->count = 1;
  int is_fragment, dont_fragment;
  int protocol = read_ip(cut, &is_fragment, &dont_fragment);
  if (protocol < 0 || cut->ip_bytes > CUT_MAX_PACKET) return -EINVAL;

  int flags = frame[VNET_FLAGS], gso = frame[VNET_GSO_TYPE] & ~GSO_ECN;
  size_t gso_size = load16le(frame + VNET_GSO_SIZE);
  if (flags & VNET_NEEDS_CSUM) {
    cut->checksum_start = load16le(frame + VNET_CSUM_START);
    cut->checksum_at = cut->checksum_start + load16le(frame + VNET_CSUM_OFFSET);
    if (cut->checksum_start < 20 || cut->checksum_at + 2 > cut->ip_bytes) return -EINVAL;
  }

  const uint8_t *l4 = cut->ip + cut->l4;
  size_t l4_bytes = cut->ip_bytes - cut->l4;
  int whole = gso == GSO_NONE && cut->ip_bytes <= mtu;
  if (!whole && protocol == PROTO_TCP && !is_fragment && (gso == GSO_NONE || gso == GSO_TCPV4 || gso == GSO_TCPV6)) {
    if (l4_bytes < 20) return -EINVAL;
    size_t header = (size_t)(l4[TCP_DATA_OFFSET] >> 4) * 4;
    if (header < 20 || header > l4_bytes) return -EINVAL;
    if (gso != GSO_NONE && gso_size == 0) return -EINVAL;
    /* Cutting writes new checksums: a damaged packet must not come out with a good one. */
    if (!(flags & (VNET_NEEDS_CSUM | VNET_DATA_VALID)) &&
        checksum_fold(checksum_add(pseudo(cut, PROTO_TCP, l4_bytes), l4, l4_bytes)) != 0xffff) {
      return -EBADMSG;
    }
    cut->mode = CUT_TCP;
    cut->header_bytes = cut->l4 + header;
    return plan(cut, gso == GSO_NONE ? cut->ip_bytes : gso_size, mtu, 0);
  }
  if (gso == GSO_UDP_L4) {
    if (protocol != PROTO_UDP || is_fragment || l4_bytes < UDP_HEADER_BYTES || gso_size == 0) return -EINVAL;
    cut->mode = CUT_UDP;
    cut->header_bytes = cut->l4 + UDP_HEADER_BYTES;
    return plan(cut, gso_size, mtu, 1);
  }
  if (gso != GSO_NONE) return -EINVAL;

  if (cut->checksum_at != 0) {
    uint64_t sum = checksum_add(0, cut->ip + cut->checksum_start, cut->ip_bytes - cut->checksum_start);
    cut->checksum = (uint16_t)~checksum_fold(sum);
    /* In UDP, 0 means "no checksum" (RFC 768). Both spellings of zero are the same sum. */
    if (cut->checksum == 0 && protocol == PROTO_UDP) cut->checksum = 0xffff;
  }
  if (whole) return 1;
  if (cut->version != 4 || dont_fragment || cut->l4 != 20 || mtu < 28) return -EMSGSIZE;
  cut->mode = CUT_FRAGMENTS;
  cut->header_bytes = 20;
  /* All fragments but the last carry a multiple of 8. */
  int count = plan(cut, (mtu - 20) & ~(size_t)7, mtu, 1);
  return cut->checksum_at != 0 && cut->checksum_at + 2 > 20 + cut->step ? -EMSGSIZE : count;
}

static size_t chunk_of(const struct cut *cut) {
  size_t rest = cut->ip_bytes - cut->header_bytes - cut->at;
  return rest < cut->step ? rest : cut->step;
}

size_t cut_peek(const struct cut *cut) {
  if (cut->index >= cut->count) return 0;
  return cut->mode == CUT_NONE ? cut->ip_bytes : cut->header_bytes + chunk_of(cut);
}

static void fix_ip_header(const struct cut *cut, uint8_t *out, size_t packet_bytes) {
  if (cut->version == 6) {
    store16be(out + 4, (uint32_t)(packet_bytes - 40));
    return;
  }
  store16be(out + 2, (uint32_t)packet_bytes);
  if (cut->mode != CUT_FRAGMENTS) store16be(out + 4, load16be(cut->ip + 4) + cut->index);
  out[10] = out[11] = 0;
  checksum_store(out + 10, checksum_add(0, out, cut->version == 4 ? (size_t)(out[0] & 15) * 4 : 0));
}

void cut_next(struct cut *cut, uint8_t *out) {
  int first = cut->index == 0, last = cut->index + 1 == cut->count;
  if (cut->mode == CUT_NONE) {
    memcpy(out, cut->ip, cut->ip_bytes);
    if (cut->checksum_at != 0) memcpy(out + cut->checksum_at, &cut->checksum, 2);
    cut->index++;
    return;
  }
  size_t chunk = chunk_of(cut), packet_bytes = cut->header_bytes + chunk;
  memcpy(out, cut->ip, cut->header_bytes);
  memcpy(out + cut->header_bytes, cut->ip + cut->header_bytes + cut->at, chunk);
  uint8_t *l4 = out + cut->l4;
  size_t l4_bytes = packet_bytes - cut->l4;
  if (cut->mode == CUT_TCP) {
    store32be(l4 + TCP_SEQUENCE, load32be(l4 + TCP_SEQUENCE) + (uint32_t)cut->at);
    if (!last) l4[TCP_FLAGS] &= (uint8_t)~TCP_FIN_PSH;
    if (!first) l4[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
    store16be(l4 + TCP_CHECKSUM, 0);
    checksum_store(l4 + TCP_CHECKSUM, checksum_add(pseudo(cut, PROTO_TCP, l4_bytes), l4, l4_bytes));
  } else if (cut->mode == CUT_UDP) {
    store16be(l4 + UDP_LENGTH, (uint32_t)l4_bytes);
    store16be(l4 + UDP_CHECKSUM, 0);
    checksum_store(l4 + UDP_CHECKSUM, checksum_add(pseudo(cut, PROTO_UDP, l4_bytes), l4, l4_bytes));
    if (load16be(l4 + UDP_CHECKSUM) == 0) store16be(l4 + UDP_CHECKSUM, 0xffff);
  } else {
    uint16_t field = load16be(cut->ip + 6);
    store16be(out + 6, (uint32_t)(field + cut->at / 8) | (last ? 0 : 0x2000));
    if (first && cut->checksum_at != 0) memcpy(out + cut->checksum_at, &cut->checksum, 2);
  }
  fix_ip_header(cut, out, packet_bytes);
  cut->at += chunk;
  cut->index++;
}
