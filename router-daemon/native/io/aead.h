/*
 * AES-128-GCM as the peer packets use it (links.md 5.3): no associated data, 12-byte nonce, 16-byte tag.
 * The only door between the core and cryptography: aead.c picks the best backend that works here.
 */
#ifndef KCP_ROUTER_AEAD_H
#define KCP_ROUTER_AEAD_H

#include <stddef.h>
#include <stdint.h>

#define AEAD_KEY_BYTES 16
#define AEAD_NONCE_BYTES 12
#define AEAD_TAG_BYTES 16

struct aead;

/** NULL when no backend works here. The best one that does is taken, or the `preferred` one if it does (NULL = none). */
struct aead *aead_new(const uint8_t key[AEAD_KEY_BYTES], const char *preferred);
/** "x86", "x86-narrow", "arm64", "openssl" or "mbedtls". */
const char *aead_name(const struct aead *aead);
/** Which of the last two this build has for processors without instructions of their own. */
const char *aead_library(void);
void aead_free(struct aead *aead);
/** Writes n bytes of ciphertext and the tag behind it; `out` does not overlap `in`. 0, or -1 when the library fails. */
int aead_seal(struct aead *aead, const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *in, size_t n, uint8_t *out);
/** `in` is n bytes of ciphertext and the tag; writes n bytes. -1 when the tag is wrong: `out` is then garbage. */
int aead_open(struct aead *aead, const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *in, size_t n, uint8_t *out);

#endif
