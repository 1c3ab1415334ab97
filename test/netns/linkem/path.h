/*
 * One direction of the link: rate and queue, then the fate, then the calendar that says when a packet comes out.
 *
 *     TUN of one end ──▶ [ queue: bytes waiting for the rate ] ──▶ fate ──▶ calendar (heap by due time) ──▶ other TUN
 *                              └ full: dropped                      └ lost
 *
 * The queue is arithmetic: `free_at` is when the last accepted bit has left, so the backlog is (free_at - now) * rate.
 * Loss comes after it: a lost packet has used its share of the rate, as on a real line.
 */
#ifndef LINKEM_PATH_H
#define LINKEM_PATH_H

#include "fate.h"

#define MAX_FRAMES 65536u /* frames in flight in both directions; one more is dropped and counted as `overflow` */

struct counters {
  uint64_t received, received_bytes, delivered, delivered_bytes;
  uint64_t lost, lost_in_burst, queue_full, too_big, while_down, overflow, write_failed;
  uint64_t duplicated, reordered;
  uint64_t max_backlog_bytes, late_ns, max_late_ns;
};

struct path {
  struct parameters parameters;
  struct fate_source fates;
  struct counters counters;
  uint64_t free_at; /* ns */
  uint64_t last_due;
  int out; /* the TUN where its packets come out */
};

struct due {
  uint64_t at, order;
  uint32_t frame;
  uint16_t length;
  uint8_t path;
};

struct calendar {
  uint8_t *frames;
  uint32_t frame_bytes;
  uint32_t *free_frames;
  uint32_t free_count;
  struct due *heap;
  uint32_t heap_count;
  uint64_t order;
};

void calendar_init(struct calendar *calendar, uint32_t frame_bytes);
/* The frame to read the next packet into, or NULL when all are in flight. */
uint8_t *calendar_spare(const struct calendar *calendar);
/* Decides about the packet of `length` bytes that was read into the spare frame at `now`. */
void path_admit(struct path *paths, uint8_t which, struct calendar *calendar, uint32_t length, uint64_t now);
/* Writes out what is due up to `now + slack`. Returns when the next one is due, UINT64_MAX when there is none. */
uint64_t calendar_deliver(struct calendar *calendar, struct path *paths, uint64_t now, uint64_t slack);

#endif
