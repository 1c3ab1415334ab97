/*
 * The I/O core for QuickJS, function by function as native/node binds it for Node. `create` returns an object of class Core;
 * its functions are its class's. A core keeps its arena from being freed, and every call sees to it that the arena is
 * still whole.
 */
#include "arguments.h"
#include "engine.h"
#include "errors.h"
#include "../io/calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#define MESSAGE_BYTES 256

struct binding {
  struct watch watch; /* first: the loop hands it back */
  struct engine *engine;
  struct io_core *core; /* NULL after dispose */
  JSValue arena;
  uint8_t *arena_at;
  size_t arena_bytes;
  JSValue wake;
  int watched;
};

static JSClassID core_class;

/* ── life ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void dispose(struct binding *binding) {
  if (binding->core == NULL) return;
  if (binding->watched) {
    loop_forget(binding->engine, io_event_fd(binding->core));
    binding->engine->alive--;
    binding->watched = 0;
  }
  io_destroy(binding->core);
  binding->core = NULL;
  JSRuntime *runtime = binding->engine->runtime;
  JSValue wake = binding->wake, arena = binding->arena;
  binding->wake = binding->arena = JS_UNDEFINED;
  JS_FreeValueRT(runtime, wake);
  JS_FreeValueRT(runtime, arena);
}

static void finalize(JSRuntime *runtime, JSValue value) {
  (void)runtime;
  struct binding *binding = JS_GetOpaque(value, core_class);
  if (binding == NULL) return;
  dispose(binding);
  free(binding);
}

static void mark(JSRuntime *runtime, JSValueConst value, JS_MarkFunc *mark_function) {
  struct binding *binding = JS_GetOpaque(value, core_class);
  if (binding == NULL) return;
  JS_MarkValue(runtime, binding->arena, mark_function);
  JS_MarkValue(runtime, binding->wake, mark_function);
}

static const JSClassDef CORE_CLASS = {"Core", .finalizer = finalize, .gc_mark = mark};

/** NULL = an exception is pending. */
static struct binding *binding_of(JSContext *context, JSValueConst self) {
  struct binding *binding = JS_GetOpaque(self, core_class);
  if (binding == NULL) JS_ThrowTypeError(context, "This function belongs to a core: call it as core.name(…).");
  return binding;
}

/** Whoever transfers or detaches the arena takes the core's memory away: nothing may go on then. */
static int arena_is_whole(JSContext *context, const struct binding *binding) {
  size_t bytes;
  const uint8_t *at = JS_GetArrayBuffer(context, &bytes, binding->arena);
  if (at == binding->arena_at && bytes == binding->arena_bytes) return 1;
  if (at == NULL) JS_FreeValue(context, JS_GetException(context));
  JS_ThrowTypeError(context, "The core's arena was detached.");
  return 0;
}

/* ── calls that take integers and return one ──────────────────────────────────────────────────────────────────── */

static JSValue run_call(JSContext *context, JSValueConst self, int argc, JSValueConst *argv, int magic) {
  (void)argc;
  const struct io_call *call = &IO_CALLS[magic];
  struct binding *binding = binding_of(context, self);
  int32_t a[IO_CALL_MAX_ARGUMENTS];
  if (binding == NULL) return JS_EXCEPTION;
  for (int i = 0; i < call->arguments; i++) {
    if (!argument_int(context, argv[i], call->name, i, &a[i])) return JS_EXCEPTION;
  }
  if (binding->core == NULL) return JS_NewInt32(context, error_out(-EBADF));
  if (!arena_is_whole(context, binding)) return JS_EXCEPTION;
  return JS_NewInt32(context, error_out(call->run(binding->core, a)));
}

/* ── the others ───────────────────────────────────────────────────────────────────────────────────────────────── */

static JSValue now(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  return JS_NewFloat64(context, io_now());
}

static JSValue unix_time(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  return JS_NewInt64(context, io_unix_time());
}

static JSValue describe_error(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  int32_t code;
  char buffer[MESSAGE_BYTES];
  if (!argument_int(context, argv[0], "describeError", 0, &code)) return JS_EXCEPTION;
  return JS_NewString(context, io_describe(error_in(code), buffer, sizeof buffer));
}

