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

/* Little-endian; what is missing of a whole word is zero. */
static uint64_t load(const uint8_t *bytes, size_t count) {
  uint64_t word = 0;
  for (size_t i = 0; i < count; i++) word |= (uint64_t)bytes[i] << (8 * i);
  return word;
}

struct lanes {
  uint64_t value[LANES];
  unsigned next;
};

static void absorb(struct lanes *lanes, const uint8_t *bytes, size_t length) {
  for (size_t at = 0; at < length; at += WORD_BYTES) {
    size_t left = length - at;
    uint64_t word = left >= WORD_BYTES ? load(bytes + at, WORD_BYTES) : load(bytes + at, left);
    uint64_t *lane = &lanes->value[lanes->next++ % LANES];
    *lane = diffuse(*lane ^ word);
  }
}

int io_seahash(struct io_core *core, int32_t front, int32_t front_bytes, int32_t rest, int32_t rest_bytes, int32_t out) {
  if (!bytes_ok(core, front, front_bytes) || !bytes_ok(core, rest, rest_bytes)) return -EINVAL;
  if (!bytes_ok(core, out, WORD_BYTES) || (rest_bytes > 0 && front_bytes % WORD_BYTES != 0)) return -EINVAL;
  struct lanes lanes = {
      {0x16f11fe89b0d677cULL, 0xb480a793d8e6c86cULL, 0x6fe2e5aaf078ebc9ULL, 0x14f994a4c5259381ULL},
      0,
  };
  absorb(&lanes, core->arena + front, (size_t)front_bytes);
  absorb(&lanes, core->arena + rest, (size_t)rest_bytes);
  uint64_t sum = lanes.value[0] ^ lanes.value[1] ^ lanes.value[2] ^ lanes.value[3];
  uint64_t hash = diffuse(sum ^ ((uint64_t)front_bytes + (uint64_t)rest_bytes));
  for (int i = 0; i < WORD_BYTES; i++) core->arena[out + i] = (uint8_t)(hash >> (8 * (WORD_BYTES - 1 - i)));
  return 0;
}
