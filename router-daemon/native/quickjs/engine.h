/*
 * The executable with QuickJS inside: one engine, one loop, one thread (names are asked for in threads of their own, which
 * see nothing of this). router-daemon/src/host/quickjs/native.ts says what each function means for JavaScript.
 *
 *   core.c    I/O core  ─┐                               ┌─▶ timer.c: one that is due
 *   socket.c  sockets   ─┼─▶ loop.c: epoll, or a timer ──┤
 *   names.c   answers   ─┤       ▲ when it is quiet:      └─▶ ready(): whose descriptor it is
 *   process.c signals   ─┘       └ heap.c collects                  └─▶ engine_call ─▶ JavaScript ─▶ what promises settled
 */
#ifndef KCP_ROUTER_ENGINE_H
#define KCP_ROUTER_ENGINE_H

#include "quickjs.h"

#include <stddef.h>
#include <stdint.h>

/** Most an exception's line says. */
#define MAX_FAILURE_TEXT 1000

struct engine;

/** Something the loop watches. It may free itself when it is ready: events are taken one at a time. */
struct watch {
  void (*ready)(struct engine *engine, struct watch *self, uint32_t epoll_events);
};

/** heap.c */
struct heap {
  size_t used;
  size_t collect_idle_at; /* collect when it is quiet */
  size_t collect_now_at;  /* collect while JavaScript runs */
  uint32_t collections;
  double longest_pause_ms;
  double total_pause_ms;
};

struct engine {
  JSRuntime *runtime;
  JSContext *context;
  struct heap heap;
  int epoll_fd;
  /** Things that may call back; with none left the loop ends. */
  int alive;
  struct timers *timers;
  struct sockets *sockets;
  struct names *names;
  struct signals *signals;
  /** Rejected promises without a handler, until the running jobs are done. */
  JSValue *rejected;
  size_t rejected_count;
  int argc;
  char **argv;
};

static inline struct engine *engine_of(JSContext *context) { return JS_GetContextOpaque(context); }

/** NULL = not enough memory. */
struct engine *engine_create(int argc, char **argv);
void engine_destroy(struct engine *engine);
/** Reads the bytecode of a module, which is not needed any more afterwards. */
JSValue engine_load(struct engine *engine, const uint8_t *bytecode, size_t length);
/** Runs a module, then the loop until nothing is left to wait for. */
void engine_run(struct engine *engine, JSValue module);
/** Calls a function from the loop; what leaves it as an exception ends the process. */
void engine_call(struct engine *engine, JSValueConst function, int argc, JSValue *argv);
/** Prints the pending exception in one line and ends the process. */
_Noreturn void engine_fail(struct engine *engine, JSValue reason);

/** Replaces a stored function; the old one is freed. */
void engine_keep(struct engine *engine, JSValue *place, JSValueConst function);

/* loop.c */
int loop_open(struct engine *engine);
int loop_watch(struct engine *engine, int fd, uint32_t epoll_events, struct watch *watch);
int loop_change(struct engine *engine, int fd, uint32_t epoll_events, struct watch *watch);
void loop_forget(struct engine *engine, int fd);
void loop_run(struct engine *engine);

/* heap.c */
extern const JSMallocFunctions HEAP_FUNCTIONS;
void heap_attach(struct engine *engine);
/** So much that a collection is worth it when there is time. */
int heap_has_grown(const struct engine *engine);
void heap_collect(struct engine *engine);

/* timer.c */
int timers_open(struct engine *engine);
void timers_close(struct engine *engine);
/** Runs one timer that is due; 0 = none is. */
int timers_run(struct engine *engine);
/** Milliseconds to the next one, rounded up; -1 = there is none. */
int timers_wait_ms(const struct engine *engine);

/* Each of these defines its functions in the module's object. */
void core_define(JSContext *context, JSValueConst native);
void timer_define(JSContext *context, JSValueConst native);
int socket_define(JSContext *context, JSValueConst native);
void file_define(JSContext *context, JSValueConst native);
int process_define(JSContext *context, JSValueConst native);
int names_define(JSContext *context, JSValueConst native);
void text_define(JSContext *context, JSValueConst native);

void sockets_close(struct engine *engine);
void names_close(struct engine *engine);
void signals_close(struct engine *engine);

/** Defines the module `kcp-router:native`. 0 = done. */
int native_module_add(JSContext *context);

#endif