static JSValue set_timer(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)argc;
  struct binding *binding = binding_of(context, self);
  double at_ms;
  if (binding == NULL || !argument_double(context, argv[0], "setTimer", 0, &at_ms)) return JS_EXCEPTION;
  return JS_NewInt32(context, error_out(binding->core == NULL ? -EBADF : io_set_timer(binding->core, at_ms)));
}

static JSValue make_failure(JSContext *context, int error, const char *message) {
  JSValue object = JS_NewObject(context);
  define(context, object, "error", JS_NewInt32(context, error_out(error)));
  define(context, object, "message", JS_NewString(context, message));
  return object;
}

static JSValue tun_open(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)argc;
  char message[MESSAGE_BYTES] = "";
  struct io_tun_info tun;
  struct binding *binding = binding_of(context, self);
  if (binding == NULL) return JS_EXCEPTION;
  size_t length;
  const char *name = argument_text(context, argv[0], "tunOpen", 0, &length);
  if (name == NULL) return JS_EXCEPTION;
  int result = -EBADF;
  if (binding->core == NULL) strcpy(message, "The host is disposed.");
  else result = io_tun_open(binding->core, strlen(name) == length ? name : "", &tun, message, sizeof message);
  JS_FreeCString(context, name);
  if (result < 0) return make_failure(context, result, message);
  JSValue object = JS_NewObject(context);
  define(context, object, "handle", JS_NewInt32(context, tun.handle));
  define(context, object, "name", JS_NewString(context, tun.name));
  define(context, object, "offload", JS_NewBool(context, tun.offload));
  define(context, object, "udpOffload", JS_NewBool(context, tun.udp_offload));
  return object;
}

static JSValue udp_open(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)argc;
  char message[MESSAGE_BYTES] = "";
  int32_t endpoint;
  struct io_udp_info udp;
  struct binding *binding = binding_of(context, self);
  if (binding == NULL || !argument_int(context, argv[0], "udpOpen", 0, &endpoint)) return JS_EXCEPTION;
  if (binding->core == NULL) return make_failure(context, -EBADF, "The host is disposed.");
  if (!arena_is_whole(context, binding)) return JS_EXCEPTION;
  int result = io_udp_open(binding->core, endpoint, &udp, message, sizeof message);
  if (result < 0) return make_failure(context, result, message);
  JSValue object = JS_NewObject(context);
  define(context, object, "handle", JS_NewInt32(context, udp.handle));
  define(context, object, "port", JS_NewInt32(context, udp.port));
  define(context, object, "segmentation", JS_NewBool(context, udp.segmentation));
  define(context, object, "coalescing", JS_NewBool(context, udp.coalescing));
  return object;
}

static JSValue counters(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)argc, (void)argv;
  struct binding *binding = binding_of(context, self);
  if (binding == NULL) return JS_EXCEPTION;
  JSValue object = JS_NewObject(context);
  uint64_t value;
  const char *name;
  for (int i = 0; binding->core != NULL && (name = io_counter(binding->core, i, &value)) != NULL; i++) {
    define(context, object, name, JS_NewInt64(context, (int64_t)value));
  }
  return object;
}

static void wake_up(struct engine *engine, struct watch *self, uint32_t epoll_events) {
  (void)epoll_events;
  struct binding *binding = (struct binding *)(void *)self;
  /* The call may dispose of the core and so of the function. */
  JSValue wake = JS_DupValue(engine->context, binding->wake);
  engine_call(engine, wake, 0, NULL);
  JS_FreeValue(engine->context, wake);
}

static JSValue on_ready(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)argc;
  struct binding *binding = binding_of(context, self);
  if (binding == NULL || !argument_function(context, argv[0], "onReady", 0)) return JS_EXCEPTION;
  if (binding->core == NULL) return JS_NewInt32(context, error_out(-EBADF));
  if (!binding->watched) {
    int error = loop_watch(binding->engine, io_event_fd(binding->core), EPOLLIN, &binding->watch);
    if (error != 0) return JS_NewInt32(context, error_out(error));
    binding->watched = 1;
    binding->engine->alive++;
  }
  engine_keep(binding->engine, &binding->wake, argv[0]);
  return JS_NewInt32(context, 0);
}

static JSValue dispose_core(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)argc, (void)argv;
  struct binding *binding = binding_of(context, self);
  if (binding == NULL) return JS_EXCEPTION;
  dispose(binding);
  return JS_NewInt32(context, 0);
}

