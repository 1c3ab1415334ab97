/*
 * malloc for the static executable. The C library that comes with the cross compiler rounds every block up to a power of two
 * (the engine asks for pieces of 4 KiB, which with a header become 8) and writes to all that calloc gives: together a third
 * of our memory.
 *
 *   ┌────────┬─ … ─┐   small   cut off from large pieces; when freed, kept in a list for its size, never given back
 *   │ header │     │
 *   └────────┴─ … ─┘   large   pages of its own: zero when new, grown by the kernel, given back when freed
 *
 * One lock: threads that ask for names allocate, too. Nobody here asks for more than the usual alignment.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/** Sizes, header included. `LARGEST_SMALL` is the Makefile's: the engine does not zero what is larger once more (edits.sed). */
#define PIECE_BYTES (1 << 20)
#define PAGE_BYTES 4096
/** Every small size is a multiple of this, and of a 32nd of the power of two below it. */
#define GRAIN 16
#define FINENESS 5

union header {
  size_t size; /* of the whole block */
  uint8_t grain[GRAIN];
};

struct free_block {
  union header header;
  struct free_block *next;
};

static struct free_block *free_lists[LARGEST_SMALL / GRAIN + 1];
static uint8_t *piece;
static size_t piece_left;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static size_t round_up(size_t value, size_t step) { return (value + step - 1) & ~(step - 1); }

static size_t small_size(size_t size) {
  if (size < sizeof(struct free_block)) size = sizeof(struct free_block);
  int log = 31 - __builtin_clz((unsigned)size);
  return round_up(size, log - FINENESS > 4 ? (size_t)1 << (log - FINENESS) : GRAIN);
}

static void *map(size_t size) {
  void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? NULL : at;
}

/** The lock is held. */
static void *take_small(size_t size) {
  struct free_block **list = &free_lists[size / GRAIN], *block = *list;
  if (block != NULL) {
    *list = block->next;
    return block;
  }
  if (piece_left < size) {
    void *fresh = map(PIECE_BYTES);
    if (fresh == NULL) return NULL;
    piece = fresh;
    piece_left = PIECE_BYTES;
  }
  void *cut = piece;
  piece += size;
  piece_left -= size;
  return cut;
}

static void *allocate(size_t bytes) {
  size_t size = bytes + sizeof(union header);
  union header *block = NULL;
  if (size < bytes || size > PTRDIFF_MAX) {
    /* More than there can be. */
  } else if (size > LARGEST_SMALL) {
    size = round_up(size, PAGE_BYTES);
    block = map(size);
  } else {
    size = small_size(size);
    pthread_mutex_lock(&lock);
    block = take_small(size);
    pthread_mutex_unlock(&lock);
  }
  if (block == NULL) {
    errno = ENOMEM;
    return NULL;
  }
  block->size = size;
  return block + 1;
}

void *malloc(size_t bytes) { return allocate(bytes); }

void free(void *at) {
  if (at == NULL) return;
  union header *header = (union header *)at - 1;
  if (header->size > LARGEST_SMALL) {
    int error = errno;
    munmap(header, header->size);
    errno = error;
    return;
  }
  struct free_block *block = (struct free_block *)(void *)header;
  pthread_mutex_lock(&lock);
  block->next = free_lists[header->size / GRAIN];
  free_lists[header->size / GRAIN] = block;
  pthread_mutex_unlock(&lock);
}

void *calloc(size_t count, size_t each) {
  size_t bytes;
  if (__builtin_mul_overflow(count, each, &bytes)) bytes = SIZE_MAX;
  void *at = allocate(bytes);
  /* Pages of the kernel's are zero, and stay untouched. */
  if (at != NULL && ((union header *)at - 1)->size <= LARGEST_SMALL) memset(at, 0, bytes);
  return at;
}

size_t malloc_usable_size(void *at) { return at == NULL ? 0 : ((union header *)at - 1)->size - sizeof(union header); }

static void *move_pages(union header *header, size_t bytes) {
  size_t size = round_up(bytes + sizeof *header, PAGE_BYTES);
  if (size < bytes || size > PTRDIFF_MAX) return NULL;
  header = mremap(header, header->size, size, MREMAP_MAYMOVE);
  if (header == MAP_FAILED) return NULL;
  header->size = size;
  return header + 1;
}

void *realloc(void *at, size_t bytes) {
  if (at == NULL) return malloc(bytes);
  size_t room = malloc_usable_size(at);
  union header *header = (union header *)at - 1;
  if (bytes <= room && (bytes >= room / 2 || room < 128)) return at;
  if (header->size > LARGEST_SMALL && bytes > LARGEST_SMALL) {
    void *moved = move_pages(header, bytes);
    if (moved == NULL) errno = ENOMEM;
    return moved;
  }
  void *moved = malloc(bytes);
  if (moved == NULL) return NULL;
  memcpy(moved, at, bytes < room ? bytes : room);
  free(at);
  return moved;
}
