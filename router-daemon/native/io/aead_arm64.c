/*
 * AES-128-GCM (NIST SP 800-38D) with the Cryptographic Extension of ARMv8 (AESE, AESMC, PMULL), 8 blocks at a time. Not every
 * 64-bit ARM has it (the Raspberry Pi up to 4 does not): the kernel is asked.
 *
 * ## GHASH
 * GHASH numbers bits from the highest of the first byte on. RBIT turns each byte round, and then bit i of the register is the
 * coefficient of x^i: products come out as they should, and x^128 = x^7 + x^2 + x + 1 = 0x87 is all there is to reduce by.
 * Eight blocks are multiplied by descending powers of H, the products summed unreduced, and reduced once:
 *
 *   acc' = (acc + b0)·H^8 + b1·H^7 + … + b7·H^1
 *
 * Everything depends on lengths only, never on the data: no tables, no branches.
 */
#include "aead_backend.h"

#if defined(__aarch64__) && defined(__ARM_NEON) && !defined(__ARM_BIG_ENDIAN)

#include <arm_neon.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

/* Bits of AT_HWCAP (Linux, asm/hwcap.h). */
#define HWCAP_BIT_AES (1ul << 3)
#define HWCAP_BIT_PMULL (1ul << 4)

#define ROUNDS 10
#define MAX_POWER 8

#define TARGET __attribute__((target("+crypto")))
#define INLINE static inline __attribute__((always_inline))

typedef uint8x16_t vector;

struct gcm {
  vector keys[ROUNDS + 1];
  /* [0] = H^8 … [7] = H^1: n blocks use the last n. `folded` holds the xor of both halves (Karatsuba). */
  vector powers[MAX_POWER];
  vector folded[MAX_POWER];
};

/** An unreduced sum of products. */
struct sum {
  vector low, middle, high;
};

TARGET INLINE vector zero(void) { return vdupq_n_u8(0); }

TARGET INLINE vector swap_halves(vector v) { return vextq_u8(v, v, 8); }

/** The lower halves' carry-less product. */
TARGET INLINE vector multiply_low(vector a, vector b) {
  return vreinterpretq_u8_p128(vmull_p64((poly64_t)vgetq_lane_u64(vreinterpretq_u64_u8(a), 0),
                                         (poly64_t)vgetq_lane_u64(vreinterpretq_u64_u8(b), 0)));
}

TARGET INLINE vector multiply_high(vector a, vector b) {
  return vreinterpretq_u8_p128(vmull_high_p64(vreinterpretq_p64_u8(a), vreinterpretq_p64_u8(b)));
}

TARGET INLINE struct sum zero_sum(void) { return (struct sum){zero(), zero(), zero()}; }

TARGET INLINE void multiply(struct sum *sum, vector block, vector power, vector folded) {
  sum->low = veorq_u8(sum->low, multiply_low(block, power));
  sum->high = veorq_u8(sum->high, multiply_high(block, power));
  sum->middle = veorq_u8(sum->middle, multiply_low(veorq_u8(block, swap_halves(block)), folded));
}

/** The upper 128 bits, 64 at a time from the top, come down multiplied by 0x87. */
TARGET INLINE vector reduce(struct sum sum) {
  const vector polynomial = vreinterpretq_u8_u64(vdupq_n_u64(0x87));
  vector middle = veorq_u8(sum.middle, veorq_u8(sum.low, sum.high));
  vector low = veorq_u8(sum.low, vextq_u8(zero(), middle, 8));
  vector high = veorq_u8(sum.high, vextq_u8(middle, zero(), 8));
  vector top = multiply_high(high, polynomial);
  low = veorq_u8(low, vextq_u8(zero(), top, 8));
  high = veorq_u8(high, vextq_u8(top, zero(), 8));
  return veorq_u8(low, multiply_low(high, polynomial));
}

/** Adds `count` <= 8 blocks to the hash. */
TARGET INLINE vector hash_blocks(const struct gcm *gcm, vector hash, const uint8_t *data, int count) {
  struct sum sum = zero_sum();
  for (int i = 0; i < count; i++) {
    vector block = vrbitq_u8(vld1q_u8(data + 16 * i));
    if (i == 0) block = veorq_u8(block, hash);
    multiply(&sum, block, gcm->powers[MAX_POWER - count + i], gcm->folded[MAX_POWER - count + i]);
  }
  return reduce(sum);
}

TARGET INLINE vector encrypt_block(const struct gcm *gcm, vector block) {
  for (int round = 0; round < ROUNDS - 1; round++) block = vaesmcq_u8(vaeseq_u8(block, gcm->keys[round]));
  return veorq_u8(vaeseq_u8(block, gcm->keys[ROUNDS - 1]), gcm->keys[ROUNDS]);
}

/** Counters are kept with their words the other way round, so that the last one is a number; this is the block. */
TARGET INLINE vector counter_block(vector counter) { return vrev32q_u8(counter); }

TARGET INLINE vector next_counter(vector counter) {
  const uint32x4_t one = vsetq_lane_u32(1, vdupq_n_u32(0), 3);
  return vreinterpretq_u8_u32(vaddq_u32(vreinterpretq_u32_u8(counter), one));
}

/**
 * 8 blocks of counter mode, and meanwhile the hash of 8 blocks of ciphertext at `hashed` (NULL = none): one block's
 * multiplication after each of the first rounds, so that both units of the processor have work.
 */
