/*
 * Runs the ciphers of native/io for the tests, on any processor: commands on standard input, an answer to each on standard
 * output, one line each. Bytes are hexadecimal, "-" stands for none.
 *
 *   backends                                          names of those that work here, best first
 *   seal BACKEND KEY NONCE PLAINTEXT FROM TO          ciphertext and tag
 *   open BACKEND KEY NONCE CIPHERTEXT+TAG FROM TO     plaintext, or "forged"
 *   time BACKEND BYTES MILLISECONDS                   nanoseconds to seal a packet, and to open one
 *   wipe BACKEND KEY                                  "wiped" when nothing but zeros is given back to free() with the key,
 *                                                     else how many bytes are left (programs with WATCH_FREE only)
 *
 * FROM and TO are the distances of input and output from a 64-byte boundary. Buffers end where the data ends, with guards on
 * both sides: an answer "overrun" tells of a byte written outside, "input changed" of one written to the input.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aead.h"

#define ALIGNMENT 64
#define GUARD_BYTES 64
#define GUARD 0xa5
#define MAX_LINE (1 << 17)
#define MAX_BYTES (MAX_LINE / 2)

/** Bytes at a distance from a 64-byte boundary. The block ends with them, so that AddressSanitizer sees reads beyond it. */
struct buffer {
  uint8_t *block, *bytes;
  size_t length;
};

static struct buffer buffer_new(size_t length, size_t distance, size_t guard) {
  struct buffer buffer = {.length = length};
  void *block = NULL;
  if (posix_memalign(&block, ALIGNMENT, ALIGNMENT + distance + length + guard) != 0) abort();
  buffer.block = block;
  memset(buffer.block, GUARD, ALIGNMENT + distance + length + guard);
  buffer.bytes = buffer.block + ALIGNMENT + distance;
  return buffer;
}

static int all_guard(const uint8_t *p, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (p[i] != GUARD) return 0;
  }
  return 1;
}

static int nibble(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

/** Number of bytes, or -1. */
static int parse_hex(const char *text, uint8_t *out, size_t max) {
  size_t n = 0;
  if (strcmp(text, "-") == 0) return 0;
  for (; text[0] != 0; text += 2) {
    int high = nibble(text[0]), low = high < 0 ? -1 : nibble(text[1]);
    if (low < 0 || n == max) return -1;
    out[n++] = (uint8_t)(high << 4 | low);
  }
  return (int)n;
}

static void print_hex(const uint8_t *bytes, size_t n) {
  if (n == 0) fputs("-", stdout);
  for (size_t i = 0; i < n; i++) printf("%02x", bytes[i]);
  puts("");
}

/** Keyed with the backend of this name and no other; NULL = it does not work here. */
static struct aead *keyed(const char *backend, const uint8_t *key) {
  struct aead *aead = aead_new(key, backend);
  if (aead != NULL && strcmp(aead_name(aead), backend) == 0) return aead;
  aead_free(aead);
  return NULL;
}

static void list_backends(void) {
  static const char *const names[] = {"x86", "x86-narrow", "arm64", "openssl", "mbedtls"};
  const uint8_t key[AEAD_KEY_BYTES] = {0};
  struct aead *best = aead_new(key, NULL);
  fputs(best == NULL ? "none" : aead_name(best), stdout);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    struct aead *aead = keyed(names[i], key);
    if (aead != NULL && strcmp(names[i], aead_name(best)) != 0) printf(" %s", names[i]);
    aead_free(aead);
  }
  puts("");
  aead_free(best);
}

