/* The internet checksum (RFC 1071). Sums are kept in the machine's byte order: one's complement does not mind. */
#ifndef KCP_ROUTER_CHECKSUM_H
#define KCP_ROUTER_CHECKSUM_H

#include "bytes.h"

/** Adds `n` bytes to a sum. All but the last piece of one sum have an even length. */
static inline uint64_t checksum_add(uint64_t sum, const uint8_t *p, size_t n) {
  /* Two accumulators of 32-bit words; the compiler turns the loop into vector additions. 64 KiB cannot overflow. */
  size_t words = n / 4;
  uint64_t even = 0, odd = 0;
  for (size_t i = 0; i + 1 < words; i += 2) {
    even += load32(p + 4 * i);
    odd += load32(p + 4 * i + 4);
  }
  if (words & 1) even += load32(p + 4 * (words - 1));
  sum += even;
  sum += odd;
  p += 4 * words;
  n &= 3;
  if (n > 0) {
    uint8_t last[4] = {0};
    memcpy(last, p, n);
    sum += load32(last);
  }
  return sum;
}

/** The 16-bit sum, in the machine's order, not yet complemented. */
static inline uint16_t checksum_fold(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)sum;
}

static inline void checksum_store(uint8_t *p, uint64_t sum) {
  uint16_t folded = (uint16_t)~checksum_fold(sum);
  memcpy(p, &folded, sizeof folded);
}

#endif
