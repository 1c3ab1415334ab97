/* GHASH (NIST SP 800-38D, 6.4) in plain C, in constant time. */
#ifndef KCP_ROUTER_AEAD_GHASH_H
#define KCP_ROUTER_AEAD_GHASH_H

#include <stddef.h>
#include <stdint.h>

#define GHASH_PARTS 4
/* Words that are multiplied for 128 bits: four, and sums of two and of four of them. */
#define GHASH_WORDS 9
/* These and their reversals. */
#define GHASH_OPERANDS (2 * GHASH_WORDS)

/** The hash's key H, ready to be multiplied with: parts of its operands. */
struct ghash_key {
  uint32_t parts[GHASH_PARTS][GHASH_OPERANDS];
};

typedef void ghash_fn(const struct ghash_key *key, const uint8_t *data, size_t n, uint8_t hash[16]);

void ghash_key_set(struct ghash_key *key, const uint8_t h[16]);
/** The hash of n bytes of ciphertext, nothing else being authenticated. */
ghash_fn ghash;
/** The same for ARM with NEON. */
ghash_fn ghash_neon;

#endif
