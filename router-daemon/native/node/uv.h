/*
 * The functions of libuv that the binding uses. Node exports them with a stable ABI within libuv 1; declaring them
 * here spares the build Node's own headers.
 */
#ifndef KCP_ROUTER_UV_H
#define KCP_ROUTER_UV_H

#include <stddef.h>

typedef struct uv_loop_s uv_loop_t;
/* `data` is the first field of every handle; the rest is opaque, its size comes from uv_handle_size. */
typedef struct uv_handle_s {
  void *data;
} uv_handle_t;
typedef uv_handle_t uv_poll_t;

#define UV_POLL 8
#define UV_READABLE 1

size_t uv_handle_size(int type);
int uv_poll_init(uv_loop_t *loop, uv_poll_t *handle, int fd);
int uv_poll_start(uv_poll_t *handle, int events, void (*callback)(uv_poll_t *handle, int status, int events));
int uv_poll_stop(uv_poll_t *handle);
int uv_backend_timeout(const uv_loop_t *loop);
void uv_update_time(uv_loop_t *loop);
void uv_close(uv_handle_t *handle, void (*callback)(uv_handle_t *handle));

#endif
