/*
 * AES-128-GCM (NIST SP 800-38D) with the processor's AES and carry-less multiplication: 8 blocks at a time with AES-NI and
 * PCLMULQDQ, 16 where there are VAES and VPCLMULQDQ. OpenSSL's own routine for packets of this size spends most of its
 * time outside the cipher; and a router without OpenSSL has this one.
 *
 * ## GHASH, the part that is not obvious
 * GHASH numbers bits the other way round than the processor. Blocks are byte-swapped when loaded; what remains is that a
 * carry-less product of two reversed numbers comes out one bit too low. So H is shifted up by that bit once and for all
 * ("powers" below hold H^i shifted, reduced by the reversed polynomial x^128 + x^127 + x^126 + x^121 + 1).
 * Eight (sixteen) blocks are multiplied by descending powers, the products summed unreduced, and reduced once:
 *
 *   acc' = (acc + b0)·H^8 + b1·H^7 + … + b7·H^1
 *
 * Everything depends on lengths only, never on the data: no tables, no branches.
 */
#include "aead_backend.h"

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__clang__) || __GNUC__ >= 8)

#include <cpuid.h>
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

/* Leaf 1, ecx. */
#define CPUID_PCLMULQDQ (1u << 1)
#define CPUID_SSE41 (1u << 19)
#define CPUID_AES (1u << 25)
#define CPUID_OSXSAVE (1u << 27)
/* Leaf 7, ebx. */
#define CPUID_AVX2 (1u << 5)
/* Leaf 7, ecx. */
#define CPUID_VAES (1u << 9)
#define CPUID_VPCLMULQDQ (1u << 10)
/* XCR0: the system saves 128-bit and 256-bit registers. */
#define XCR0_WIDE 6u

#define ROUNDS 10
#define MAX_POWER 16
#define WIDE_BLOCKS 16

#define NARROW __attribute__((target("aes,pclmul,sse4.1")))
#define WIDE __attribute__((target("aes,pclmul,sse4.1,avx2,vaes,vpclmulqdq")))
#define INLINE static inline __attribute__((always_inline))

/* What aead_eight.h asks for. */
#define TARGET NARROW
typedef __m128i vector;

struct gcm {
  __m128i keys[ROUNDS + 1];
  /* [0] = H^16 … [15] = H^1: n blocks use the last n. `folded` holds the xor of both halves (Karatsuba). */
  __m128i powers[MAX_POWER];
  __m128i folded[MAX_POWER];
  int wide;
};

/** An unreduced sum of products. */
struct sum {
  __m128i low, middle, high;
};

