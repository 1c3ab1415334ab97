/* The engine's life: made, given its module, run, and what happens when JavaScript fails. */
#include "engine.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** JavaScript's part of the C stack. Routers give a main thread 8 MB. */
#define STACK_BYTES (1 << 20)

static void at_rejection(JSContext *context, JSValueConst promise, JSValueConst reason, JS_BOOL is_handled,
                         void *opaque) {
  (void)reason;
  struct engine *engine = opaque;
  if (!is_handled) {
    JSValue *grown = realloc(engine->rejected, (engine->rejected_count + 1) * sizeof *grown);
    if (grown == NULL) return;
    engine->rejected = grown;
    engine->rejected[engine->rejected_count++] = JS_DupValue(context, promise);
    return;
  }
  for (size_t i = 0; i < engine->rejected_count; i++) {
    if (JS_VALUE_GET_PTR(engine->rejected[i]) != JS_VALUE_GET_PTR(promise)) continue;
    JS_FreeValue(context, engine->rejected[i]);
    engine->rejected[i] = engine->rejected[--engine->rejected_count];
    return;
  }
}

struct engine *engine_create(int argc, char **argv) {
  struct engine *engine = calloc(1, sizeof *engine);
  if (engine == NULL) return NULL;
  engine->argc = argc;
  engine->argv = argv;
  engine->epoll_fd = -1;
  /* A reader that went away is an error of the write, not our end. */
  signal(SIGPIPE, SIG_IGN);
  engine->runtime = JS_NewRuntime2(&HEAP_FUNCTIONS, &engine->heap);
  if (engine->runtime == NULL) goto fail;
  JS_SetMaxStackSize(engine->runtime, STACK_BYTES);
  JS_SetHostPromiseRejectionTracker(engine->runtime, at_rejection, engine);
  heap_attach(engine);
  engine->context = JS_NewContext(engine->runtime);
  if (engine->context == NULL) goto fail;
  JS_SetContextOpaque(engine->context, engine);
  if (loop_open(engine) == 0 && timers_open(engine) == 0 && native_module_add(engine->context) == 0) return engine;
fail:
  engine_destroy(engine);
  return NULL;
}

void engine_destroy(struct engine *engine) {
  if (engine->context != NULL) {
    names_close(engine);
    signals_close(engine);
    sockets_close(engine);
    timers_close(engine);
    for (size_t i = 0; i < engine->rejected_count; i++) JS_FreeValue(engine->context, engine->rejected[i]);
    JS_FreeContext(engine->context);
  }
  if (engine->runtime != NULL) JS_FreeRuntime(engine->runtime);
  free(engine->rejected);
  free(engine);
}

void engine_keep(struct engine *engine, JSValue *place, JSValueConst function) {
  JSValue before = *place;
  *place = JS_DupValue(engine->context, function);
  JS_FreeValue(engine->context, before);
}

/* ── failures ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/** Appends a value's first line as text, without the indentation that stack traces have. */
static void append(JSContext *context, char *line, size_t room, JSValueConst value) {
  const char *text = JS_ToCString(context, value);
  if (text == NULL) {
    JS_FreeValue(context, JS_GetException(context));
    return;
  }
  const char *start = text + strspn(text, " ");
  size_t length = strlen(line);
  snprintf(line + length, room - length, "%s%.*s", length > 0 ? " " : "", (int)strcspn(start, "\n"), start);
  JS_FreeCString(context, text);
}

_Noreturn void engine_fail(struct engine *engine, JSValue reason) {
  JSContext *context = engine->context;
  char line[MAX_FAILURE_TEXT] = "";
  append(context, line, sizeof line, reason);
  /* An engine that has no memory for an error either throws null. */
  if (JS_IsNull(reason) || strstr(line, "out of memory") != NULL) {
    fputs("kcp-router: The memory is used up. Lower memory_limit_mib or max_connections.\n", stderr);
    exit(1);
  }
  JSValue stack = JS_IsError(context, reason) ? JS_GetPropertyStr(context, reason, "stack") : JS_UNDEFINED;
  if (JS_IsString(stack)) append(context, line, sizeof line, stack);
  fprintf(stderr, "kcp-router: %s\n", line);
  exit(1);
}

/** Runs what promises have settled until nothing is left of it. */
static void settle(struct engine *engine) {
  JSContext *context;
  int result;
  while ((result = JS_ExecutePendingJob(engine->runtime, &context)) > 0) {
  }
  if (result < 0) engine_fail(engine, JS_GetException(context));
  if (engine->rejected_count > 0) engine_fail(engine, JS_PromiseResult(engine->context, engine->rejected[0]));
}

void engine_call(struct engine *engine, JSValueConst function, int argc, JSValue *argv) {
  JSContext *context = engine->context;
  JSValue result = JS_Call(context, function, JS_UNDEFINED, argc, (JSValueConst *)argv);
  for (int i = 0; i < argc; i++) JS_FreeValue(context, argv[i]);
  if (JS_IsException(result)) engine_fail(engine, JS_GetException(context));
  JS_FreeValue(context, result);
  settle(engine);
}

JSValue engine_load(struct engine *engine, const uint8_t *bytecode, size_t length) {
  JSValue module = JS_ReadObject(engine->context, bytecode, length, JS_READ_OBJ_BYTECODE);
  if (JS_IsException(module) || JS_ResolveModule(engine->context, module) < 0) {
    engine_fail(engine, JS_GetException(engine->context));
  }
  return module;
}

void engine_run(struct engine *engine, JSValue module) {
  /* Its promise, when rejected, is one that nobody handles. */
  JSValue promise = JS_EvalFunction(engine->context, module);
  if (JS_IsException(promise)) engine_fail(engine, JS_GetException(engine->context));
  JS_FreeValue(engine->context, promise);
  settle(engine);
  loop_run(engine);
}
