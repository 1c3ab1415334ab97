/* Creation, the handle table, events, the timer, clock and randomness. */
#include "core.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define INDEX_BITS 14
#define INDEX_MASK ((1 << INDEX_BITS) - 1)
#define GENERATION_MASK 0x1ffff /* handles stay positive 31-bit integers */

_Static_assert(IO_MAX_HANDLES == 1 << INDEX_BITS, "a handle's index has 14 bits");

int io_create(const struct io_config *config, struct io_core **out) {
  uint64_t slots = (uint64_t)config->slot_count * config->slot_bytes;
  if (config->arena == NULL || ((uintptr_t)config->arena & 7) != 0 || config->arena_bytes > INT32_MAX) return -EINVAL;
  if (config->slot_bytes < 64 || config->slot_bytes > IO_MAX_SLOT_BYTES || config->slot_count == 0) return -EINVAL;
  if (slots > config->arena_bytes || (uint64_t)config->ring_offset + config->ring_bytes > config->arena_bytes) {
    return -EINVAL;
  }
  struct io_core *core = calloc(1, sizeof *core);
  if (core == NULL) return -ENOMEM;
  core->epoll_fd = core->timer_fd = core->ioctl_fd = -1;
  core->arena = config->arena;
  core->arena_bytes = config->arena_bytes;
  core->words = (int32_t *)(void *)config->arena;
  core->slot_count = config->slot_count;
  core->slot_bytes = config->slot_bytes;
  core->ring_offset = config->ring_offset;
  core->ring_bytes = config->ring_bytes;
  core->without = config->without;
  core->nonce_at = NONCE_POOL_BYTES;
  core->timer_at = INFINITY;
  int error = -ENOMEM;
  core->links = calloc(IO_MAX_LINKS, sizeof *core->links);
  core->routes = calloc(IO_MAX_ROUTES, sizeof *core->routes);
  core->buckets = calloc(LINK_BUCKETS, sizeof *core->buckets);
  if (core->links == NULL || core->routes == NULL || core->buckets == NULL || tx_create(core) != 0) goto fail;
  error = fill_random((uint8_t *)&core->hash_seed, sizeof core->hash_seed);
  if (error != 0) goto fail;
  core->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  core->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  core->ioctl_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  error = -errno;
  if (core->epoll_fd < 0 || core->timer_fd < 0 || core->ioctl_fd < 0) goto fail;
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = 0};
  if (epoll_ctl(core->epoll_fd, EPOLL_CTL_ADD, core->timer_fd, &event) != 0) {
    error = -errno;
    goto fail;
  }
  *out = core;
  return 0;
fail:
  io_destroy(core);
  return error;
}

void io_destroy(struct io_core *core) {
  if (core == NULL) return;
  for (int32_t i = 1; i < core->handle_count; i++) {
    struct handle *entry = &core->handles[i];
    if (entry->kind == KIND_FREE) continue;
    if (entry->kind == KIND_UDP) rx_release(core, &entry->as.udp);
    close(entry->fd);
  }
  if (core->epoll_fd >= 0) close(core->epoll_fd);
  if (core->timer_fd >= 0) close(core->timer_fd);
  if (core->ioctl_fd >= 0) close(core->ioctl_fd);
  rx_free_all(core);
  tx_free(core);
  aead_free(core->aead);
  free(core->frame);
  free(core->handles);
  free(core->links);
  free(core->routes);
  free(core->buckets);
  free(core);
}

int io_event_fd(const struct io_core *core) { return core->epoll_fd; }

double io_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

int64_t io_unix_time(void) { return (int64_t)time(NULL); }

int fill_random(uint8_t *into, size_t length) {
  while (length > 0) {
    ssize_t got = getrandom(into, length, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return -errno;
    into += got;
    length -= (size_t)got;
  }
  return 0;
}

int io_random(struct io_core *core, int32_t offset, int32_t length) {
  if (!bytes_ok(core, offset, length)) return -EINVAL;
  return fill_random(core->arena + offset, (size_t)length);
}

const uint8_t *next_nonce(struct io_core *core) {
  if (core->nonce_at + AEAD_NONCE_BYTES > NONCE_POOL_BYTES) {
    if (fill_random(core->nonces, NONCE_POOL_BYTES) != 0) return NULL;
    core->nonce_at = 0;
  }
  const uint8_t *nonce = core->nonces + core->nonce_at;
  core->nonce_at += AEAD_NONCE_BYTES;
  return nonce;
}

void set_message(char *message, size_t bytes, const char *format, ...) {
  if (bytes == 0) return;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, bytes, format, arguments);
  va_end(arguments);
}

