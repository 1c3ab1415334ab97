/* Every call that takes integers, with integers of all kinds: the core may answer what it likes, and stays whole. */
#include "calls.h"
#include "fuzz.h"

#define CALLS_PER_ROUND 300
#define LOOPBACK 0x7f000001

static int32_t any_integer(const struct world *world) {
  switch (random_below(5)) {
    case 0:
      return (int32_t)random_bits();
    case 1:
      return (int32_t)random_border();
    case 2:
      return world->socket;
    case 3:
      return world->words + (int32_t)random_below(WORD_COUNT);
    default:
      return (int32_t)random_below(80);
  }
}

void fuzz_calls(struct world *world) {
  random_fill(world->arena, SLOTS * SLOT_BYTES);
  int32_t *words = (int32_t *)(void *)world->arena + world->words;
  for (int i = 0; i < WORD_COUNT; i++) words[i] = random_below(2) == 0 ? (int32_t)random_below(4096) : (int32_t)random_bits();
  for (int i = 0; i < CALLS_PER_ROUND; i++) {
    const struct io_call *call = &IO_CALLS[random_below(IO_CALL_COUNT)];
    int32_t arguments[IO_CALL_MAX_ARGUMENTS];
    for (int a = 0; a < IO_CALL_MAX_ARGUMENTS; a++) arguments[a] = any_integer(world);
    /* Nobody but this machine is called up. (The socket is bound to loopback and cannot reach anybody else.) */
    if (strcmp(call->name, "tcpConnect") == 0) arguments[0] = LOOPBACK;
    int32_t result = call->run(world->core, arguments);
    if (random_below(16) == 0) send_some(world);
    char text[256];
    if (result < 0) CHECK(io_describe(result, text, sizeof text) != NULL);
    totals.calls++;
  }
}
