/*
 * AES-128-GCM (NIST SP 800-38D) in plain C, for processors without instructions for it: mbedTLS's AES block, and around it
 * counter mode and GHASH of our own, since mbedTLS looks GHASH up in tables that depend on the key.
 *
 * What is constant-time: GHASH and the comparison of tags. What is not: the AES block, which looks up tables (1.25 KiB) at
 * places that depend on key and counter. docs/threat-model.md says what that means, and what a bitsliced AES would cost.
 *
 * ## GHASH by integer multiplication
 * A carry-less product is an integer product whose carries are kept apart: each operand is split into four parts with every
 * fourth bit. Two parts' product has at most 8 ones to a position, which carry into the three unused bits above it only:
 *
 *   a   = a0 + a1 + a2 + a3       a0 = a & 0x11111111, a1 = a & 0x22222222, …
 *   a·b = Σ (ai × bj) over i + j ≡ k (mod 4), masked to the bits ≡ k, for k = 0 … 3
 *
 * Only the lower 32 bits of a product are taken, which is one instruction everywhere, and one for four products with NEON
 * (the compiler sees to that). The upper ones are the lower ones of the reversed operands' product, reversed. 128 bits are
 * nine such products (Karatsuba, twice).
 */
#include "aead_backend.h"

#include <stdlib.h>
#include <string.h>

#include "mbedtls/aes.h"
#include "mbedtls/platform_util.h"

#define BLOCK_BYTES 16
#define PARTS 4
/* Words that are multiplied for 128 bits: four, and sums of two and of four of them. */
#define WORDS 9
/* These and their reversals. */
#define OPERANDS (2 * WORDS)

struct mbedtls_state {
  mbedtls_aes_context aes;
  /* H, its operands' parts. */
  uint32_t h[PARTS][OPERANDS];
};

/* mbedTLS calls this for two words after every block: no call into the C library for that. */
void mbedtls_platform_zeroize(void *buffer, size_t n) {
  memset(buffer, 0, n);
  /* The compiler has to believe that somebody reads it. */
  __asm__ volatile("" : : "r"(buffer) : "memory");
}

/* ── GHASH ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/*
 * A field element: w[0] holds bytes 12..15 of the block. The bits come in reversed order (SP 800-38D 6.3), so the 255-bit
 * product of two comes out one bit too low: `reduce` shifts it.
 */
struct element {
  uint32_t w[4];
};

static inline uint32_t load_be32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void store_be32(uint8_t *p, uint32_t v) {
  p[0] = (uint8_t)(v >> 24);
  p[1] = (uint8_t)(v >> 16);
  p[2] = (uint8_t)(v >> 8);
  p[3] = (uint8_t)v;
}

static inline struct element load_element(const uint8_t *p) {
  return (struct element){{load_be32(p + 12), load_be32(p + 8), load_be32(p + 4), load_be32(p)}};
}

static inline uint32_t reverse_bits(uint32_t v) {
  v = (v & 0x55555555) << 1 | (v >> 1 & 0x55555555);
  v = (v & 0x33333333) << 2 | (v >> 2 & 0x33333333);
  v = (v & 0x0f0f0f0f) << 4 | (v >> 4 & 0x0f0f0f0f);
  return __builtin_bswap32(v);
}

/** The words that the multiplication of 128 bits multiplies, by Karatsuba's rule on halves and halves of them. */
static inline void spread(struct element a, uint32_t operands[OPERANDS]) {
  for (int reversed = 0; reversed <= 1; reversed++) {
    uint32_t *o = operands + reversed * WORDS;
    for (int i = 0; i < 4; i++) o[i] = reversed ? reverse_bits(a.w[i]) : a.w[i];
    o[4] = o[0] ^ o[1];
    o[5] = o[2] ^ o[3];
    o[6] = o[0] ^ o[2];
    o[7] = o[1] ^ o[3];
    o[8] = o[6] ^ o[7];
  }
}