/* ── handles ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct handle *entry_of(struct io_core *core, int32_t handle) {
  int32_t index = handle & INDEX_MASK;
  if (handle <= 0 || index >= core->handle_count) return NULL;
  struct handle *entry = &core->handles[index];
  if (entry->kind == KIND_FREE || entry->generation != (uint32_t)handle >> INDEX_BITS) return NULL;
  return entry;
}

struct handle *handle_get(struct io_core *core, int32_t handle, enum kind kind) {
  struct handle *entry = entry_of(core, handle);
  return entry != NULL && entry->kind == kind ? entry : NULL;
}

static int grow_handles(struct io_core *core) {
  int32_t count = core->handle_count == 0 ? 32 : core->handle_count * 2;
  if (count > IO_MAX_HANDLES) return -EMFILE;
  struct handle *grown = realloc(core->handles, (size_t)count * sizeof *grown);
  if (grown == NULL) return -ENOMEM;
  memset(grown + core->handle_count, 0, (size_t)(count - core->handle_count) * sizeof *grown);
  int32_t first = core->handle_count == 0 ? 1 : core->handle_count;
  for (int32_t i = first; i < count; i++) grown[i].next_free = i + 1 < count ? i + 1 : 0;
  core->free_handle = first;
  core->handles = grown;
  core->handle_count = count;
  return 0;
}

int handle_new(struct io_core *core, int fd, enum kind kind, uint32_t events) {
  if (core->free_handle == 0) {
    int error = grow_handles(core);
    if (error != 0) {
      close(fd);
      return error;
    }
  }
  int32_t index = core->free_handle;
  struct handle *entry = &core->handles[index];
  uint32_t generation = (entry->generation + 1) & GENERATION_MASK;
  if (generation == 0) generation = 1;
  int32_t handle = (int32_t)(generation << INDEX_BITS) | index;
  struct epoll_event event = {.events = events | EPOLLET, .data.u32 = (uint32_t)handle};
  if (epoll_ctl(core->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
    int error = -errno;
    close(fd);
    return error;
  }
  core->free_handle = entry->next_free;
  memset(entry, 0, sizeof *entry);
  entry->fd = fd;
  entry->kind = kind;
  entry->generation = generation;
  return handle;
}

void handle_rearm(struct io_core *core, int32_t handle, uint32_t events) {
  struct handle *entry = entry_of(core, handle);
  if (entry == NULL) return;
  struct epoll_event event = {.events = events | EPOLLET, .data.u32 = (uint32_t)handle};
  epoll_ctl(core->epoll_fd, EPOLL_CTL_MOD, entry->fd, &event);
}

int io_close(struct io_core *core, int32_t handle) {
  struct handle *entry = entry_of(core, handle);
  if (entry == NULL) return -EBADF;
  if (entry->kind == KIND_UDP) {
    rx_release(core, &entry->as.udp);
    links_forget_socket(core, handle);
  }
  close(entry->fd);
  entry->kind = KIND_FREE;
  entry->next_free = core->free_handle;
  core->free_handle = handle & INDEX_MASK;
  return 0;
}

int64_t gather(struct io_core *core, int32_t iov, int32_t count) {
  if (count < 0 || count > IO_MAX_IOV || !words_ok(core, iov, count, 2)) return -EINVAL;
  const int32_t *pair = core->words + iov;
  int64_t total = 0;
  for (int32_t i = 0; i < count; i++, pair += 2) {
    if (!bytes_ok(core, pair[0], pair[1])) return -EINVAL;
    core->iov[i].iov_base = core->arena + pair[0];
    core->iov[i].iov_len = (size_t)pair[1];
    total += pair[1];
  }
  return total;
}

/* ── events ───────────────────────────────────────────────────────────────────────────────────────────────────── */

int io_wait(struct io_core *core, int timeout_ms) {
  if (core->event_at < core->event_count) return core->event_count - core->event_at;
  core->event_at = core->event_count = 0;
  int ready = epoll_wait(core->epoll_fd, core->events, IO_MAX_EVENTS, timeout_ms);
  if (ready < 0) return errno == EINTR ? 0 : -errno;
  core->count.polls++;
  return core->event_count = ready;
}

int io_poll(struct io_core *core, int32_t out, int32_t max) {
  if (!words_ok(core, out, max, 2)) return -EINVAL;
  if (max == 0) return 0;
  int ready = io_wait(core, 0);
  if (ready < 0) return ready;
  int32_t *word = core->words + out;
  int written = 0;
  for (; written < max && core->event_at < core->event_count; core->event_at++) {
    int32_t handle = (int32_t)core->events[core->event_at].data.u32;
    uint32_t what = core->events[core->event_at].events;
    int32_t bits = 0;
    if (handle == 0) {
      core->timer_at = INFINITY;
      bits = IO_EVENT_TIMER;
    } else {
      struct handle *entry = entry_of(core, handle);
      if (entry == NULL) continue;
      /* The end of a stream is found by reading. */
      if (what & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        bits |= IO_EVENT_READABLE;
        entry->drained = 0;
      }
      if (what & EPOLLOUT) bits |= IO_EVENT_WRITABLE;
      if (what & (EPOLLHUP | EPOLLRDHUP)) bits |= IO_EVENT_HANGUP;
      if (what & EPOLLERR) bits |= IO_EVENT_ERROR;
    }
    *word++ = handle;
    *word++ = bits;
    written++;
  }
  return written;
}

int io_set_timer(struct io_core *core, double at_ms) {
  /* Years away is off: what does not fit a timespec must not become a negative number. */
  if (!(at_ms < 1e14)) at_ms = INFINITY;
  if (at_ms == core->timer_at) return 0;
  struct itimerspec when = {0};
  if (at_ms != INFINITY) {
    if (at_ms < 0) at_ms = 0;
    double seconds = floor(at_ms * 1e-3);
    when.it_value.tv_sec = (time_t)seconds;
    when.it_value.tv_nsec = (long)((at_ms - seconds * 1e3) * 1e6);
    if (when.it_value.tv_nsec < 0) when.it_value.tv_nsec = 0;
    if (when.it_value.tv_nsec > 999999999) when.it_value.tv_nsec = 999999999;
    /* All zero would switch the timer off. */
    if (when.it_value.tv_sec == 0 && when.it_value.tv_nsec == 0) when.it_value.tv_nsec = 1;
  }
  if (timerfd_settime(core->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) != 0) return -errno;
  core->timer_at = at_ms;
  core->count.timerSets++;
  return 0;
}

const char *io_counter(const struct io_core *core, int number, uint64_t *value) {
  static const char *const names[] = {
#define X(name) #name,
      IO_COUNTERS(X)
#undef X
  };
  if (number < 0 || (size_t)number >= sizeof names / sizeof *names) return NULL;
  memcpy(value, (const uint8_t *)&core->count + (size_t)number * sizeof *value, sizeof *value);
  return names[number];
}
