#include "fate.h"

#include <stdlib.h>
#include <string.h>

/* Draws per packet, numbered, so that changing one parameter does not shift the others' luck. */
enum draw { DRAW_LOSS, DRAW_STATE, DRAW_BURST, DRAW_DUPLICATE, DRAW_JITTER, DRAW_REORDER, DRAWS = 8 };

/* A 64-bit finaliser (two multiply-xorshift rounds): a counter goes in, an independent-looking number comes out. */
static uint64_t mix(uint64_t x) {
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  x ^= x >> 32;
  return x;
}

/* Uniform in [0, 1). */
static double draw(const struct fate_source *source, enum draw which) {
  uint64_t stream = mix(source->seed * 2 + source->direction + 1);
  return (double)(mix(stream + (source->index * DRAWS + which) * 0x9e3779b97f4a7c15u) >> 11) * 0x1p-53;
}

void fate_init(struct fate_source *source, uint64_t seed, uint32_t direction) {
  *source = (struct fate_source){.seed = seed, .direction = direction};
}

struct verdict fate_next(struct fate_source *source, const struct parameters *p) {
  struct verdict verdict = {.fate = FATE_DELIVERED};
  if (p->burst_enter > 0) {
    double change = source->bad ? p->burst_leave : p->burst_enter;
    if (draw(source, DRAW_STATE) < change) source->bad = !source->bad;
  } else {
    source->bad = false;
  }
  if (source->bad && draw(source, DRAW_BURST) < p->burst_loss) verdict.fate = FATE_LOST_IN_BURST;
  else if (draw(source, DRAW_LOSS) < p->loss) verdict.fate = FATE_LOST;

  double extra_ms = p->delay_ms;
  if (p->jitter_ms > 0) extra_ms += p->jitter_ms * draw(source, DRAW_JITTER);
  if (p->reorder > 0 && draw(source, DRAW_REORDER) < p->reorder) {
    verdict.reordered = true;
    extra_ms += p->reorder_ms;
  }
  if (p->duplicate > 0) verdict.duplicated = draw(source, DRAW_DUPLICATE) < p->duplicate;
  verdict.extra_ns = (uint64_t)(extra_ms * 1e6);
  source->index++;
  return verdict;
}

static const struct {
  const char *key;
  size_t offset;
  double max;
} KEYS[] = {
    {"delay", offsetof(struct parameters, delay_ms), 60e3},
    {"jitter", offsetof(struct parameters, jitter_ms), 60e3},
    {"reorder", offsetof(struct parameters, reorder), 1},
    {"reorder-delay", offsetof(struct parameters, reorder_ms), 60e3},
    {"loss", offsetof(struct parameters, loss), 1},
    {"burst-enter", offsetof(struct parameters, burst_enter), 1},
    {"burst-leave", offsetof(struct parameters, burst_leave), 1},
    {"burst-loss", offsetof(struct parameters, burst_loss), 1},
    {"duplicate", offsetof(struct parameters, duplicate), 1},
    {"rate", offsetof(struct parameters, rate_mbit), 1e6},
    {"queue", offsetof(struct parameters, queue_bytes), 1e9},
    {"mtu", offsetof(struct parameters, mtu), 65535},
    {"down", offsetof(struct parameters, down), 1},
};

bool parameters_set(struct parameters *parameters, const char *assignment) {
  const char *equals = strchr(assignment, '=');
  if (equals == NULL || equals[1] == 0) return false;
  char *end;
  double value = strtod(equals + 1, &end);
  if (*end != 0 || !(value >= 0)) return false;
  size_t length = (size_t)(equals - assignment);
  for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
    if (strlen(KEYS[i].key) != length || memcmp(KEYS[i].key, assignment, length) != 0) continue;
    if (value > KEYS[i].max) return false;
    memcpy((char *)parameters + KEYS[i].offset, &value, sizeof value);
    return true;
  }
  return false;
}
