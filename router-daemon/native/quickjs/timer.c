/* Timers in JavaScript's sense. The data path has one of its own in the I/O core. */
#include "arguments.h"
#include "engine.h"
#include "../io/io.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/** Timers that run at one time; beyond it startTimer throws. */
#define MAX_TIMERS 4096
/** epoll takes its timeout as an int; nobody minds waking once in a while. */
#define MAX_WAIT_MS 3600000

struct timer {
  double at_ms;
  int32_t number;
  JSValue run;
};

/** Sorted, the next one last: to fire is to shrink. */
struct timers {
  struct timer *list;
  size_t count, room;
  int32_t last_number;
};

int timers_open(struct engine *engine) {
  engine->timers = calloc(1, sizeof *engine->timers);
  return engine->timers == NULL ? -1 : 0;
}

void timers_close(struct engine *engine) {
  struct timers *timers = engine->timers;
  if (timers == NULL) return;
  for (size_t i = 0; i < timers->count; i++) JS_FreeValue(engine->context, timers->list[i].run);
  free(timers->list);
  free(timers);
  engine->timers = NULL;
}

int timers_run(struct engine *engine) {
  struct timers *timers = engine->timers;
  if (timers->count == 0 || timers->list[timers->count - 1].at_ms > io_now()) return 0;
  JSValue run = timers->list[--timers->count].run;
  engine->alive--;
  engine_call(engine, run, 0, NULL);
  JS_FreeValue(engine->context, run);
  return 1;
}

int timers_wait_ms(const struct engine *engine) {
  const struct timers *timers = engine->timers;
  if (timers->count == 0) return -1;
  double wait = ceil(timers->list[timers->count - 1].at_ms - io_now());
  if (wait <= 0) return 0;
  return wait < MAX_WAIT_MS ? (int)wait : MAX_WAIT_MS;
}

static int grow(struct timers *timers) {
  if (timers->count < timers->room) return 1;
  size_t room = timers->room == 0 ? 16 : 2 * timers->room;
  struct timer *list = realloc(timers->list, room * sizeof *list);
  if (list == NULL) return 0;
  timers->list = list;
  timers->room = room;
  return 1;
}

static JSValue start_timer(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  struct engine *engine = engine_of(context);
  struct timers *timers = engine->timers;
  double delay_ms;
  if (!argument_function(context, argv[0], "startTimer", 0)) return JS_EXCEPTION;
  if (!argument_double(context, argv[1], "startTimer", 1, &delay_ms)) return JS_EXCEPTION;
  if (timers->count == MAX_TIMERS) return JS_ThrowRangeError(context, "startTimer: %d timers run already.", MAX_TIMERS);
  if (!grow(timers)) return JS_ThrowOutOfMemory(context);
  timers->last_number = timers->last_number == INT32_MAX ? 1 : timers->last_number + 1;
  /* NaN is at once, as for setTimeout. */
  struct timer timer = {io_now() + (delay_ms > 0 ? delay_ms : 0), timers->last_number, JS_DupValue(context, argv[0])};
  /* Behind it lie those that come before it; among equals the older one fires first. */
  size_t place = timers->count;
  while (place > 0 && timers->list[place - 1].at_ms <= timer.at_ms) place--;
  memmove(&timers->list[place + 1], &timers->list[place], (timers->count - place) * sizeof timer);
  timers->list[place] = timer;
  timers->count++;
  engine->alive++;
  return JS_NewInt32(context, timer.number);
}

static JSValue stop_timer(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  struct engine *engine = engine_of(context);
  struct timers *timers = engine->timers;
  int32_t number;
  if (!argument_int(context, argv[0], "stopTimer", 0, &number)) return JS_EXCEPTION;
  for (size_t i = timers->count; i-- > 0;) {
    if (timers->list[i].number != number) continue;
    JSValue run = timers->list[i].run;
    timers->count--;
    memmove(&timers->list[i], &timers->list[i + 1], (timers->count - i) * sizeof timers->list[i]);
    engine->alive--;
    JS_FreeValue(context, run);
    break;
  }
  return JS_UNDEFINED;
}

static JSValue monotonic_ms(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  return JS_NewFloat64(context, io_now());
}

static JSValue wall_clock_ms(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return JS_NewFloat64(context, (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6);
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("startTimer", 2, start_timer),
    JS_CFUNC_DEF("stopTimer", 1, stop_timer),
    JS_CFUNC_DEF("monotonicMs", 0, monotonic_ms),
    JS_CFUNC_DEF("wallClockMs", 0, wall_clock_ms),
};

void timer_define(JSContext *context, JSValueConst native) {
  JS_SetPropertyFunctionList(context, native, FUNCTIONS, sizeof FUNCTIONS / sizeof *FUNCTIONS);
}