static void crypt(int sealing, const char *backend, char *const arguments[5]) {
  static uint8_t data[MAX_BYTES];
  uint8_t key[AEAD_KEY_BYTES], nonce[AEAD_NONCE_BYTES];
  int length = parse_hex(arguments[2], data, sizeof data);
  size_t from = (size_t)atoi(arguments[3]) % ALIGNMENT, to = (size_t)atoi(arguments[4]) % ALIGNMENT;
  if (parse_hex(arguments[0], key, sizeof key) != sizeof key || length < (sealing ? 0 : AEAD_TAG_BYTES) ||
      parse_hex(arguments[1], nonce, sizeof nonce) != sizeof nonce) {
    puts("bad arguments");
    return;
  }
  struct aead *aead = keyed(backend, key);
  if (aead == NULL) {
    puts("no such backend");
    return;
  }
  size_t n = (size_t)length - (sealing ? 0 : AEAD_TAG_BYTES), written = n + (sealing ? AEAD_TAG_BYTES : 0);
  struct buffer in = buffer_new((size_t)length, from, 0), out = buffer_new(written, to, GUARD_BYTES);
  memcpy(in.bytes, data, in.length);
  int result = sealing ? aead_seal(aead, nonce, in.bytes, n, out.bytes) : aead_open(aead, nonce, in.bytes, n, out.bytes);
  if (!all_guard(out.block, ALIGNMENT + to) || !all_guard(out.bytes + written, GUARD_BYTES)) {
    puts("overrun");
  } else if (memcmp(in.bytes, data, in.length) != 0) {
    puts("input changed");
  } else if (result != 0) {
    puts("forged");
  } else {
    print_hex(out.bytes, written);
  }
  aead_free(aead);
  free(in.block);
  free(out.block);
}

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/** Nanoseconds per call: the best of a few stretches, since other programs only ever make one longer. */
static double time_calls(struct aead *aead, int sealing, const uint8_t *in, size_t n, uint8_t *out, double budget_ns) {
  const int stretches = 10;
  const uint8_t nonce[AEAD_NONCE_BYTES] = {1};
  double best = 1e18;
  for (int stretch = 0; stretch < stretches; stretch++) {
    double start = now_ns(), end = start;
    int calls = 0;
    for (; end - start < budget_ns / stretches; end = now_ns()) {
      for (int i = 0; i < 16; i++, calls++) {
        if ((sealing ? aead_seal(aead, nonce, in, n, out) : aead_open(aead, nonce, in, n, out)) != 0) return 0;
      }
    }
    if ((end - start) / calls < best) best = (end - start) / calls;
  }
  return best;
}

static void time_backend(const char *backend, size_t n, double milliseconds) {
  static uint8_t plain[MAX_BYTES], sealed[MAX_BYTES + AEAD_TAG_BYTES];
  const uint8_t key[AEAD_KEY_BYTES] = {7};
  struct aead *aead = n <= MAX_BYTES ? keyed(backend, key) : NULL;
  if (aead == NULL) {
    puts("no such backend");
    return;
  }
  double sealing = time_calls(aead, 1, plain, n, sealed, milliseconds * 1e6 / 2);
  printf("%.1f %.1f\n", sealing, time_calls(aead, 0, sealed, n, plain, milliseconds * 1e6 / 2));
  aead_free(aead);
}

#ifdef WATCH_FREE
/* The linker puts these in place of free (--wrap=free). */
void __real_free(void *block);
void __wrap_free(void *block);
static size_t largest_freed, bytes_left;
static int watching;

void __wrap_free(void *block) {
  size_t size = watching && block != NULL ? malloc_usable_size(block) : 0;
  if (size > largest_freed) {
    largest_freed = size;
    bytes_left = 0;
    for (size_t i = 0; i < size; i++) bytes_left += ((const uint8_t *)block)[i] != 0;
  }
  __real_free(block);
}

/** The keyed state is by far the largest block that is freed with a cipher; the other one holds two pointers. */
static void wipe(const char *backend, const char *key_text) {
  uint8_t key[AEAD_KEY_BYTES];
  struct aead *aead = parse_hex(key_text, key, sizeof key) == sizeof key ? keyed(backend, key) : NULL;
  if (aead == NULL) {
    puts("no such backend");
    return;
  }
  largest_freed = 0;
  watching = 1;
  aead_free(aead);
  watching = 0;
  if (largest_freed < 10 * sizeof key) puts("no state was freed");
  else if (bytes_left == 0) puts("wiped");
  else printf("%zu bytes left\n", bytes_left);
}
#else
static void wipe(const char *backend, const char *key_text) {
  (void)backend, (void)key_text;
  puts("not watched");
}
#endif

int main(void) {
  static char line[MAX_LINE];
  while (fgets(line, sizeof line, stdin) != NULL) {
    char *word[8] = {0};
    int words = 0;
    for (char *at = strtok(line, " \n"); at != NULL && words < 8; at = strtok(NULL, " \n")) word[words++] = at;
    if (words == 1 && strcmp(word[0], "backends") == 0) {
      list_backends();
    } else if (words == 7 && (strcmp(word[0], "seal") == 0 || strcmp(word[0], "open") == 0)) {
      crypt(word[0][0] == 's', word[1], word + 2);
    } else if (words == 4 && strcmp(word[0], "time") == 0) {
      time_backend(word[1], (size_t)atol(word[2]), atof(word[3]));
    } else if (words == 3 && strcmp(word[0], "wipe") == 0) {
      wipe(word[1], word[2]);
    } else {
      puts("unknown command");
    }
    fflush(stdout);
  }
  return 0;
}
