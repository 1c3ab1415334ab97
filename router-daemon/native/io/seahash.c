/*
 * SeaHash 4.1 with its default seeds, what EasyTier's QUIC has in the place of an authentication tag. Four lanes take the
 * text's 8-byte words in turn.
 */
#include "core.h"

#include <errno.h>

#define WORD_BYTES 8
#define LANES 4

static uint64_t diffuse(uint64_t x) {
  const uint64_t k = 0x6eed0e9da4d94a4fULL;
  x *= k;
  x ^= (x >> 32) >> (x >> 60);
  return x * k;
}

/* In the order of their turns: the sum at the end does not care which of them is which. */
struct lanes {
  uint64_t a, b, c, d;
};

static struct lanes absorb_word(struct lanes lanes, uint64_t word) {
  return (struct lanes){lanes.b, lanes.c, lanes.d, diffuse(lanes.a ^ word)};
}

/* A last word that is not whole is filled up with zeros. */
static struct lanes absorb(struct lanes lanes, const uint8_t *bytes, size_t length) {
  /* A round of all four at once: their multiplications do not wait for each other. */
  for (; length >= LANES * WORD_BYTES; length -= LANES * WORD_BYTES, bytes += LANES * WORD_BYTES) {
    lanes.a = diffuse(lanes.a ^ load64le(bytes));
    lanes.b = diffuse(lanes.b ^ load64le(bytes + WORD_BYTES));
    lanes.c = diffuse(lanes.c ^ load64le(bytes + 2 * WORD_BYTES));
    lanes.d = diffuse(lanes.d ^ load64le(bytes + 3 * WORD_BYTES));
  }
  for (; length >= WORD_BYTES; length -= WORD_BYTES, bytes += WORD_BYTES) {
    lanes = absorb_word(lanes, load64le(bytes));
  }
  if (length == 0) return lanes;
  uint8_t last[WORD_BYTES] = {0};
  memcpy(last, bytes, length);
  return absorb_word(lanes, load64le(last));
}

int io_seahash(struct io_core *core, int32_t front, int32_t front_bytes, int32_t rest, int32_t rest_bytes, int32_t out) {
  if (!bytes_ok(core, front, front_bytes) || !bytes_ok(core, rest, rest_bytes)) return -EINVAL;
  if (!bytes_ok(core, out, WORD_BYTES) || (rest_bytes > 0 && front_bytes % WORD_BYTES != 0)) return -EINVAL;
  struct lanes lanes = {
      0x16f11fe89b0d677cULL,
      0xb480a793d8e6c86cULL,
      0x6fe2e5aaf078ebc9ULL,
      0x14f994a4c5259381ULL,
  };
  lanes = absorb(lanes, core->arena + front, (size_t)front_bytes);
  lanes = absorb(lanes, core->arena + rest, (size_t)rest_bytes);
  uint64_t sum = lanes.a ^ lanes.b ^ lanes.c ^ lanes.d;
  uint64_t hash = diffuse(sum ^ ((uint64_t)front_bytes + (uint64_t)rest_bytes));
  for (int i = 0; i < WORD_BYTES; i++) core->arena[out + i] = (uint8_t)(hash >> (8 * (WORD_BYTES - 1 - i)));
  return 0;
}