NARROW INLINE __m128i reverse(__m128i block) {
  return _mm_shuffle_epi8(block, _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

NARROW INLINE __m128i swap_halves(__m128i v) { return _mm_shuffle_epi32(v, 0x4e); }

NARROW INLINE __m128i load(const uint8_t *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }

NARROW INLINE void store(uint8_t *p, __m128i v) { _mm_storeu_si128((__m128i *)(void *)p, v); }

NARROW INLINE void multiply(struct sum *sum, __m128i block, __m128i power, __m128i folded) {
  sum->low = _mm_xor_si128(sum->low, _mm_clmulepi64_si128(block, power, 0x00));
  sum->high = _mm_xor_si128(sum->high, _mm_clmulepi64_si128(block, power, 0x11));
  block = _mm_xor_si128(block, swap_halves(block));
  sum->middle = _mm_xor_si128(sum->middle, _mm_clmulepi64_si128(block, folded, 0x00));
}

/** Two steps, each removes the lowest 64 bits by adding a multiple of the reversed polynomial. */
NARROW INLINE __m128i reduce(struct sum sum) {
  const __m128i polynomial = _mm_set_epi64x(0, (long long)0xc200000000000000ull);
  __m128i middle = _mm_xor_si128(sum.middle, _mm_xor_si128(sum.low, sum.high));
  __m128i low = _mm_xor_si128(sum.low, _mm_slli_si128(middle, 8));
  __m128i high = _mm_xor_si128(sum.high, _mm_srli_si128(middle, 8));
  low = _mm_xor_si128(swap_halves(low), _mm_clmulepi64_si128(low, polynomial, 0x00));
  low = _mm_xor_si128(swap_halves(low), _mm_clmulepi64_si128(low, polynomial, 0x00));
  return _mm_xor_si128(high, low);
}

NARROW INLINE struct sum zero_sum(void) {
  return (struct sum){_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};
}

/** Adds `count` <= 16 blocks to the hash. */
NARROW INLINE __m128i hash_blocks(const struct gcm *gcm, __m128i hash, const uint8_t *data, int count) {
  struct sum sum = zero_sum();
  for (int i = 0; i < count; i++) {
    __m128i block = reverse(load(data + 16 * i));
    if (i == 0) block = _mm_xor_si128(block, hash);
    multiply(&sum, block, gcm->powers[MAX_POWER - count + i], gcm->folded[MAX_POWER - count + i]);
  }
  return reduce(sum);
}

NARROW INLINE __m128i encrypt_block(const struct gcm *gcm, __m128i block) {
  block = _mm_xor_si128(block, gcm->keys[0]);
  for (int round = 1; round < ROUNDS; round++) block = _mm_aesenc_si128(block, gcm->keys[round]);
  return _mm_aesenclast_si128(block, gcm->keys[ROUNDS]);
}

/**
 * 8 blocks of counter mode, and meanwhile the hash of 8 blocks of ciphertext at `hashed` (NULL = none): one block's
 * multiplication after each of the first rounds, so that both units of the processor have work. `counter` is reversed: its
 * number is the lowest 32 bits.
 */
NARROW INLINE __m128i crypt_8(const struct gcm *gcm, __m128i *counter, const uint8_t *in, uint8_t *out, __m128i hash,
                              const uint8_t *hashed) {
  const __m128i *powers = gcm->powers + MAX_POWER - 8, *folded = gcm->folded + MAX_POWER - 8;
  __m128i state[8];
  struct sum sum = zero_sum();
  for (int i = 0; i < 8; i++) {
    state[i] = _mm_xor_si128(reverse(*counter), gcm->keys[0]);
    *counter = _mm_add_epi32(*counter, _mm_set_epi32(0, 0, 0, 1));
  }
  for (int round = 1; round < ROUNDS; round++) {
    for (int i = 0; i < 8; i++) state[i] = _mm_aesenc_si128(state[i], gcm->keys[round]);
    if (hashed == NULL || round > 8) continue;
    __m128i block = reverse(load(hashed + 16 * (round - 1)));
    if (round == 1) block = _mm_xor_si128(block, hash);
    multiply(&sum, block, powers[round - 1], folded[round - 1]);
  }
  for (int i = 0; i < 8; i++) {
    __m128i stream = _mm_aesenclast_si128(state[i], gcm->keys[ROUNDS]);
    store(out + 16 * i, _mm_xor_si128(stream, load(in + 16 * i)));
  }
  return hashed == NULL ? hash : reduce(sum);
}

#include "aead_eight.h"

NARROW INLINE __m128i tag_of(const struct gcm *gcm, __m128i hash, __m128i first, size_t n) {
  struct sum sum = zero_sum();
  __m128i lengths = _mm_set_epi64x(0, (long long)n * 8);
  multiply(&sum, _mm_xor_si128(hash, lengths), gcm->powers[MAX_POWER - 1], gcm->folded[MAX_POWER - 1]);
  return _mm_xor_si128(reverse(reduce(sum)), encrypt_block(gcm, reverse(first)));
}

/** The counter block with number 1, reversed. */
NARROW INLINE __m128i first_counter(const uint8_t *nonce) {
  uint8_t block[16] = {0};
  memcpy(block, nonce, AEAD_NONCE_BYTES);
  block[15] = 1;
  return reverse(load(block));
}

NARROW static __m128i crypt_narrow(const struct gcm *gcm, const uint8_t *nonce, const uint8_t *in, size_t n,
                                   uint8_t *out, int sealing) {
  __m128i first = first_counter(nonce);
  __m128i counter = _mm_add_epi32(first, _mm_set_epi32(0, 0, 0, 1));
  __m128i hash = sealing ? crypt_rest(gcm, _mm_setzero_si128(), counter, in, n, out, 1)
                         : crypt_rest(gcm, _mm_setzero_si128(), counter, in, n, out, 0);
  return tag_of(gcm, hash, first, n);
}

/* ── two blocks to a register ─────────────────────────────────────────────────────────────────────────────────── */

WIDE INLINE __m256i load_wide(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }

WIDE INLINE __m256i reverse_wide(__m256i blocks) {
  return _mm256_shuffle_epi8(blocks, _mm256_broadcastsi128_si256(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
                                                                              13, 14, 15)));
}

/**
 * 16 blocks of counter mode, and meanwhile the hash of 16 blocks of ciphertext at `hashed` (NULL = none yet): one
 * register's multiplication after each of the first rounds.
 */
WIDE INLINE __m128i crypt_16(const struct gcm *gcm, __m256i *counter, const uint8_t *in, uint8_t *out, __m128i hash,
                             const uint8_t *hashed) {
  const __m256i two = _mm256_set_epi32(0, 0, 0, 2, 0, 0, 0, 2);
  __m256i state[8], low = _mm256_setzero_si256(), middle = low, high = low;
  __m256i key = _mm256_broadcastsi128_si256(gcm->keys[0]);
  for (int i = 0; i < 8; i++) {
    state[i] = _mm256_xor_si256(reverse_wide(*counter), key);
    *counter = _mm256_add_epi32(*counter, two);
  }
  for (int round = 1; round < ROUNDS; round++) {
    key = _mm256_broadcastsi128_si256(gcm->keys[round]);
    for (int i = 0; i < 8; i++) state[i] = _mm256_aesenc_epi128(state[i], key);
    if (hashed == NULL || round > 8) continue;
    int pair = round - 1;
    __m256i blocks = reverse_wide(load_wide(hashed + 32 * pair));
    if (pair == 0) blocks = _mm256_xor_si256(blocks, _mm256_zextsi128_si256(hash));
    __m256i power = load_wide(&gcm->powers[2 * pair]);
    low = _mm256_xor_si256(low, _mm256_clmulepi64_epi128(blocks, power, 0x00));
    high = _mm256_xor_si256(high, _mm256_clmulepi64_epi128(blocks, power, 0x11));
    blocks = _mm256_xor_si256(blocks, _mm256_shuffle_epi32(blocks, 0x4e));
    middle = _mm256_xor_si256(middle, _mm256_clmulepi64_epi128(blocks, load_wide(&gcm->folded[2 * pair]), 0x00));
  }
  key = _mm256_broadcastsi128_si256(gcm->keys[ROUNDS]);
  for (int i = 0; i < 8; i++) {
    __m256i stream = _mm256_aesenclast_epi128(state[i], key);
    _mm256_storeu_si256((__m256i *)(void *)(out + 32 * i), _mm256_xor_si256(stream, load_wide(in + 32 * i)));
  }
  if (hashed == NULL) return hash;
  return reduce((struct sum){
      _mm_xor_si128(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1)),
      _mm_xor_si128(_mm256_castsi256_si128(middle), _mm256_extracti128_si256(middle, 1)),
      _mm_xor_si128(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1)),
  });
}

