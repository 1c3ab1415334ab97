/* The loop: waits for descriptors and timers, and lets promises run in between. */
#include "engine.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

int loop_open(struct engine *engine) {
  engine->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  return engine->epoll_fd < 0 ? -errno : 0;
}

static int control(struct engine *engine, int operation, int fd, uint32_t epoll_events, struct watch *watch) {
  struct epoll_event event = {.events = epoll_events, .data.ptr = watch};
  return epoll_ctl(engine->epoll_fd, operation, fd, &event) != 0 ? -errno : 0;
}

int loop_watch(struct engine *engine, int fd, uint32_t epoll_events, struct watch *watch) {
  return control(engine, EPOLL_CTL_ADD, fd, epoll_events, watch);
}

int loop_change(struct engine *engine, int fd, uint32_t epoll_events, struct watch *watch) {
  return control(engine, EPOLL_CTL_MOD, fd, epoll_events, watch);
}

void loop_forget(struct engine *engine, int fd) { control(engine, EPOLL_CTL_DEL, fd, 0, NULL); }

/** When nothing has happened for so long, nobody minds a pause. */
#define QUIET_MS 20

/** Waits for one event: a callback may close what a second one would be for. The kernel hands them out in turn. 0 = none came. */
static int wait_and_serve(struct engine *engine, int wait_ms) {
  struct epoll_event event;
  if (epoll_wait(engine->epoll_fd, &event, 1, wait_ms) != 1) return 0;
  struct watch *watch = event.data.ptr;
  watch->ready(engine, watch, event.events);
  return 1;
}

void loop_run(struct engine *engine) {
  while (engine->alive > 0) {
    if (timers_run(engine)) continue;
    int wait_ms = timers_wait_ms(engine);
    int is_long = wait_ms < 0 || wait_ms > QUIET_MS;
    if (is_long && heap_has_grown(engine)) {
      if (!wait_and_serve(engine, QUIET_MS)) heap_collect(engine);
    } else {
      wait_and_serve(engine, wait_ms);
    }
  }
}
