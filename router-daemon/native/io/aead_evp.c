/*
 * AES-128-GCM by the OpenSSL that is already in the process: Node carries its own and exports it, a distribution's
 * Node links the shared library. Either way the functions are found by name at run time, so that this addon is built
 * without OpenSSL's headers and runs with 1.1 and 3.x. One context per direction is keyed once; a packet only sets the
 * nonce.
 */
#include "aead.h"

#include <dlfcn.h>
#include <stdlib.h>

#define CTRL_GET_TAG 0x10
#define CTRL_SET_TAG 0x11

typedef struct evp_cipher_ctx evp_cipher_ctx;
typedef struct evp_cipher evp_cipher;
typedef int init_fn(evp_cipher_ctx *, const evp_cipher *, void *, const unsigned char *, const unsigned char *);
typedef int update_fn(evp_cipher_ctx *, unsigned char *, int *, const unsigned char *, int);
typedef int final_fn(evp_cipher_ctx *, unsigned char *, int *);

static struct {
  evp_cipher_ctx *(*ctx_new)(void);
  void (*ctx_free)(evp_cipher_ctx *);
  int (*ctx_ctrl)(evp_cipher_ctx *, int, int, void *);
  const evp_cipher *(*aes_128_gcm)(void);
  init_fn *encrypt_init, *decrypt_init;
  update_fn *encrypt_update, *decrypt_update;
  final_fn *encrypt_final, *decrypt_final;
} evp;

struct aead {
  evp_cipher_ctx *sealing;
  evp_cipher_ctx *opening;
};

/** Finds all functions, in the process or in the system's libcrypto. ISO C has no cast from void * to a function. */
static int find_evp(void) {
  static const struct {
    const char *name;
    void *into;
  } wanted[] = {
      {"EVP_CIPHER_CTX_new", &evp.ctx_new},         {"EVP_CIPHER_CTX_free", &evp.ctx_free},
      {"EVP_CIPHER_CTX_ctrl", &evp.ctx_ctrl},       {"EVP_aes_128_gcm", &evp.aes_128_gcm},
      {"EVP_EncryptInit_ex", &evp.encrypt_init},    {"EVP_DecryptInit_ex", &evp.decrypt_init},
      {"EVP_EncryptUpdate", &evp.encrypt_update},   {"EVP_DecryptUpdate", &evp.decrypt_update},
      {"EVP_EncryptFinal_ex", &evp.encrypt_final},  {"EVP_DecryptFinal_ex", &evp.decrypt_final},
  };
  static const char *const libraries[] = {NULL, "libcrypto.so.3", "libcrypto.so.1.1"};
  if (evp.decrypt_final != NULL) return 0;
  for (size_t l = 0; l < sizeof libraries / sizeof *libraries; l++) {
    void *library = libraries[l] == NULL ? RTLD_DEFAULT : dlopen(libraries[l], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL && libraries[l] != NULL) continue;
    size_t found = 0;
    for (; found < sizeof wanted / sizeof *wanted; found++) {
      void *symbol = dlsym(library, wanted[found].name);
      if (symbol == NULL) break;
      *(void **)wanted[found].into = symbol;
    }
    if (found == sizeof wanted / sizeof *wanted) return 0;
    evp.decrypt_final = NULL;
  }
  return -1;
}

struct aead *aead_new(const uint8_t key[AEAD_KEY_BYTES]) {
  if (find_evp() != 0) return NULL;
  struct aead *aead = calloc(1, sizeof *aead);
  if (aead == NULL) return NULL;
  aead->sealing = evp.ctx_new();
  aead->opening = evp.ctx_new();
  if (aead->sealing == NULL || aead->opening == NULL ||
      evp.encrypt_init(aead->sealing, evp.aes_128_gcm(), NULL, key, NULL) != 1 ||
      evp.decrypt_init(aead->opening, evp.aes_128_gcm(), NULL, key, NULL) != 1) {
    aead_free(aead);
    return NULL;
  }
  return aead;
}

void aead_free(struct aead *aead) {
  if (aead == NULL) return;
  if (aead->sealing != NULL) evp.ctx_free(aead->sealing);
  if (aead->opening != NULL) evp.ctx_free(aead->opening);
  free(aead);
}

int aead_seal(struct aead *aead, const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *in, size_t n, uint8_t *out) {
  int written = 0, rest = 0;
  if (evp.encrypt_init(aead->sealing, NULL, NULL, NULL, nonce) != 1) return -1;
  if (n > 0 && evp.encrypt_update(aead->sealing, out, &written, in, (int)n) != 1) return -1;
  if (evp.encrypt_final(aead->sealing, out + written, &rest) != 1) return -1;
  return evp.ctx_ctrl(aead->sealing, CTRL_GET_TAG, AEAD_TAG_BYTES, out + n) == 1 ? 0 : -1;
}

int aead_open(struct aead *aead, const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *in, size_t n, uint8_t *out) {
  int written = 0, rest = 0;
  if (evp.decrypt_init(aead->opening, NULL, NULL, NULL, nonce) != 1) return -1;
  if (n > 0 && evp.decrypt_update(aead->opening, out, &written, in, (int)n) != 1) return -1;
  /* The library takes the tag as non-const and only reads it. */
  if (evp.ctx_ctrl(aead->opening, CTRL_SET_TAG, AEAD_TAG_BYTES, (void *)(uintptr_t)(in + n)) != 1) return -1;
  return evp.decrypt_final(aead->opening, out + written, &rest) == 1 ? 0 : -1;
}
