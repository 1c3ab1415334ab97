/* The process: arguments, environment, signals, output, memory. */
#include "arguments.h"
#include "engine.h"
#include "errors.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/sysinfo.h>
#include <syslog.h>
#include <unistd.h>

#if defined __x86_64__
#define ARCHITECTURE "x86_64"
#elif defined __aarch64__
#define ARCHITECTURE "aarch64"
#elif defined __arm__
#define ARCHITECTURE "arm"
#elif defined __mips__ && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCHITECTURE "mipsel"
#elif defined __mips__
#define ARCHITECTURE "mips"
#elif defined __riscv
#define ARCHITECTURE "riscv64"
#else
#define ARCHITECTURE "unknown"
#endif

/* ── signals ──────────────────────────────────────────────────────────────────────────────────────────────────── */

struct signals {
  struct watch watch; /* first: the loop hands it back */
  int fd;             /* -1 = nobody has asked */
  JSValue on_signal;
};

static void on_event(struct engine *engine, struct watch *self, uint32_t epoll_events) {
  (void)epoll_events;
  struct signals *signals = (struct signals *)(void *)self;
  struct signalfd_siginfo info;
  if (read(signals->fd, &info, sizeof info) != sizeof info) return;
  JSValue argument = JS_NewInt32(engine->context, (int32_t)info.ssi_signo);
  JSValue run = JS_DupValue(engine->context, signals->on_signal);
  engine_call(engine, run, 1, &argument);
  JS_FreeValue(engine->context, run);
}

static int take_signals(struct engine *engine) {
  struct signals *signals = engine->signals;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  signals->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (signals->fd < 0) return -errno;
  int error = loop_watch(engine, signals->fd, EPOLLIN, &signals->watch);
  if (error != 0) return error;
  sigprocmask(SIG_BLOCK, &set, NULL);
  engine->alive++;
  return 0;
}

static JSValue on_signal(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  struct engine *engine = engine_of(context);
  if (!argument_function(context, argv[0], "onSignal", 0)) return JS_EXCEPTION;
  if (engine->signals->fd < 0 && take_signals(engine) != 0) {
    return JS_ThrowInternalError(context, "onSignal: the system gives no descriptor for signals.");
  }
  engine_keep(engine, &engine->signals->on_signal, argv[0]);
  return JS_UNDEFINED;
}

void signals_close(struct engine *engine) {
  if (engine->signals == NULL) return;
  if (engine->signals->fd >= 0) close(engine->signals->fd);
  JS_FreeValue(engine->context, engine->signals->on_signal);
  free(engine->signals);
  engine->signals = NULL;
}

