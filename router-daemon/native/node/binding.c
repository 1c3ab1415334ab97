#include "binding.h"

#include <errno.h>
#include <stdlib.h>

/* Longest stay away from the event loop, which looks after the API and other timers; signals end it. */
#define MAX_STAY_MS 5

static void free_poll(uv_handle_t *handle) { free(handle); }

static void free_poll_at_end(uv_handle_t *handle) {
  napi_remove_async_cleanup_hook(handle->data);
  free(handle);
}

static void forget_context(struct binding *binding) {
  if (binding->context != NULL) napi_async_destroy(binding->env, binding->context);
  binding->context = NULL;
}

/** Stops everything; what the environment has to wait for is closed with `closed`. 1 = there is such a thing. */
static int stop(struct binding *binding, void (*closed)(uv_handle_t *)) {
  int waits = 0;
  if (binding->poll != NULL) {
    /* Before the descriptor goes. */
    uv_poll_stop(binding->poll);
    binding->poll->data = binding->cleanup;
    uv_close(binding->poll, closed);
    binding->poll = NULL;
    waits = 1;
  }
  io_destroy(binding->core);
  binding->core = NULL;
  if (binding->wake != NULL) napi_delete_reference(binding->env, binding->wake);
  if (binding->arena != NULL) napi_delete_reference(binding->env, binding->arena);
  binding->wake = binding->arena = NULL;
  if (!binding->waking) forget_context(binding);
  return waits;
}

/** The environment ends (process exit, or a worker thread is stopped). */
static void at_end(napi_async_cleanup_hook_handle hook, void *data) {
  struct binding *binding = data;
  if (!stop(binding, free_poll_at_end)) napi_remove_async_cleanup_hook(hook);
  free(binding);
}

int binding_create(napi_env env, const struct io_config *config, napi_value arena, struct binding **out) {
  struct binding *binding = calloc(1, sizeof *binding);
  if (binding == NULL) return -ENOMEM;
  binding->env = env;
  int error = io_create(config, &binding->core);
  if (error == 0 && (napi_create_reference(env, arena, 1, &binding->arena) != napi_ok ||
                     napi_add_async_cleanup_hook(env, at_end, binding, &binding->cleanup) != napi_ok)) {
    error = -ENOMEM;
  }
  if (error != 0) {
    stop(binding, free_poll);
    free(binding);
    return error;
  }
  *out = binding;
  return 0;
}

static void on_readable(uv_poll_t *poll, int status, int events) {
  (void)status;
  (void)events;
  struct binding *binding = poll->data;
  napi_env env = binding->env;
  napi_handle_scope scope;
  napi_value wake, global, ignored;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  binding->waking = 1;
  binding->stay_until = io_now() + MAX_STAY_MS;
  if (napi_get_reference_value(env, binding->wake, &wake) == napi_ok && napi_get_global(env, &global) == napi_ok &&
      /* Not napi_call_function: this one runs the promises and ticks that `wake` has queued. */
      napi_make_callback(env, binding->context, global, wake, 0, NULL, &ignored) == napi_pending_exception) {
    napi_value error;
    /* As an exception in any other callback of the event loop: `uncaughtException`. */
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
  }
  binding->waking = 0;
  if (binding->core == NULL) forget_context(binding);
  napi_close_handle_scope(env, scope);
}

int binding_watch(struct binding *binding, napi_value wake) {
  napi_env env = binding->env;
  if (binding->core == NULL) return -EBADF;
  napi_ref reference;
  if (napi_create_reference(env, wake, 1, &reference) != napi_ok) return -ENOMEM;
  if (binding->wake != NULL) napi_delete_reference(env, binding->wake);
  binding->wake = reference;
  if (binding->poll != NULL) return 0;

  uv_loop_t *loop;
  napi_value name;
  if (napi_get_uv_event_loop(env, (struct uv_loop_s **)&loop) != napi_ok) return -EINVAL;
  napi_create_string_utf8(env, "kcp-router", NAPI_AUTO_LENGTH, &name);
  if (napi_async_init(env, NULL, name, &binding->context) != napi_ok) return -ENOMEM;
  uv_poll_t *poll = calloc(1, uv_handle_size(UV_POLL));
  if (poll == NULL) return -ENOMEM;
  int error = uv_poll_init(loop, poll, io_event_fd(binding->core));
  if (error != 0) {
    free(poll);
    return error;
  }
  poll->data = binding;
  binding->poll = poll;
  binding->loop = loop;
  give_back_startup_pages();
  return uv_poll_start(poll, UV_READABLE, on_readable);
}

int binding_stay(struct binding *binding) {
  if (binding->core == NULL || binding->poll == NULL || !binding->waking) return 0;
  double left = binding->stay_until - io_now();
  if (left < 0) return 0;
  /* The loop's own next time is counted from when it last looked at the clock. */
  uv_update_time(binding->loop);
  int timeout = uv_backend_timeout(binding->loop);
  if (timeout < 0 || timeout > left) timeout = (int)left;
  /* The loop's own descriptor is not looked at meanwhile: one call of the kernel is all there is between two small packets. */
  return timeout > 0 && io_wait(binding->core, timeout) > 0;
}

void binding_dispose(struct binding *binding) { stop(binding, free_poll); }
