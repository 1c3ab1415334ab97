/*
 * The engine's memory, and when cycles are collected. The engine frees by reference counts; its collector walks the whole
 * heap, so it is best done when there is time: when the loop has nothing to do, once the heap has grown by a part. Only a
 * heap that grows without a rest is collected while JavaScript runs (where the engine asks for interrupts), never inside
 * an allocation.
 */
#include "engine.h"
#include "../io/io.h"

#include <malloc.h>
#include <stdlib.h>

/** Growth that is worth a collection: a part of the heap, at least so much. Connections leave no cycles: growth is mostly in use. */
#define IDLE_GROWTH_BYTES (512 << 10)
#define URGENT_GROWTH_BYTES (8 << 20)

/* What the C library keeps beside each block, about. */
#define BLOCK_OVERHEAD 8

static int room_for(const JSMallocState *state, size_t bytes) {
  return state->malloc_size + bytes <= state->malloc_limit;
}

static void note(JSMallocState *state, size_t grown, size_t shrunk) {
  state->malloc_size += grown - shrunk;
  ((struct heap *)state->opaque)->used = state->malloc_size;
}

static void *heap_malloc(JSMallocState *state, size_t size) {
  if (!room_for(state, size)) return NULL;
  void *block = malloc(size);
  if (block == NULL) return NULL;
  state->malloc_count++;
  note(state, malloc_usable_size(block) + BLOCK_OVERHEAD, 0);
  return block;
}

static void heap_free(JSMallocState *state, void *block) {
  if (block == NULL) return;
  state->malloc_count--;
  note(state, 0, malloc_usable_size(block) + BLOCK_OVERHEAD);
  free(block);
}

static void *heap_realloc(JSMallocState *state, void *block, size_t size) {
  if (block == NULL) return size == 0 ? NULL : heap_malloc(state, size);
  if (size == 0) {
    heap_free(state, block);
    return NULL;
  }
  size_t before = malloc_usable_size(block);
  if (size > before && !room_for(state, size - before)) return NULL;
  void *moved = realloc(block, size);
  if (moved == NULL) return NULL;
  note(state, malloc_usable_size(moved), before);
  return moved;
}

static size_t heap_usable_size(const void *block) { return malloc_usable_size((void *)(uintptr_t)block); }

const JSMallocFunctions HEAP_FUNCTIONS = {heap_malloc, heap_free, heap_realloc, heap_usable_size};

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static void plan(struct heap *heap) {
  heap->collect_idle_at = heap->used + larger(heap->used / 4, IDLE_GROWTH_BYTES);
  heap->collect_now_at = heap->used + larger(heap->used / 2, URGENT_GROWTH_BYTES);
}

void heap_collect(struct engine *engine) {
  struct heap *heap = &engine->heap;
  double start = io_now();
  JS_RunGC(engine->runtime);
  double pause = io_now() - start;
  heap->collections++;
  heap->total_pause_ms += pause;
  if (pause > heap->longest_pause_ms) heap->longest_pause_ms = pause;
  plan(heap);
}

static int at_interrupt(JSRuntime *runtime, void *opaque) {
  (void)runtime;
  struct engine *engine = opaque;
  if (engine->heap.used > engine->heap.collect_now_at) heap_collect(engine);
  return 0;
}

void heap_attach(struct engine *engine) {
  /* Never by itself. */
  JS_SetGCThreshold(engine->runtime, (size_t)-1);
  JS_SetInterruptHandler(engine->runtime, at_interrupt, engine);
  plan(&engine->heap);
}

int heap_has_grown(const struct engine *engine) { return engine->heap.used > engine->heap.collect_idle_at; }
