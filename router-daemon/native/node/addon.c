/*
 * Node-API binding of the I/O core. `create(arena, slotCount, slotBytes, ringOffset, ringBytes, without)` returns an
 * object of functions; each carries its core in the function's data, so that a call is: read integers, call C, return an
 * integer. host/node/addon.ts describes the object's type.
 */
#include "../io/calls.h"
#include "binding.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_BYTES 256

_Static_assert(IO_CALL_COUNT <= BINDING_MAX_CALLS, "binding.h: BINDING_MAX_CALLS");

/* ── calls that take integers and return one ──────────────────────────────────────────────────────────────────── */

/** Reads argument i as an integer; throws a sentence when it is not a number. */
static int get_int(napi_env env, napi_value value, const char *function, int i, int32_t *out) {
  if (napi_get_value_int32(env, value, out) == napi_ok) return 1;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) {
    char text[MESSAGE_BYTES];
    snprintf(text, sizeof text, "%s: argument %d must be a number.", function, i + 1);
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", text);
  }
  return 0;
}

static napi_value make_int(napi_env env, int32_t value) {
  napi_value result = NULL;
  napi_create_int32(env, value, &result);
  return result;
}

/** All integer calls come through here; `data` says which. */
static napi_value run_call(napi_env env, napi_callback_info info) {
  napi_value argv[IO_CALL_MAX_ARGUMENTS];
  int32_t a[IO_CALL_MAX_ARGUMENTS];
  size_t argc = IO_CALL_MAX_ARGUMENTS;
  struct bound_call *bound;
  if (napi_get_cb_info(env, info, &argc, argv, NULL, (void **)&bound) != napi_ok) return NULL;
  const struct io_call *call = &IO_CALLS[bound->number];
  for (int i = 0; i < call->arguments; i++) {
    if (!get_int(env, argv[i], call->name, i, &a[i])) return NULL;
  }
  struct io_core *core = bound->binding->core;
  return make_int(env, core == NULL ? -9 /* EBADF */ : call->run(core, a));
}

/* ── the others ───────────────────────────────────────────────────────────────────────────────────────────────── */

static struct binding *arguments(napi_env env, napi_callback_info info, size_t count, napi_value *argv) {
  struct binding *binding = NULL;
  napi_get_cb_info(env, info, &count, argv, NULL, (void **)&binding);
  return binding;
}

static napi_value make_double(napi_env env, double value) {
  napi_value result = NULL;
  napi_create_double(env, value, &result);
  return result;
}

static napi_value make_text(napi_env env, const char *text) {
  napi_value result = NULL;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &result);
  return result;
}

static napi_value call_now(napi_env env, napi_callback_info info) {
  (void)info;
  return make_double(env, io_now());
}

static napi_value call_unix_time(napi_env env, napi_callback_info info) {
  (void)info;
  return make_double(env, (double)io_unix_time());
}

static napi_value call_describe(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  int32_t code;
  char buffer[MESSAGE_BYTES];
  arguments(env, info, 1, argv);
  if (!get_int(env, argv[0], "describeError", 0, &code)) return NULL;
  return make_text(env, io_describe(code, buffer, sizeof buffer));
}

static napi_value call_set_timer(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  double at;
  struct binding *binding = arguments(env, info, 1, argv);
  if (napi_get_value_double(env, argv[0], &at) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "setTimer: argument 1 must be a number.");
    return NULL;
  }
  return make_int(env, binding->core == NULL ? -9 : io_set_timer(binding->core, at));
}

static void set(napi_env env, napi_value object, const char *name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

static napi_value make_failure(napi_env env, int error, const char *message) {
  napi_value object = NULL;
  napi_create_object(env, &object);
  set(env, object, "error", make_int(env, error));
  set(env, object, "message", make_text(env, message));
  return object;
}

static napi_value make_bool(napi_env env, int value) {
  napi_value result = NULL;
  napi_get_boolean(env, value != 0, &result);
  return result;
}

static napi_value call_tun_open(napi_env env, napi_callback_info info) {
  napi_value argv[1], object = NULL;
  char name[64], message[MESSAGE_BYTES] = "";
  size_t length;
  struct io_tun_info tun;
  struct binding *binding = arguments(env, info, 1, argv);
  if (napi_get_value_string_utf8(env, argv[0], name, sizeof name, &length) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "tunOpen: argument 1 must be a string.");
    return NULL;
  }
  if (strlen(name) != length) name[0] = '\0';
  if (binding->core == NULL) return make_failure(env, -9, "The host is disposed.");
  int result = io_tun_open(binding->core, name, &tun, message, sizeof message);
  if (result < 0) return make_failure(env, result, message);
  napi_create_object(env, &object);
  set(env, object, "handle", make_int(env, tun.handle));
  set(env, object, "name", make_text(env, tun.name));
  set(env, object, "offload", make_bool(env, tun.offload));
  set(env, object, "udpOffload", make_bool(env, tun.udp_offload));
  return object;
}

