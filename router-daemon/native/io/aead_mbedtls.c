/*
 * AES-128-GCM (NIST SP 800-38D) in plain C, for processors without instructions for it: mbedTLS's AES block, and around it
 * counter mode and GHASH of our own (aead_ghash.c), since mbedTLS looks GHASH up in tables that depend on the key.
 *
 * What is constant-time: GHASH and the comparison of tags. What is not: the AES block, which looks up tables (1.25 KiB) at
 * places that depend on key and counter. docs/threat-model.md says what that means, and what a bitsliced AES would cost.
 */
#include "aead_backend.h"
#include "aead_ghash.h"
#include "bytes.h"

#include <stdlib.h>
#include <sys/auxv.h>

#include "mbedtls/aes.h"
#include "mbedtls/platform_util.h"

#define BLOCK_BYTES 16
/* 32-bit ARM (Linux, asm/hwcap.h). */
#define HWCAP_BIT_NEON (1ul << 12)

struct mbedtls_state {
  mbedtls_aes_context aes;
  struct ghash_key hash_key;
  ghash_fn *hash;
};

/* mbedTLS calls this for two words after every block: no call into the C library for that. */
void mbedtls_platform_zeroize(void *buffer, size_t n) {
  memset(buffer, 0, n);
  /* The compiler has to believe that somebody reads it. */
  __asm__ volatile("" : : "r"(buffer) : "memory");
}

static void encrypt_block(struct mbedtls_state *state, const uint8_t in[BLOCK_BYTES], uint8_t out[BLOCK_BYTES]) {
  mbedtls_internal_aes_encrypt(&state->aes, in, out);
}

static inline void xor_word(uint8_t *out, const uint8_t *a, const uint8_t *b) {
  uint32_t word = load32(a) ^ load32(b);
  memcpy(out, &word, sizeof word);
}

/** The counter block with this number. Number 1 masks the tag, the payload begins with 2. */
static void set_counter(uint8_t counter[BLOCK_BYTES], const uint8_t *nonce, uint32_t number) {
  memcpy(counter, nonce, AEAD_NONCE_BYTES);
  store32be(counter + AEAD_NONCE_BYTES, number);
}

static void counter_mode(struct mbedtls_state *state, const uint8_t *nonce, const uint8_t *in, size_t n, uint8_t *out) {
  uint8_t counter[BLOCK_BYTES], stream[BLOCK_BYTES];
  for (uint32_t number = 2; n > 0; number++) {
    set_counter(counter, nonce, number);
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

static void tag_of(struct mbedtls_state *state, const uint8_t *nonce, const uint8_t *ciphertext, size_t n,
                   uint8_t tag[AEAD_TAG_BYTES]) {
  uint8_t counter[BLOCK_BYTES], mask[BLOCK_BYTES], hash[BLOCK_BYTES];
  state->hash(&state->hash_key, ciphertext, n, hash);
  set_counter(counter, nonce, 1);
  encrypt_block(state, counter, mask);
  for (int i = 0; i < AEAD_TAG_BYTES; i++) tag[i] = hash[i] ^ mask[i];
}

static int mbedtls_seal(void *state, const uint8_t *nonce, const uint8_t *in, size_t n, uint8_t *out) {
  counter_mode(state, nonce, in, n, out);
  tag_of(state, nonce, out, n, out + n);
  return 0;
}

static int mbedtls_open(void *state, const uint8_t *nonce, const uint8_t *in, size_t n, uint8_t *out) {
  uint8_t tag[AEAD_TAG_BYTES], difference = 0;
  tag_of(state, nonce, in, n, tag);
  for (size_t i = 0; i < AEAD_TAG_BYTES; i++) difference |= (uint8_t)(tag[i] ^ in[n + i]);
  if (difference != 0) return -1;
  counter_mode(state, nonce, in, n, out);
  return 0;
}

static ghash_fn *best_hash(void) {
#ifdef AEAD_NEON
  if (getauxval(AT_HWCAP) & HWCAP_BIT_NEON) return ghash_neon;
#endif
  return ghash;
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
  encrypt_block(state, h, h);
  ghash_key_set(&state->hash_key, h);
  mbedtls_platform_zeroize(h, sizeof h);
  state->hash = best_hash();
  return state;
}

static void mbedtls_destroy(void *state) {
  mbedtls_platform_zeroize(state, sizeof(struct mbedtls_state));
  free(state);
}

const struct aead_backend aead_mbedtls = {"mbedtls", mbedtls_create, mbedtls_destroy, mbedtls_seal, mbedtls_open};
