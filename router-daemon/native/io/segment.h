/* Software segmentation: one frame with a vnet header becomes IP packets with complete checksums. */
#ifndef KCP_ROUTER_SEGMENT_H
#define KCP_ROUTER_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

enum cut_mode {
  CUT_NONE, /* one packet as it is */
  CUT_TCP,
  CUT_UDP,
  CUT_FRAGMENTS, /* IPv4 fragmentation (RFC 791) */
};

/*
 *   ip          l4          header_bytes                                   ip_bytes
 *   │ IP header │ TCP / UDP │ step │ step │ step │ … │ rest │
 *   └───────── in front of every packet ─┘ fixed up, one step of payload behind it
 */
struct cut {
  const uint8_t *ip;
  size_t ip_bytes;
  size_t l4;
  size_t header_bytes;
  size_t step;
  size_t at; /* payload bytes handed out */
  uint32_t count, index;
  enum cut_mode mode;
  int version;
  uint64_t pseudo_sum; /* of addresses and protocol, without the length */
  /* A checksum to complete in the first (or only) packet: region start, and where the field is; 0 = none. */
  size_t checksum_start, checksum_at;
  uint16_t checksum;
};

/** Largest packet that `cut_next` can write. */
#define CUT_MAX_PACKET 65535

/**
 * Reads the frame (vnet header first) and decides. Returns the number of packets, -EINVAL when the frame does not add
 * up, -EMSGSIZE when it is larger than `mtu` and cannot be cut, -EBADMSG when it would be cut and its checksum is wrong.
 */
int cut_begin(struct cut *cut, const uint8_t *frame, size_t frame_bytes, size_t mtu);
/** Bytes of the next packet, 0 past the last. */
size_t cut_peek(const struct cut *cut);
/** Writes the next packet, cut_peek bytes. */
void cut_next(struct cut *cut, uint8_t *out);

#endif
