/* GHASH (NIST SP 800-38D, 6.4) in plain C, in constant time. */
#ifndef KCP_ROUTER_AEAD_GHASH_H
#define KCP_ROUTER_AEAD_GHASH_H

#include <stddef.h>
#include <stdint.h>

/* Blocks that are summed before they are reduced. */
#define GHASH_BLOCKS 4
#define GHASH_PARTS 4
/* Words that are multiplied for 128 bits: four, and sums of two and of four of them. */
#define GHASH_WORDS 9
/* These and their reversals. */
#define GHASH_OPERANDS (2 * GHASH_WORDS)

/** Operands of a multiplication, each in its parts. */
typedef uint32_t ghash_parts[GHASH_PARTS][GHASH_OPERANDS];

/** The hash's key H, ready to be multiplied with. */
struct ghash_key {
  /* [0] = H^4 … [3] = H: n blocks use the last n. */
  ghash_parts powers[GHASH_BLOCKS];
};

typedef void ghash_fn(const struct ghash_key *key, const uint8_t *data, size_t n, uint8_t hash[16]);

void ghash_key_set(struct ghash_key *key, const uint8_t h[16]);
/** The hash of n bytes of ciphertext, nothing else being authenticated. */
ghash_fn ghash;
/** The same for ARM with NEON. */
ghash_fn ghash_neon;

#endif