static const JSCFunctionListEntry OTHERS[] = {
    JS_CFUNC_DEF("now", 0, now),
    JS_CFUNC_DEF("unixTime", 0, unix_time),
    JS_CFUNC_DEF("describeError", 1, describe_error),
    JS_CFUNC_DEF("setTimer", 1, set_timer),
    JS_CFUNC_DEF("tunOpen", 1, tun_open),
    JS_CFUNC_DEF("udpOpen", 1, udp_open),
    JS_CFUNC_DEF("counters", 0, counters),
    JS_CFUNC_DEF("onReady", 1, on_ready),
    JS_CFUNC_DEF("dispose", 0, dispose_core),
};

/* ── making one ───────────────────────────────────────────────────────────────────────────────────────────────── */

static JSValue create(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  int32_t number[6];
  size_t bytes;
  uint8_t *arena = JS_IsObject(argv[0]) ? JS_GetArrayBuffer(context, &bytes, argv[0]) : NULL;
  if (arena == NULL) {
    JS_FreeValue(context, JS_GetException(context));
    return JS_ThrowTypeError(context, "create: argument 1 must be an ArrayBuffer.");
  }
  for (int i = 1; i < 6; i++) {
    if (!argument_int(context, argv[i], "create", i, &number[i])) return JS_EXCEPTION;
    if (number[i] < 0) return JS_ThrowRangeError(context, "create: sizes must not be negative.");
  }
  struct io_config config = {
      .arena = arena,
      .arena_bytes = bytes,
      .slot_count = (uint32_t)number[1],
      .slot_bytes = (uint32_t)number[2],
      .ring_offset = (uint32_t)number[3],
      .ring_bytes = (uint32_t)number[4],
      .without = (uint32_t)number[5],
  };
  struct binding *binding = calloc(1, sizeof *binding);
  if (binding == NULL) return JS_ThrowOutOfMemory(context);
  int error = io_create(&config, &binding->core);
  if (error != 0) {
    char buffer[MESSAGE_BYTES];
    free(binding);
    return make_failure(context, error, io_describe(error, buffer, sizeof buffer));
  }
  binding->watch.ready = wake_up;
  binding->engine = engine_of(context);
  binding->arena = JS_DupValue(context, argv[0]);
  binding->arena_at = arena;
  binding->arena_bytes = bytes;
  binding->wake = JS_UNDEFINED;
  JSValue object = JS_NewObjectClass(context, (int)core_class);
  if (JS_IsException(object)) {
    dispose(binding);
    free(binding);
    return object;
  }
  JS_SetOpaque(object, binding);
  return object;
}

static void free_arena(JSRuntime *runtime, void *opaque, void *at) {
  (void)runtime;
  munmap(at, (size_t)(uintptr_t)opaque);
}

static JSValue make_arena(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  double wanted;
  if (!argument_double(context, argv[0], "makeArena", 0, &wanted)) return JS_EXCEPTION;
  if (!(wanted >= 1 && wanted <= INT32_MAX)) {
    return JS_ThrowRangeError(context, "makeArena: an arena has 1 to %d bytes.", INT32_MAX);
  }
  size_t bytes = (size_t)wanted;
  void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return JS_ThrowRangeError(context, "makeArena: there is no memory for %zu bytes.", bytes);
  JSValue buffer = JS_NewArrayBuffer(context, at, bytes, free_arena, (void *)(uintptr_t)bytes, 0);
  if (JS_IsException(buffer)) munmap(at, bytes);
  return buffer;
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("create", 6, create),
    JS_CFUNC_DEF("makeArena", 1, make_arena),
};

void core_define(JSContext *context, JSValueConst native) {
  JS_NewClassID(&core_class);
  JS_NewClass(JS_GetRuntime(context), core_class, &CORE_CLASS);
  JSValue prototype = JS_NewObject(context);
  for (int i = 0; i < IO_CALL_COUNT; i++) {
    const struct io_call *call = &IO_CALLS[i];
    define(context, prototype, call->name,
           JS_NewCFunctionMagic(context, run_call, call->name, call->arguments, JS_CFUNC_generic_magic, i));
  }
  JS_SetPropertyFunctionList(context, prototype, OTHERS, sizeof OTHERS / sizeof *OTHERS);
  JS_SetClassProto(context, core_class, prototype);
  JS_SetPropertyFunctionList(context, native, FUNCTIONS, sizeof FUNCTIONS / sizeof *FUNCTIONS);
}
