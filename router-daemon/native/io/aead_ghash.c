/*
 * GHASH by integer multiplication. A carry-less product is an integer product whose carries are kept apart: each operand is
 * split into four parts with every fourth bit. Two parts' product has at most 8 ones to a position, which carry into the three
 * unused bits above it only:
 *
 *   a   = a0 + a1 + a2 + a3       a0 = a & 0x11111111, a1 = a & 0x22222222, …
 *   a·b = Σ (ai × bj) over i + j ≡ k (mod 4), masked to the bits ≡ k, for k = 0 … 3
 *
 * Only the lower 32 bits of a product are taken, which is one instruction everywhere, and one for four products with NEON: the
 * compiler makes that of the same text, compiled a second time with GHASH_NEON. The upper bits are the lower ones of the reversed
 * operands' product, reversed. 128 bits are nine such products (Karatsuba, twice).
 *
 * No branch and no address depends on data or key.
 */
#include "aead_ghash.h"

#include "bytes.h"

#ifdef GHASH_NEON
#define GHASH ghash_neon
#else
#define GHASH ghash
#endif

#define BLOCK_BYTES 16

/*
 * A field element: w[0] holds bytes 12..15 of the block. The bits come in reversed order (SP 800-38D 6.3), so the 255-bit
 * product of two comes out one bit too low: `reduce` shifts it.
 */
struct element {
  uint32_t w[4];
};

static inline struct element load_element(const uint8_t *p) {
  return (struct element){{load32be(p + 12), load32be(p + 8), load32be(p + 4), load32be(p)}};
}

static inline uint32_t reverse_bits(uint32_t v) {
  v = (v & 0x55555555) << 1 | (v >> 1 & 0x55555555);
  v = (v & 0x33333333) << 2 | (v >> 2 & 0x33333333);
  v = (v & 0x0f0f0f0f) << 4 | (v >> 4 & 0x0f0f0f0f);
  return __builtin_bswap32(v);
}

/** The words that the multiplication of 128 bits multiplies, by Karatsuba's rule on halves and halves of them. */
static inline void spread(struct element a, uint32_t operands[GHASH_OPERANDS]) {
  for (int reversed = 0; reversed <= 1; reversed++) {
    uint32_t *o = operands + reversed * GHASH_WORDS;
    for (int i = 0; i < 4; i++) o[i] = reversed ? reverse_bits(a.w[i]) : a.w[i];
    o[4] = o[0] ^ o[1];
    o[5] = o[2] ^ o[3];
    o[6] = o[0] ^ o[2];
    o[7] = o[1] ^ o[3];
    o[8] = o[6] ^ o[7];
  }
}

/** Nine carry-less products of 32 bits. */
static inline void carryless(const uint32_t a[GHASH_OPERANDS], const uint32_t b[GHASH_PARTS][GHASH_OPERANDS],
                             uint64_t products[GHASH_WORDS]) {
  uint32_t low[GHASH_OPERANDS];
  for (int i = 0; i < GHASH_OPERANDS; i++) {
    uint32_t a0 = a[i] & 0x11111111, a1 = a[i] & 0x22222222, a2 = a[i] & 0x44444444, a3 = a[i] & 0x88888888;
    uint32_t b0 = b[0][i], b1 = b[1][i], b2 = b[2][i], b3 = b[3][i];
    low[i] = (((a0 * b0) ^ (a1 * b3) ^ (a2 * b2) ^ (a3 * b1)) & 0x11111111) |
             (((a0 * b1) ^ (a1 * b0) ^ (a2 * b3) ^ (a3 * b2)) & 0x22222222) |
             (((a0 * b2) ^ (a1 * b1) ^ (a2 * b0) ^ (a3 * b3)) & 0x44444444) |
             (((a0 * b3) ^ (a1 * b2) ^ (a2 * b1) ^ (a3 * b0)) & 0x88888888);
  }
  for (int i = 0; i < GHASH_WORDS; i++) products[i] = (uint64_t)(reverse_bits(low[GHASH_WORDS + i]) >> 1) << 32 | low[i];
}

/** Adds to (low, high) what `part` times x^128 is: times x^7 + x^2 + x + 1, which in this order goes down. */
static inline void fold(uint64_t part, uint64_t *low, uint64_t *high) {
  *high ^= part ^ part >> 1 ^ part >> 2 ^ part >> 7;
  *low ^= part << 63 ^ part << 62 ^ part << 57;
}

/** The product's 255 bits, `a` lowest, to a field element: shifted by the missing bit, then its lower half folded in. */
static inline struct element reduce(uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  d = d << 1 | c >> 63;
  c = c << 1 | b >> 63;
  b = b << 1 | a >> 63;
  a <<= 1;
  fold(a, &b, &c);
  fold(b, &c, &d);
  return (struct element){{(uint32_t)c, (uint32_t)(c >> 32), (uint32_t)d, (uint32_t)(d >> 32)}};
}

/** a·H in the field. */
static inline struct element multiply(struct element a, const struct ghash_key *key) {
  uint32_t operands[GHASH_OPERANDS];
  uint64_t p[GHASH_WORDS];
  spread(a, operands);
  carryless(operands, key->parts, p);
  /* Middle terms: of words 0 and 1, of words 2 and 3, and of the halves' sums. */
  p[4] ^= p[0] ^ p[1];
  p[5] ^= p[2] ^ p[3];
  p[8] ^= p[6] ^ p[7];
  uint64_t low0 = p[0] ^ p[4] << 32, low1 = p[1] ^ p[4] >> 32;
  uint64_t high0 = p[2] ^ p[5] << 32, high1 = p[3] ^ p[5] >> 32;
  uint64_t middle0 = p[6] ^ p[8] << 32, middle1 = p[7] ^ p[8] >> 32;
  middle0 ^= low0 ^ high0;
  middle1 ^= low1 ^ high1;
  return reduce(low0, low1 ^ middle0, high0 ^ middle1, high1);
}

static struct element add_block(const struct ghash_key *key, struct element hash, struct element block) {
  for (int i = 0; i < 4; i++) block.w[i] ^= hash.w[i];
  return multiply(block, key);
}

void GHASH(const struct ghash_key *key, const uint8_t *data, size_t n, uint8_t hash[BLOCK_BYTES]) {
  struct element sum = {{0}};
  const uint64_t bits = (uint64_t)n * 8;
  for (; n >= BLOCK_BYTES; n -= BLOCK_BYTES, data += BLOCK_BYTES) sum = add_block(key, sum, load_element(data));
  if (n > 0) {
    uint8_t last[BLOCK_BYTES] = {0};
    memcpy(last, data, n);
    sum = add_block(key, sum, load_element(last));
  }
  sum = add_block(key, sum, (struct element){{(uint32_t)bits, (uint32_t)(bits >> 32), 0, 0}});
  for (int i = 0; i < 4; i++) store32be(hash + 4 * i, sum.w[3 - i]);
}

#ifndef GHASH_NEON
void ghash_key_set(struct ghash_key *key, const uint8_t h[BLOCK_BYTES]) {
  spread(load_element(h), key->parts[0]);
  for (int part = GHASH_PARTS - 1; part >= 0; part--) {
    for (int i = 0; i < GHASH_OPERANDS; i++) key->parts[part][i] = key->parts[0][i] & 0x11111111u << part;
  }
}
#endif
