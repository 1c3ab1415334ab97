/* Reads "SEED SECONDS" and runs rounds until the time is over; 0 seconds is one round, which repeats a failed one. */
#include "fuzz.h"

#include <arpa/inet.h>
#include <sanitizer/common_interface_defs.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Datagrams and frames to one world. */
#define PARTS_PER_ROUND 20

struct totals totals;
static uint64_t random_state, round_seed;

void random_seed(uint64_t seed) { random_state = round_seed = seed; }

/* splitmix64. */
uint32_t random_bits(void) {
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (uint32_t)((z ^ z >> 31) >> 16);
}

uint32_t random_below(uint32_t bound) { return random_bits() % bound; }

void random_fill(uint8_t *bytes, size_t n) {
  for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)random_bits();
}

uint32_t random_border(void) {
  static const uint32_t borders[] = {0, 16, 20, 28, 40, 64, 1280, 1400, 1500, SLOT_BYTES, 65535, 1u << 16, 1u << 31};
  uint32_t base = random_below(3) == 0 ? 1u << random_below(32) : borders[random_below(sizeof borders / sizeof *borders)];
  return base + random_below(5) - 2;
}

size_t mutate(uint8_t *bytes, size_t n, size_t max) {
  for (uint32_t times = 1 + random_below(4); times > 0; times--) {
    size_t at = n == 0 ? 0 : random_below((uint32_t)n);
    switch (random_below(6)) {
      case 0:
        if (n > 0) bytes[at] ^= (uint8_t)(1u << random_below(8));
        break;
      case 1:
        if (n > 0) bytes[at] = (uint8_t)random_bits();
        break;
      case 2:
        if (at + 2 <= n) store16le(bytes + at, random_border());
        break;
      case 3:
        if (at + 2 <= n) store16be(bytes + at, random_border());
        break;
      case 4:
        n = at;
        break;
      default: {
        size_t more = random_below(64) < max - n ? random_below(64) % (max - n + 1) : 0;
        random_fill(bytes + n, more);
        n += more;
      }
    }
  }
  return n;
}

/** Also called by the sanitizers before they end the process. */
static void tell_seed(void) {
  fprintf(stderr, "repeat with: echo %llu 0 | core-fuzz\n", (unsigned long long)round_seed);
}

_Noreturn void fail(const char *what, const char *file, int line) {
  fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
  tell_seed();
  abort();
}

uint64_t counter(const struct world *world, const char *name) {
  uint64_t value = 0;
  const char *found;
  for (int i = 0; (found = io_counter(world->core, i, &value)) != NULL; i++) {
    if (strcmp(found, name) == 0) return value;
  }
  fail(name, __FILE__, __LINE__);
}

void mark_slots(struct world *world) { memset(world->arena, UNTOUCHED, SLOTS * SLOT_BYTES); }

int slot_untouched(const struct world *world, uint32_t slot, size_t from, size_t to) {
  static uint8_t marks[SLOT_BYTES];
  if (marks[0] != UNTOUCHED) memset(marks, UNTOUCHED, sizeof marks);
  return from >= to || memcmp(world->arena + (size_t)slot * SLOT_BYTES + from, marks, to - from) == 0;
}

int32_t offer_slots(struct world *world, int32_t at) {
  int32_t *numbers = (int32_t *)(void *)world->arena + at;
  for (uint32_t i = 0; i < SLOTS; i++) {
    uint32_t other = random_below(i + 1);
    numbers[i] = numbers[other];
    numbers[other] = (int32_t)i;
  }
  return at;
}

/* ── a world ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void world_open(struct world *world) {
  const size_t slots = SLOTS * SLOT_BYTES, bytes = slots + RING_BYTES + 4 * WORD_COUNT;
  memset(world, 0, sizeof *world);
  world->arena = malloc(bytes);
  CHECK(world->arena != NULL);
  world->ring = world->arena + slots;
  world->words = (int32_t)((slots + RING_BYTES) / 4);
  memset(world->arena, 0, bytes);
  struct io_config config = {world->arena, bytes, SLOTS, SLOT_BYTES, (uint32_t)slots, RING_BYTES, 0};
  CHECK(io_create(&config, &world->core) == 0);

  uint8_t *endpoint = world->ring;
  static const uint8_t loopback[16] = {[10] = 0xff, 0xff, 127, 0, 0, 1};
  memcpy(endpoint, loopback, sizeof loopback);
  store16be(endpoint + 16, 0);
  struct io_udp_info info;
  char message[256];
  CHECK(io_udp_open(world->core, (int32_t)slots, &info, message, sizeof message) > 0);
  world->socket = info.handle;

  world->sender = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in near = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, far = near;
  socklen_t length = sizeof near;
  far.sin_port = htons((uint16_t)info.port);
  CHECK(bind(world->sender, (struct sockaddr *)&near, sizeof near) == 0);
  CHECK(connect(world->sender, (struct sockaddr *)&far, sizeof far) == 0);
  CHECK(getsockname(world->sender, (struct sockaddr *)&near, &length) == 0);

  memcpy(endpoint + 16, &near.sin_port, 2);
  for (int32_t link = 0; link < LINKS; link++) {
    CHECK(io_link_set(world->core, link, world->socket, (int32_t)slots, (uint32_t)link + 1) == 0);
  }
  random_fill(endpoint, AEAD_KEY_BYTES);
  world->cipher = aead_new(endpoint, NULL);
  CHECK(world->cipher != NULL && io_identity_set(world->core, OUR_PEER, (int32_t)slots) == 0);
}

static void world_close(struct world *world) {
  io_destroy(world->core);
  aead_free(world->cipher);
  close(world->sender);
  free(world->arena);
}

int main(void) {
  unsigned long long seed;
  double seconds;
  if (scanf("%llu %lf", &seed, &seconds) != 2) return 2;
  __sanitizer_set_death_callback(tell_seed);
  double end = io_now() + seconds * 1000;
  do {
    /* A world for each round: its seed alone repeats it. */
    struct world world;
    random_seed(seed++);
    world_open(&world);
    for (int part = 0; part < PARTS_PER_ROUND; part++) {
      fuzz_datagrams(&world);
      fuzz_frames(&world);
    }
    fuzz_calls(&world);
    world_close(&world);
    totals.rounds++;
  } while (io_now() < end);
  printf("rounds %llu datagrams %llu delivered %llu frames %llu packets %llu calls %llu\n",
         (unsigned long long)totals.rounds, (unsigned long long)totals.datagrams, (unsigned long long)totals.delivered,
         (unsigned long long)totals.frames, (unsigned long long)totals.packets, (unsigned long long)totals.calls);
  return 0;
}