static napi_value call_udp_open(napi_env env, napi_callback_info info) {
  napi_value argv[1], object = NULL;
  int32_t endpoint;
  char message[MESSAGE_BYTES] = "";
  struct io_udp_info udp;
  struct binding *binding = arguments(env, info, 1, argv);
  if (!get_int(env, argv[0], "udpOpen", 0, &endpoint)) return NULL;
  if (binding->core == NULL) return make_failure(env, -9, "The host is disposed.");
  int result = io_udp_open(binding->core, endpoint, &udp, message, sizeof message);
  if (result < 0) return make_failure(env, result, message);
  napi_create_object(env, &object);
  set(env, object, "handle", make_int(env, udp.handle));
  set(env, object, "port", make_int(env, udp.port));
  set(env, object, "segmentation", make_bool(env, udp.segmentation));
  set(env, object, "coalescing", make_bool(env, udp.coalescing));
  return object;
}

static napi_value call_counters(napi_env env, napi_callback_info info) {
  napi_value object = NULL;
  struct binding *binding = arguments(env, info, 0, NULL);
  napi_create_object(env, &object);
  uint64_t value;
  const char *name;
  for (int i = 0; binding->core != NULL && (name = io_counter(binding->core, i, &value)) != NULL; i++) {
    set(env, object, name, make_double(env, (double)value));
  }
  return object;
}

static napi_value call_on_ready(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  napi_valuetype type;
  struct binding *binding = arguments(env, info, 1, argv);
  if (napi_typeof(env, argv[0], &type) != napi_ok || type != napi_function) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "onReady: argument 1 must be a function.");
    return NULL;
  }
  return make_int(env, binding_watch(binding, argv[0]));
}

static napi_value call_stay(napi_env env, napi_callback_info info) {
  return make_int(env, binding_stay(arguments(env, info, 0, NULL)));
}

static napi_value call_dispose(napi_env env, napi_callback_info info) {
  binding_dispose(arguments(env, info, 0, NULL));
  return make_int(env, 0);
}

static const struct {
  const char *name;
  napi_callback run;
} OTHERS[] = {
    {"now", call_now},           {"unixTime", call_unix_time}, {"describeError", call_describe},
    {"setTimer", call_set_timer}, {"tunOpen", call_tun_open},   {"udpOpen", call_udp_open},
    {"counters", call_counters}, {"onReady", call_on_ready},   {"stay", call_stay},
    {"dispose", call_dispose},
};

static napi_value create(napi_env env, napi_callback_info info) {
  napi_value argv[6], object = NULL, function = NULL;
  size_t argc = 6, bytes;
  void *arena;
  int32_t number[6];
  if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok) return NULL;
  bool is_buffer = false;
  napi_is_arraybuffer(env, argv[0], &is_buffer);
  if (!is_buffer || napi_get_arraybuffer_info(env, argv[0], &arena, &bytes) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "create: argument 1 must be an ArrayBuffer.");
    return NULL;
  }
  for (int i = 1; i < 6; i++) {
    if (!get_int(env, argv[i], "create", i, &number[i])) return NULL;
    if (number[i] < 0) {
      napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "create: sizes must not be negative.");
      return NULL;
    }
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
  struct binding *binding;
  int error = binding_create(env, &config, argv[0], &binding);
  char buffer[MESSAGE_BYTES];
  if (error != 0) return make_failure(env, error, io_describe(error, buffer, sizeof buffer));
  napi_create_object(env, &object);
  for (size_t i = 0; i < IO_CALL_COUNT; i++) {
    binding->calls[i].binding = binding;
    binding->calls[i].number = (int)i;
    napi_create_function(env, IO_CALLS[i].name, NAPI_AUTO_LENGTH, run_call, &binding->calls[i], &function);
    set(env, object, IO_CALLS[i].name, function);
  }
  for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
    napi_create_function(env, OTHERS[i].name, NAPI_AUTO_LENGTH, OTHERS[i].run, binding, &function);
    set(env, object, OTHERS[i].name, function);
  }
  return object;
}

static napi_value start(napi_env env, napi_value exports) {
  napi_value function = NULL;
  napi_create_function(env, "create", NAPI_AUTO_LENGTH, create, NULL, &function);
  set(env, exports, "create", function);
  return exports;
}

NAPI_MODULE(kcp_router_host, start)
