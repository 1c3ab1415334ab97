/*
 * A fuzzer of the I/O core: rounds of hostile input made from a seed, run with AddressSanitizer and UBSan. The arena is a
 * block of its own, so that a byte outside it is seen; what has to hold inside it is checked here.
 */
#ifndef KCP_ROUTER_FUZZ_H
#define KCP_ROUTER_FUZZ_H

#include <stdint.h>

#include "aead.h"
#include "core.h"

#define SLOTS 64
#define SLOT_BYTES 2048
#define RING_BYTES (3 * 66000 / 64 * 64)
#define WORD_COUNT 8192
#define UNTOUCHED 0xa5

/*
 *   0        slots                 ring              words            end of the block
 *   │ SLOTS × SLOT_BYTES │ RING_BYTES: frames │ WORD_COUNT × 4 │
 */
struct world {
  struct io_core *core;
  uint8_t *arena;
  uint8_t *ring;
  int32_t words; /* index of the first */
  int32_t socket;
  int sender; /* a socket of ours that sends to it */
  struct aead *cipher;
};

#define OUR_PEER 77u
#define OTHER_PEER 78u
/** Links 0 … LINKS - 1 are the sender's, with conn_id 1 … LINKS. */
#define LINKS 3

struct totals {
  uint64_t rounds, datagrams, delivered, frames, packets, calls;
};
extern struct totals totals;

/** Starts the sequence of a round. */
void random_seed(uint64_t seed);
uint32_t random_bits(void);
uint32_t random_below(uint32_t bound);
void random_fill(uint8_t *bytes, size_t n);
/** A number from the borders of things: around 0, powers of two, sizes of ours. */
uint32_t random_border(void);
/** Changes some bytes, and perhaps the length; `n` <= max. Returns the new length. */
size_t mutate(uint8_t *bytes, size_t n, size_t max);

/** Ends the run with the seed that repeats it. */
_Noreturn void fail(const char *what, const char *file, int line);
#define CHECK(condition)                                      \
  do {                                                        \
    if (!(condition)) fail(#condition, __FILE__, __LINE__);   \
  } while (0)

uint64_t counter(const struct world *world, const char *name);
/** Marks all slots; afterwards `slot_untouched` tells whether bytes [from, to) of one are still as marked. */
void mark_slots(struct world *world);
int slot_untouched(const struct world *world, uint32_t slot, size_t from, size_t to);
/** Writes the numbers of all slots, shuffled, at a word index; returns it. */
int32_t offer_slots(struct world *world, int32_t at);

/** A few datagrams of all kinds from the sender to the core's socket. */
void send_some(struct world *world);

void fuzz_datagrams(struct world *world);
void fuzz_frames(struct world *world);
void fuzz_calls(struct world *world);

#endif