/* ── output ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static JSValue write_bytes(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  int32_t descriptor;
  struct bytes bytes;
  if (!argument_int(context, argv[0], "write", 0, &descriptor)) return JS_EXCEPTION;
  if (!argument_bytes(context, argv[1], "write", 1, &bytes)) return JS_EXCEPTION;
  if (descriptor != 1 && descriptor != 2) return JS_NewInt32(context, error_out(-EBADF));
  while (bytes.length > 0) {
    ssize_t written = write(descriptor, bytes.at, bytes.length);
    if (written >= 0) {
      bytes.at += written;
      bytes.length -= (size_t)written;
    } else if (errno == EAGAIN) {
      struct pollfd wait = {.fd = descriptor, .events = POLLOUT};
      poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      return JS_NewInt32(context, error_out(-errno));
    }
  }
  return JS_NewInt32(context, 0);
}

static JSValue is_terminal(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  int32_t descriptor;
  if (!argument_int(context, argv[0], "isTerminal", 0, &descriptor)) return JS_EXCEPTION;
  return JS_NewBool(context, isatty(descriptor));
}

static JSValue write_syslog(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  int32_t level;
  size_t length;
  if (!argument_int(context, argv[0], "syslog", 0, &level)) return JS_EXCEPTION;
  const char *text = argument_text(context, argv[1], "syslog", 1, &length);
  if (text == NULL) return JS_EXCEPTION;
  syslog(LOG_DAEMON | (level & 7), "%s", text);
  JS_FreeCString(context, text);
  return JS_UNDEFINED;
}

/* ── memory ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static JSValue resident_bytes(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  unsigned long long size, resident = 0;
  FILE *file = fopen("/proc/self/statm", "re");
  if (file != NULL) {
    if (fscanf(file, "%llu %llu", &size, &resident) != 2) resident = 0;
    fclose(file);
  }
  return JS_NewInt64(context, (int64_t)resident * sysconf(_SC_PAGESIZE));
}

static JSValue total_memory_bytes(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  struct sysinfo info;
  return JS_NewInt64(context, sysinfo(&info) == 0 ? (int64_t)info.totalram * info.mem_unit : 0);
}

static JSValue engine_memory(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  const struct heap *heap = &engine_of(context)->heap;
  JSValue object = JS_NewObject(context);
  define(context, object, "usedBytes", JS_NewInt64(context, (int64_t)heap->used));
  define(context, object, "collections", JS_NewUint32(context, heap->collections));
  define(context, object, "longestPauseMs", JS_NewFloat64(context, heap->longest_pause_ms));
  define(context, object, "totalPauseMs", JS_NewFloat64(context, heap->total_pause_ms));
  return object;
}

static JSValue set_engine_memory_limit(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  double bytes;
  if (!argument_double(context, argv[0], "setEngineMemoryLimit", 0, &bytes)) return JS_EXCEPTION;
  if (!(bytes > 0)) return JS_ThrowRangeError(context, "setEngineMemoryLimit: it must be more than 0.");
  JS_SetMemoryLimit(JS_GetRuntime(context), bytes < (double)INTPTR_MAX ? (size_t)bytes : (size_t)INTPTR_MAX);
  return JS_UNDEFINED;
}

/* ── what it was started with ─────────────────────────────────────────────────────────────────────────────────── */

static JSValue environment(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  const char *name = argument_name(context, argv[0], "environment", 0);
  if (name == NULL) return JS_EXCEPTION;
  const char *value = getenv(name);
  JS_FreeCString(context, name);
  return value == NULL ? JS_UNDEFINED : JS_NewString(context, value);
}

static JSValue exit_now(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  int32_t status;
  if (!argument_int(context, argv[0], "exit", 0, &status)) return JS_EXCEPTION;
  exit(status);
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_PROP_STRING_DEF("architecture", ARCHITECTURE, JS_PROP_ENUMERABLE),
    JS_PROP_STRING_DEF("engine", "quickjs " QUICKJS_VERSION, JS_PROP_ENUMERABLE),
    JS_CFUNC_DEF("environment", 1, environment),
    JS_CFUNC_DEF("exit", 1, exit_now),
    JS_CFUNC_DEF("onSignal", 1, on_signal),
    JS_CFUNC_DEF("write", 2, write_bytes),
    JS_CFUNC_DEF("isTerminal", 1, is_terminal),
    JS_CFUNC_DEF("syslog", 2, write_syslog),
    JS_CFUNC_DEF("residentBytes", 0, resident_bytes),
    JS_CFUNC_DEF("totalMemoryBytes", 0, total_memory_bytes),
    JS_CFUNC_DEF("engineMemory", 0, engine_memory),
    JS_CFUNC_DEF("setEngineMemoryLimit", 1, set_engine_memory_limit),
};

int process_define(JSContext *context, JSValueConst native) {
  struct engine *engine = engine_of(context);
  engine->signals = calloc(1, sizeof *engine->signals);
  if (engine->signals == NULL) return -1;
  engine->signals->watch.ready = on_event;
  engine->signals->fd = -1;
  engine->signals->on_signal = JS_UNDEFINED;
  JS_SetPropertyFunctionList(context, native, FUNCTIONS, sizeof FUNCTIONS / sizeof *FUNCTIONS);
  JSValue arguments = JS_NewArray(context);
  for (int i = 0; i < engine->argc; i++) {
    JS_SetPropertyUint32(context, arguments, (uint32_t)i, JS_NewString(context, engine->argv[i]));
  }
  define(context, native, "argv", arguments);
  define(context, native, "pid", JS_NewInt32(context, getpid()));
  openlog("kcp-router", LOG_PID, LOG_DAEMON);
  return 0;
}
