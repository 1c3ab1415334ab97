#include "path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void calendar_init(struct calendar *calendar, uint32_t frame_bytes) {
  size_t bytes = (size_t)frame_bytes * MAX_FRAMES;
  calendar->frames = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  calendar->free_frames = malloc(MAX_FRAMES * sizeof *calendar->free_frames);
  calendar->heap = malloc(MAX_FRAMES * sizeof *calendar->heap);
  if (calendar->frames == MAP_FAILED || !calendar->free_frames || !calendar->heap) {
    fputs("linkem: out of memory\n", stderr);
    exit(1);
  }
  calendar->frame_bytes = frame_bytes;
  calendar->heap_count = 0;
  calendar->order = 0;
  for (uint32_t i = 0; i < MAX_FRAMES; i++) calendar->free_frames[i] = MAX_FRAMES - 1 - i;
  calendar->free_count = MAX_FRAMES;
}

static uint8_t *frame_at(const struct calendar *calendar, uint32_t frame) {
  return calendar->frames + (size_t)frame * calendar->frame_bytes;
}

uint8_t *calendar_spare(const struct calendar *calendar) {
  return calendar->free_count == 0 ? NULL : frame_at(calendar, calendar->free_frames[calendar->free_count - 1]);
}

static bool earlier(const struct due *a, const struct due *b) {
  return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void heap_push(struct calendar *calendar, struct due item) {
  uint32_t i = calendar->heap_count++;
  for (; i > 0 && earlier(&item, &calendar->heap[(i - 1) / 2]); i = (i - 1) / 2)
    calendar->heap[i] = calendar->heap[(i - 1) / 2];
  calendar->heap[i] = item;
}

static struct due heap_pop(struct calendar *calendar) {
  struct due top = calendar->heap[0], last = calendar->heap[--calendar->heap_count];
  uint32_t i = 0, n = calendar->heap_count;
  for (uint32_t child; (child = 2 * i + 1) < n; i = child) {
    if (child + 1 < n && earlier(&calendar->heap[child + 1], &calendar->heap[child])) child++;
    if (!earlier(&calendar->heap[child], &last)) break;
    calendar->heap[i] = calendar->heap[child];
  }
  if (n > 0) calendar->heap[i] = last;
  return top;
}

static void schedule(struct calendar *calendar, uint8_t which, uint32_t frame, uint32_t length, uint64_t at) {
  heap_push(calendar, (struct due){at, calendar->order++, frame, (uint16_t)length, which});
}

void path_admit(struct path *paths, uint8_t which, struct calendar *calendar, uint32_t length, uint64_t now) {
  struct path *path = &paths[which];
  const struct parameters *p = &path->parameters;
  struct counters *count = &path->counters;
  count->received++;
  count->received_bytes += length;
  /* Every packet uses up one fate, also one dropped by the queue: otherwise luck would depend on timing. */
  struct verdict verdict = fate_next(&path->fates, p);
  if (p->down > 0) {
    count->while_down++;
    return;
  }
  if (p->mtu > 0 && length > p->mtu) {
    count->too_big++;
    return;
  }
  uint64_t leaves = now;
  if (p->rate_mbit > 0) {
    double ns_per_byte = 8e3 / p->rate_mbit;
    uint64_t waiting_ns = path->free_at > now ? path->free_at - now : 0;
    uint64_t backlog = (uint64_t)((double)waiting_ns / ns_per_byte) + length;
    if (p->queue_bytes > 0 && (double)backlog > p->queue_bytes) {
      count->queue_full++;
      return;
    }
    if (backlog > count->max_backlog_bytes) count->max_backlog_bytes = backlog;
    leaves = now + waiting_ns + (uint64_t)((double)length * ns_per_byte);
    path->free_at = leaves;
  }
  if (verdict.fate != FATE_DELIVERED) {
    if (verdict.fate == FATE_LOST) count->lost++;
    else count->lost_in_burst++;
    return;
  }
  uint64_t at = leaves + verdict.extra_ns;
  if (verdict.reordered) {
    count->reordered++;
  } else {
    if (at < path->last_due) at = path->last_due;
    path->last_due = at;
  }
  uint32_t frame = calendar->free_frames[--calendar->free_count];
  schedule(calendar, which, frame, length, at);
  if (verdict.duplicated && calendar->free_count > 0) {
    count->duplicated++;
    uint32_t copy = calendar->free_frames[--calendar->free_count];
    memcpy(frame_at(calendar, copy), frame_at(calendar, frame), length);
    schedule(calendar, which, copy, length, at);
  }
}

uint64_t calendar_deliver(struct calendar *calendar, struct path *paths, uint64_t now, uint64_t slack) {
  while (calendar->heap_count > 0 && calendar->heap[0].at <= now + slack) {
    struct due due = heap_pop(calendar);
    struct counters *count = &paths[due.path].counters;
    if (write(paths[due.path].out, frame_at(calendar, due.frame), due.length) == (ssize_t)due.length) {
      count->delivered++;
      count->delivered_bytes += due.length;
    } else {
      count->write_failed++;
    }
    uint64_t late = now > due.at ? now - due.at : 0;
    count->late_ns += late;
    if (late > count->max_late_ns) count->max_late_ns = late;
    calendar->free_frames[calendar->free_count++] = due.frame;
  }
  return calendar->heap_count > 0 ? calendar->heap[0].at : UINT64_MAX;
}