TARGET INLINE vector crypt_8(const struct gcm *gcm, vector *counter, const uint8_t *in, uint8_t *out, vector hash,
                             const uint8_t *hashed) {
  vector state[8];
  struct sum sum = zero_sum();
  for (int i = 0; i < 8; i++) {
    state[i] = counter_block(*counter);
    *counter = next_counter(*counter);
  }
  for (int round = 0; round < ROUNDS - 1; round++) {
    /* Side by side: many processors do the two as one. */
    for (int i = 0; i < 8; i++) state[i] = vaesmcq_u8(vaeseq_u8(state[i], gcm->keys[round]));
    if (hashed == NULL || round >= 8) continue;
    vector block = vrbitq_u8(vld1q_u8(hashed + 16 * round));
    if (round == 0) block = veorq_u8(block, hash);
    multiply(&sum, block, gcm->powers[round], gcm->folded[round]);
  }
  for (int i = 0; i < 8; i++) {
    vector stream = veorq_u8(vaeseq_u8(state[i], gcm->keys[ROUNDS - 1]), gcm->keys[ROUNDS]);
    vst1q_u8(out + 16 * i, veorq_u8(stream, vld1q_u8(in + 16 * i)));
  }
  return hashed == NULL ? hash : reduce(sum);
}

#include "aead_eight.h"

TARGET INLINE vector crypt(const struct gcm *gcm, const uint8_t *nonce, const uint8_t *in, size_t n, uint8_t *out,
                           int sealing) {
  uint8_t block[16] = {0};
  memcpy(block, nonce, AEAD_NONCE_BYTES);
  block[15] = 1;
  vector first = vrev32q_u8(vld1q_u8(block));
  vector hash = crypt_rest(gcm, zero(), next_counter(first), in, n, out, sealing);
  /* The block of lengths, turned round like all others: nothing authenticated only, n bytes of ciphertext. */
  uint64x2_t lengths = vsetq_lane_u64(__builtin_bswap64((uint64_t)n * 8), vdupq_n_u64(0), 1);
  struct sum sum = zero_sum();
  multiply(&sum, veorq_u8(hash, vrbitq_u8(vreinterpretq_u8_u64(lengths))), gcm->powers[MAX_POWER - 1],
           gcm->folded[MAX_POWER - 1]);
  return veorq_u8(vrbitq_u8(reduce(sum)), encrypt_block(gcm, counter_block(first)));
}

/* ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** The S-box on four bytes: AESE also moves bytes between columns, which makes no difference where all columns are equal. */
TARGET INLINE uint32_t substitute(uint32_t word) {
  vector columns = vreinterpretq_u8_u32(vdupq_n_u32(word));
  return vgetq_lane_u32(vreinterpretq_u32_u8(vaeseq_u8(columns, zero())), 0);
}

TARGET static void expand(struct gcm *gcm, const uint8_t *key) {
  static const uint8_t constants[ROUNDS] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36};
  uint32_t words[4];
  memcpy(words, key, sizeof words);
  gcm->keys[0] = vreinterpretq_u8_u32(vld1q_u32(words));
  for (int round = 0; round < ROUNDS; round++) {
    uint32_t last = substitute(words[3]);
    words[0] ^= (last >> 8 | last << 24) ^ constants[round];
    for (int i = 1; i < 4; i++) words[i] ^= words[i - 1];
    gcm->keys[round + 1] = vreinterpretq_u8_u32(vld1q_u32(words));
  }
  explicit_bzero(words, sizeof words);
  vector h = vrbitq_u8(encrypt_block(gcm, zero())), folded = veorq_u8(h, swap_halves(h)), power = h;
  for (int i = MAX_POWER - 1; i >= 0; i--) {
    gcm->powers[i] = power;
    gcm->folded[i] = veorq_u8(power, swap_halves(power));
    struct sum sum = zero_sum();
    multiply(&sum, power, h, folded);
    power = reduce(sum);
  }
}

static void *arm64_create(const uint8_t key[AEAD_KEY_BYTES]) {
  const unsigned long wanted = HWCAP_BIT_AES | HWCAP_BIT_PMULL;
  if ((getauxval(AT_HWCAP) & wanted) != wanted) return NULL;
  struct gcm *gcm = aligned_alloc(64, (sizeof *gcm + 63) & ~(size_t)63);
  if (gcm != NULL) expand(gcm, key);
  return gcm;
}

static void arm64_destroy(void *state) {
  /* Not memset: the compiler may leave that out before free. */
  explicit_bzero(state, sizeof(struct gcm));
  free(state);
}

TARGET static int arm64_seal(void *state, const uint8_t *nonce, const uint8_t *in, size_t n, uint8_t *out) {
  vst1q_u8(out + n, crypt(state, nonce, in, n, out, 1));
  return 0;
}

TARGET static int arm64_open(void *state, const uint8_t *nonce, const uint8_t *in, size_t n, uint8_t *out) {
  vector difference = veorq_u8(crypt(state, nonce, in, n, out, 0), vld1q_u8(in + n));
  return vmaxvq_u8(difference) == 0 ? 0 : -1;
}

const struct aead_backend aead_arm64 = {"arm64", arm64_create, arm64_destroy, arm64_seal, arm64_open};

#else

static void *none_create(const uint8_t key[AEAD_KEY_BYTES]) {
  (void)key;
  return NULL;
}

const struct aead_backend aead_arm64 = {.name = "arm64", .create = none_create};

#endif