/** Nine carry-less products of 32 bits. */
static inline void carryless(const uint32_t a[OPERANDS], const uint32_t b[PARTS][OPERANDS], uint64_t products[WORDS]) {
  uint32_t low[OPERANDS];
  for (int i = 0; i < OPERANDS; i++) {
    uint32_t a0 = a[i] & 0x11111111, a1 = a[i] & 0x22222222, a2 = a[i] & 0x44444444, a3 = a[i] & 0x88888888;
    uint32_t b0 = b[0][i], b1 = b[1][i], b2 = b[2][i], b3 = b[3][i];
    low[i] = (((a0 * b0) ^ (a1 * b3) ^ (a2 * b2) ^ (a3 * b1)) & 0x11111111) |
             (((a0 * b1) ^ (a1 * b0) ^ (a2 * b3) ^ (a3 * b2)) & 0x22222222) |
             (((a0 * b2) ^ (a1 * b1) ^ (a2 * b0) ^ (a3 * b3)) & 0x44444444) |
             (((a0 * b3) ^ (a1 * b2) ^ (a2 * b1) ^ (a3 * b0)) & 0x88888888);
  }
  for (int i = 0; i < WORDS; i++) products[i] = (uint64_t)(reverse_bits(low[WORDS + i]) >> 1) << 32 | low[i];
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
static inline struct element multiply(struct element a, const uint32_t h[PARTS][OPERANDS]) {
  uint32_t operands[OPERANDS];
  uint64_t p[WORDS];
  spread(a, operands);
  carryless(operands, h, p);
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

static struct element hash_block(const struct mbedtls_state *state, struct element hash, struct element block) {
  for (int i = 0; i < 4; i++) block.w[i] ^= hash.w[i];
  return multiply(block, state->h);
}

/** Hashes n bytes, the last block filled up with zeros. */
static struct element hash_bytes(const struct mbedtls_state *state, const uint8_t *data, size_t n) {
  struct element hash = {{0}};
  for (; n >= BLOCK_BYTES; n -= BLOCK_BYTES, data += BLOCK_BYTES) hash = hash_block(state, hash, load_element(data));
  if (n == 0) return hash;
  uint8_t last[BLOCK_BYTES] = {0};
  memcpy(last, data, n);
  return hash_block(state, hash, load_element(last));
}

/* ── GCM ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void encrypt_block(struct mbedtls_state *state, const uint8_t in[BLOCK_BYTES], uint8_t out[BLOCK_BYTES]) {
  mbedtls_internal_aes_encrypt(&state->aes, in, out);
}

/** Payload lies at any address: memcpy is one load where the processor can, a few where it cannot. */
static inline void xor_word(uint8_t *out, const uint8_t *a, const uint8_t *b) {
  uint32_t u, v;
  memcpy(&u, a, sizeof u);
  memcpy(&v, b, sizeof v);
  u ^= v;
  memcpy(out, &u, sizeof u);
}

/** `counter` is the block with number 1; the payload begins with number 2. */
static void counter_mode(struct mbedtls_state *state, uint8_t counter[BLOCK_BYTES], const uint8_t *in, size_t n,
                         uint8_t *out) {
  uint8_t stream[BLOCK_BYTES];
  for (uint32_t number = 2; n > 0; number++) {
    store_be32(counter + AEAD_NONCE_BYTES, number);
    encrypt_block(state, counter, stream);
    if (n < BLOCK_BYTES) {
      for (size_t i = 0; i < n; i++) out[i] = in[i] ^ stream[i];
      return;
    }
    for (int i = 0; i < BLOCK_BYTES; i += 4) xor_word(out + i, in + i, stream + i);
    in += BLOCK_BYTES;
    out += BLOCK_BYTES;
    n -= BLOCK_BYTES;
  }
}

/** The tag over n bytes of ciphertext. `counter` is the block with number 1. */
static void tag_of(struct mbedtls_state *state, const uint8_t counter[BLOCK_BYTES], const uint8_t *ciphertext, size_t n,
                   uint8_t tag[AEAD_TAG_BYTES]) {
  struct element hash = hash_bytes(state, ciphertext, n);
  uint64_t bits = (uint64_t)n * 8;
  hash = hash_block(state, hash, (struct element){{(uint32_t)bits, (uint32_t)(bits >> 32), 0, 0}});
  uint8_t mask[BLOCK_BYTES];
  encrypt_block(state, counter, mask);
  for (int i = 0; i < 4; i++) store_be32(tag + 4 * i, hash.w[3 - i] ^ load_be32(mask + 4 * i));
}

static void first_counter(const uint8_t *nonce, uint8_t counter[BLOCK_BYTES]) {
  memcpy(counter, nonce, AEAD_NONCE_BYTES);
  store_be32(counter + AEAD_NONCE_BYTES, 1);
}

static int mbedtls_seal(void *opaque, const uint8_t *nonce, const uint8_t *in, size_t n, uint8_t *out) {
  uint8_t counter[BLOCK_BYTES];
  first_counter(nonce, counter);
  uint8_t first[BLOCK_BYTES];
  memcpy(first, counter, sizeof first);
  counter_mode(opaque, counter, in, n, out);
  tag_of(opaque, first, out, n, out + n);
  return 0;
}

static int mbedtls_open(void *opaque, const uint8_t *nonce, const uint8_t *in, size_t n, uint8_t *out) {
  uint8_t counter[BLOCK_BYTES], tag[AEAD_TAG_BYTES], difference = 0;
  first_counter(nonce, counter);
  tag_of(opaque, counter, in, n, tag);
  for (int i = 0; i < AEAD_TAG_BYTES; i++) difference |= (uint8_t)(tag[i] ^ in[n + (size_t)i]);
  if (difference != 0) return -1;
  counter_mode(opaque, counter, in, n, out);
  return 0;
}

static void *mbedtls_create(const uint8_t key[AEAD_KEY_BYTES]) {
  struct mbedtls_state *state = calloc(1, sizeof *state);
  if (state == NULL) return NULL;
  mbedtls_aes_init(&state->aes);
  if (mbedtls_aes_setkey_enc(&state->aes, key, 8 * AEAD_KEY_BYTES) != 0) {
    free(state);
    return NULL;
  }
  uint8_t h[BLOCK_BYTES] = {0};
  uint32_t operands[OPERANDS];
  encrypt_block(state, h, h);
  spread(load_element(h), operands);
  for (int part = 0; part < PARTS; part++) {
    for (int i = 0; i < OPERANDS; i++) state->h[part][i] = operands[i] & 0x11111111u << part;
  }
  mbedtls_platform_zeroize(h, sizeof h);
  mbedtls_platform_zeroize(operands, sizeof operands);
  return state;
}

static void mbedtls_destroy(void *state) {
  mbedtls_platform_zeroize(state, sizeof(struct mbedtls_state));
  free(state);
}

const struct aead_backend aead_mbedtls = {"mbedtls", mbedtls_create, mbedtls_destroy, mbedtls_seal, mbedtls_open};