WIDE static __m128i crypt_wide(const struct gcm *gcm, const uint8_t *nonce, const uint8_t *in, size_t n, uint8_t *out,
                               int sealing) {
  const size_t step = 16 * WIDE_BLOCKS;
  __m128i first = first_counter(nonce), hash = _mm_setzero_si128();
  __m256i counter = _mm256_add_epi32(_mm256_broadcastsi128_si256(first), _mm256_set_epi32(0, 0, 0, 2, 0, 0, 0, 1));
  size_t at = 0;
  if (sealing && n >= step) {
    crypt_16(gcm, &counter, in, out, hash, NULL);
    for (at = step; at + step <= n; at += step) {
      hash = crypt_16(gcm, &counter, in + at, out + at, hash, out + at - step);
    }
    hash = hash_blocks(gcm, hash, out + at - step, WIDE_BLOCKS);
  } else if (!sealing) {
    for (; at + step <= n; at += step) hash = crypt_16(gcm, &counter, in + at, out + at, hash, in + at);
  }
  hash = crypt_rest(gcm, hash, _mm256_castsi256_si128(counter), in + at, n - at, out + at, sealing);
  return tag_of(gcm, hash, first, n);
}

/* ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

NARROW INLINE __m128i next_key(__m128i key, __m128i assist) {
  assist = _mm_shuffle_epi32(assist, 0xff);
  key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
  key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
  return _mm_xor_si128(key, assist);
}

NARROW static void expand(struct gcm *gcm, const uint8_t *key) {
  __m128i *k = gcm->keys;
  k[0] = load(key);
/* The round constant is part of the instruction. */
#define NEXT(i, constant) k[i] = next_key(k[i - 1], _mm_aeskeygenassist_si128(k[i - 1], constant))
  NEXT(1, 0x01);
  NEXT(2, 0x02);
  NEXT(3, 0x04);
  NEXT(4, 0x08);
  NEXT(5, 0x10);
  NEXT(6, 0x20);
  NEXT(7, 0x40);
  NEXT(8, 0x80);
  NEXT(9, 0x1b);
  NEXT(10, 0x36);
