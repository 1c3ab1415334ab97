/*
 * For processors without an AES of our own: AES-128-GCM by the OpenSSL that is already in the process: Node carries its own and exports it, a distribution's
 * Node links the shared library. Either way the functions are found by name at run time, so that this addon is built
 * without OpenSSL's headers and runs with 1.1 and 3.x. One context per direction is keyed once; a packet only sets the
 * nonce.
 */
#include "aead_backend.h"

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

struct evp_state {
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

static void evp_destroy(void *opaque) {
  struct evp_state *state = opaque;
  if (state->sealing != NULL) evp.ctx_free(state->sealing);
  if (state->opening != NULL) evp.ctx_free(state->opening);
  free(state);
}

static void *evp_create(const uint8_t key[AEAD_KEY_BYTES]) {
  if (find_evp() != 0) return NULL;
  struct evp_state *state = calloc(1, sizeof *state);
  if (state == NULL) return NULL;
  state->sealing = evp.ctx_new();
  state->opening = evp.ctx_new();
  if (state->sealing == NULL || state->opening == NULL ||
      evp.encrypt_init(state->sealing, evp.aes_128_gcm(), NULL, key, NULL) != 1 ||
      evp.decrypt_init(state->opening, evp.aes_128_gcm(), NULL, key, NULL) != 1) {
    evp_destroy(state);
    return NULL;
  }
  return state;
}

static int evp_seal(void *opaque, const uint8_t *nonce, const uint8_t *in, size_t n, uint8_t *out) {
  evp_cipher_ctx *ctx = ((struct evp_state *)opaque)->sealing;
  int written = 0, rest = 0;
  if (evp.encrypt_init(ctx, NULL, NULL, NULL, nonce) != 1) return -1;
  if (n > 0 && evp.encrypt_update(ctx, out, &written, in, (int)n) != 1) return -1;
  if (evp.encrypt_final(ctx, out + written, &rest) != 1) return -1;
  return evp.ctx_ctrl(ctx, CTRL_GET_TAG, AEAD_TAG_BYTES, out + n) == 1 ? 0 : -1;
}

static int evp_open(void *opaque, const uint8_t *nonce, const uint8_t *in, size_t n, uint8_t *out) {
  evp_cipher_ctx *ctx = ((struct evp_state *)opaque)->opening;
  int written = 0, rest = 0;
  if (evp.decrypt_init(ctx, NULL, NULL, NULL, nonce) != 1) return -1;
  if (n > 0 && evp.decrypt_update(ctx, out, &written, in, (int)n) != 1) return -1;
  /* The library takes the tag as non-const and only reads it. */
  if (evp.ctx_ctrl(ctx, CTRL_SET_TAG, AEAD_TAG_BYTES, (void *)(uintptr_t)(in + n)) != 1) return -1;
  return evp.decrypt_final(ctx, out + written, &rest) == 1 ? 0 : -1;
}

const struct aead_backend aead_evp = {"openssl", evp_create, evp_destroy, evp_seal, evp_open};
