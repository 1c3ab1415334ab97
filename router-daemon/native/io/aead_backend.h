/* What an implementation of AES-128-GCM gives to aead.c, which picks one at run time. */
#ifndef KCP_ROUTER_AEAD_BACKEND_H
#define KCP_ROUTER_AEAD_BACKEND_H

#include "aead.h"

struct aead_backend {
  const char *name;
  /** The keyed state, NULL when this machine or process cannot. */
  void *(*create)(const uint8_t key[AEAD_KEY_BYTES]);
  /** Wipes and frees it. */
  void (*destroy)(void *state);
  int (*seal)(void *state, const uint8_t *nonce, const uint8_t *in, size_t n, uint8_t *out);
  int (*open)(void *state, const uint8_t *nonce, const uint8_t *in, size_t n, uint8_t *out);
};

/** AES-NI and PCLMULQDQ, twice as wide where the processor has VAES. Never available on other machines. */
extern const struct aead_backend aead_x86;
/** The same, never with VAES. */
extern const struct aead_backend aead_x86_narrow;
/** The Cryptographic Extension of ARMv8. Never available on other machines. */
extern const struct aead_backend aead_arm64;

/* A build has one of these two, for machines that have none of the above. */
/** OpenSSL's EVP, as found in the process. */
extern const struct aead_backend aead_evp;
/** mbedTLS's AES, linked in. */
extern const struct aead_backend aead_mbedtls;

#endif
