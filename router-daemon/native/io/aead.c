#include "aead.h"

#include "aead_backend.h"

#include <stdlib.h>
#include <string.h>

struct aead {
  const struct aead_backend *backend;
  void *state;
};

/* The library this build falls back to: the one in Node's process, or our own in a static executable (Makefile). */
#ifdef AEAD_MBEDTLS
#define LIBRARY aead_mbedtls
#else
#define LIBRARY aead_evp
#endif

/* Best first. */
static const struct aead_backend *const BACKENDS[] = {&aead_x86, &aead_x86_narrow, &aead_arm64, &LIBRARY};
#define BACKEND_COUNT (sizeof BACKENDS / sizeof *BACKENDS)

struct aead *aead_new(const uint8_t key[AEAD_KEY_BYTES], const char *preferred) {
  struct aead *aead = calloc(1, sizeof *aead);
  if (aead == NULL) return NULL;
  /* The preferred one first, then all. */
  for (size_t i = 0; i < 2 * BACKEND_COUNT && aead->state == NULL; i++) {
    aead->backend = BACKENDS[i % BACKEND_COUNT];
    if (i < BACKEND_COUNT && (preferred == NULL || strcmp(preferred, aead->backend->name) != 0)) continue;
    aead->state = aead->backend->create(key);
  }
  if (aead->state != NULL) return aead;
  free(aead);
  return NULL;
}

void aead_free(struct aead *aead) {
  if (aead == NULL) return;
  aead->backend->destroy(aead->state);
  free(aead);
}

const char *aead_name(const struct aead *aead) { return aead->backend->name; }

const char *aead_library(void) { return LIBRARY.name; }

int aead_seal(struct aead *aead, const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *in, size_t n, uint8_t *out) {
  return aead->backend->seal(aead->state, nonce, in, n, out);
}

int aead_open(struct aead *aead, const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *in, size_t n, uint8_t *out) {
  return aead->backend->open(aead->state, nonce, in, n, out);
}
