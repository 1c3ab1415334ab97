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
 * operands' product, reversed. 128 bits are nine such products (Karatsuba, twice). All this is linear: of four blocks times
 * descending powers of H the lower products are summed, and the rest is done once.
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

/** Adds the lower 32 bits of a·b, operand by operand. */
static inline void multiply_add(uint32_t sums[GHASH_OPERANDS], const uint32_t a[GHASH_OPERANDS], const ghash_parts b) {
  for (int i = 0; i < GHASH_OPERANDS; i++) {
    uint32_t a0 = a[i] & 0x11111111, a1 = a[i] & 0x22222222, a2 = a[i] & 0x44444444, a3 = a[i] & 0x88888888;
    uint32_t b0 = b[0][i], b1 = b[1][i], b2 = b[2][i], b3 = b[3][i];
    sums[i] ^= (((a0 * b0) ^ (a1 * b3) ^ (a2 * b2) ^ (a3 * b1)) & 0x11111111) |
               (((a0 * b1) ^ (a1 * b0) ^ (a2 * b3) ^ (a3 * b2)) & 0x22222222) |
               (((a0 * b2) ^ (a1 * b1) ^ (a2 * b0) ^ (a3 * b3)) & 0x44444444) |
               (((a0 * b3) ^ (a1 * b2) ^ (a2 * b1) ^ (a3 * b0)) & 0x88888888);
  }
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

/** The field element that sums of `multiply_add` stand for. */
static inline struct element combine(const uint32_t sums[GHASH_OPERANDS]) {
  uint64_t p[GHASH_WORDS];
  for (int i = 0; i < GHASH_WORDS; i++) p[i] = (uint64_t)(reverse_bits(sums[GHASH_WORDS + i]) >> 1) << 32 | sums[i];
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

/** (hash + blocks[0])·H^count + … + blocks[count - 1]·H. */
static struct element add_blocks(const struct ghash_key *key, struct element hash, const uint8_t *blocks, int count) {
  uint32_t sums[GHASH_OPERANDS] = {0}, operands[GHASH_OPERANDS];
  for (int i = 0; i < count; i++) {
    struct element block = load_element(blocks + BLOCK_BYTES * i);
    for (int word = 0; i == 0 && word < 4; word++) block.w[word] ^= hash.w[word];
    spread(block, operands);
    multiply_add(sums, operands, key->powers[GHASH_BLOCKS - count + i]);
  }
  return combine(sums);
}

void GHASH(const struct ghash_key *key, const uint8_t *data, size_t n, uint8_t hash[BLOCK_BYTES]) {
  const size_t step = BLOCK_BYTES * GHASH_BLOCKS;
  struct element sum = {{0}};
  /* The last blocks: what is left, filled up with zeros, and the lengths. */
  uint8_t last[BLOCK_BYTES * (GHASH_BLOCKS + 1)] = {0};
  size_t rest = n % step, blocks = (rest + BLOCK_BYTES - 1) / BLOCK_BYTES;
  memcpy(last, data + (n - rest), rest);
  store32be(last + BLOCK_BYTES * blocks + 8, (uint32_t)((uint64_t)n >> 29));
  store32be(last + BLOCK_BYTES * blocks + 12, (uint32_t)n << 3);
  for (; n >= step; n -= step, data += step) sum = add_blocks(key, sum, data, GHASH_BLOCKS);
  if (blocks > 0) sum = add_blocks(key, sum, last, (int)blocks);
  sum = add_blocks(key, sum, last + BLOCK_BYTES * blocks, 1);
  for (int i = 0; i < 4; i++) store32be(hash + 4 * i, sum.w[3 - i]);
}

#ifndef GHASH_NEON
void ghash_key_set(struct ghash_key *key, const uint8_t h[BLOCK_BYTES]) {
  struct element power = load_element(h);
  for (int i = GHASH_BLOCKS - 1; i >= 0; i--) {
    uint32_t operands[GHASH_OPERANDS], sums[GHASH_OPERANDS] = {0};
    spread(power, operands);
    for (int part = 0; part < GHASH_PARTS; part++) {
      for (int o = 0; o < GHASH_OPERANDS; o++) key->powers[i][part][o] = operands[o] & 0x11111111u << part;
    }
    multiply_add(sums, operands, key->powers[GHASH_BLOCKS - 1]);
    power = combine(sums);
  }
}
#endif