#undef NEXT
  /* H shifted up by one bit; what falls out at the top comes back as the reversed polynomial. */
  __m128i h = reverse(encrypt_block(gcm, _mm_setzero_si128()));
  __m128i top = _mm_srai_epi32(_mm_shuffle_epi32(h, 0xff), 31);
  __m128i carry = _mm_slli_si128(_mm_srli_epi64(h, 63), 8);
  h = _mm_or_si128(_mm_slli_epi64(h, 1), carry);
  h = _mm_xor_si128(h, _mm_and_si128(top, _mm_set_epi64x((long long)0xc200000000000000ull, 1)));
  __m128i folded = _mm_xor_si128(h, swap_halves(h));
  __m128i power = h;
  for (int i = MAX_POWER - 1; i >= 0; i--) {
    gcm->powers[i] = power;
    gcm->folded[i] = _mm_xor_si128(power, swap_halves(power));
    struct sum sum = zero_sum();
    multiply(&sum, power, h, folded);
    power = reduce(sum);
  }
}

/*
 * The processor is asked directly: compilers differ in the names they know (VAES), and in whether __builtin_cpu_supports can
 * be linked into a static program.
 */
static int has_narrow(void) {
  const unsigned wanted = CPUID_AES | CPUID_PCLMULQDQ | CPUID_SSE41;
  unsigned a, b, c = 0, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & wanted) == wanted;
}

static int has_wide(void) {
  unsigned a, b, c = 0, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & CPUID_OSXSAVE) == 0) return 0;
  unsigned saved, high;
  __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
  if ((saved & XCR0_WIDE) != XCR0_WIDE) return 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & CPUID_AVX2) != 0 && (c & CPUID_VAES) != 0 &&
         (c & CPUID_VPCLMULQDQ) != 0;
}

static void *narrow_create(const uint8_t key[AEAD_KEY_BYTES]) {
  if (!has_narrow()) return NULL;
  struct gcm *gcm = aligned_alloc(64, (sizeof *gcm + 63) & ~(size_t)63);
  if (gcm == NULL) return NULL;
  expand(gcm, key);
  gcm->wide = 0;
  return gcm;
}

static void *wide_create(const uint8_t key[AEAD_KEY_BYTES]) {
  struct gcm *gcm = narrow_create(key);
  if (gcm != NULL) gcm->wide = has_wide();
  return gcm;
}

static void x86_destroy(void *state) {
  /* Not memset: the compiler may leave that out before free. */
  explicit_bzero(state, sizeof(struct gcm));
  free(state);
}

NARROW static int x86_seal(void *state, const uint8_t *nonce, const uint8_t *in, size_t n, uint8_t *out) {
  const struct gcm *gcm = state;
  store(out + n, gcm->wide ? crypt_wide(gcm, nonce, in, n, out, 1) : crypt_narrow(gcm, nonce, in, n, out, 1));
  return 0;
}

NARROW static int x86_open(void *state, const uint8_t *nonce, const uint8_t *in, size_t n, uint8_t *out) {
  const struct gcm *gcm = state;
  __m128i tag = gcm->wide ? crypt_wide(gcm, nonce, in, n, out, 0) : crypt_narrow(gcm, nonce, in, n, out, 0);
  return _mm_movemask_epi8(_mm_cmpeq_epi8(tag, load(in + n))) == 0xffff ? 0 : -1;
}

const struct aead_backend aead_x86 = {"x86", wide_create, x86_destroy, x86_seal, x86_open};
const struct aead_backend aead_x86_narrow = {"x86-narrow", narrow_create, x86_destroy, x86_seal, x86_open};

#else

static void *none_create(const uint8_t key[AEAD_KEY_BYTES]) {
  (void)key;
  return NULL;
}

const struct aead_backend aead_x86 = {.name = "x86", .create = none_create};
const struct aead_backend aead_x86_narrow = {.name = "x86-narrow", .create = none_create};

#endif
