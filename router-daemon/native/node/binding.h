/* One core inside one Node environment: its life, and the watch on its event descriptor. */
#ifndef KCP_ROUTER_BINDING_H
#define KCP_ROUTER_BINDING_H

#include "../io/io.h"

#include <node_api.h>

#include "uv.h"

#define BINDING_MAX_CALLS 32

struct binding;

struct bound_call {
  struct binding *binding;
  int number;
};

/*
 * Lives as long as the environment: the functions that carry it may be called after `dispose`, they then find no core.
 */
struct binding {
  napi_env env;
  struct io_core *core;
  napi_ref arena;
  napi_ref wake;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  uv_loop_t *loop;
  uv_poll_t *poll;
  double stay_until; /* io_now(); see binding_stay */
  int waking; /* `wake` is running: what it runs in must not be taken away under it */
  struct bound_call calls[BINDING_MAX_CALLS];
};

int binding_create(napi_env env, const struct io_config *config, napi_value arena, struct binding **out);
/** Calls `wake` from the event loop whenever the core has something; a second call replaces the function. */
int binding_watch(struct binding *binding, napi_value wake);
/**
 * Waits here, inside `wake`, for what comes next: 1 = the core has something, 0 = it is time to let the event loop look.
 * Going round the event loop costs as much as a small packet does; who answers at once is not sent round.
 */
int binding_stay(struct binding *binding);
void binding_dispose(struct binding *binding);

/** Once the process has started: memory that only starting needed. */
void give_back_startup_pages(void);

#endif
