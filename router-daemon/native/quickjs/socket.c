/* Stream sockets of the control side: unix and TCP, clients and listeners. */
#include "arguments.h"
#include "engine.h"
#include "errors.h"
#include "../io/io.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/** Sockets open at one time; beyond it -EMFILE. */
#define MAX_SOCKETS 1024
#define INDEX_BITS 10
#define GENERATION_MASK 0xfffff
_Static_assert(MAX_SOCKETS == 1 << INDEX_BITS, "a number's index has 10 bits");

/** Bits of PollEvent in host.ts. */
#define WATCHABLE (IO_EVENT_READABLE | IO_EVENT_WRITABLE)

/** Clients that wait to be accepted: MAX_WAITING_CLIENTS in host/streams.ts. */
#define BACKLOG 128

struct stream_socket {
  struct watch watch; /* first: the loop hands it back */
  int fd;
  int32_t number;
  int32_t watched; /* IO_EVENT_…; 0 = the loop does not know it */
  int error;       /* why connecting failed: the kernel tells only once */
};

struct sockets {
  struct stream_socket *list[MAX_SOCKETS];
  uint32_t generation[MAX_SOCKETS];
  JSValue on_socket;
};

static struct stream_socket *find(struct engine *engine, int32_t number) {
  struct stream_socket *socket = number > 0 ? engine->sockets->list[number & (MAX_SOCKETS - 1)] : NULL;
  return socket != NULL && socket->number == number ? socket : NULL;
}

static uint32_t epoll_bits(int32_t events) {
  return (events & IO_EVENT_READABLE ? EPOLLIN : 0) | (events & IO_EVENT_WRITABLE ? EPOLLOUT : 0);
}

static void on_event(struct engine *engine, struct watch *self, uint32_t epoll_events) {
  struct stream_socket *socket = (struct stream_socket *)(void *)self;
  int32_t events = 0;
  if (epoll_events & EPOLLIN) events |= IO_EVENT_READABLE;
  if (epoll_events & EPOLLOUT) events |= IO_EVENT_WRITABLE;
  /* Whoever reads or writes learns what it is. */
  if (epoll_events & (EPOLLERR | EPOLLHUP)) events |= WATCHABLE;
  JSContext *context = engine->context;
  JSValue arguments[] = {JS_NewInt32(context, socket->number), JS_NewInt32(context, events & socket->watched)};
  JSValue run = JS_DupValue(engine->context, engine->sockets->on_socket);
  if (JS_IsUndefined(run)) {
    /* Nobody is told: not again and again. */
    loop_forget(engine, socket->fd);
    socket->watched = 0;
    engine->alive--;
    return;
  }
  engine_call(engine, run, 2, arguments);
  JS_FreeValue(engine->context, run);
}

/** Takes the descriptor; returns the number, or -errno with the descriptor closed. */
static int32_t adopt(struct engine *engine, int fd) {
  struct sockets *sockets = engine->sockets;
  int32_t index = 0;
  while (index < MAX_SOCKETS && sockets->list[index] != NULL) index++;
  struct stream_socket *socket = index < MAX_SOCKETS ? calloc(1, sizeof *socket) : NULL;
  if (socket == NULL) {
    close(fd);
    return index < MAX_SOCKETS ? -ENOMEM : -EMFILE;
  }
  uint32_t generation = (sockets->generation[index] + 1) & GENERATION_MASK;
  if (generation == 0) generation = 1;
  sockets->generation[index] = generation;
  socket->watch.ready = on_event;
  socket->fd = fd;
  socket->number = (int32_t)(generation << INDEX_BITS) | index;
  sockets->list[index] = socket;
  return socket->number;
}

static int32_t drop(struct engine *engine, struct stream_socket *socket) {
  if (socket->watched != 0) {
    loop_forget(engine, socket->fd);
    engine->alive--;
  }
  close(socket->fd);
  engine->sockets->list[socket->number & (MAX_SOCKETS - 1)] = NULL;
  free(socket);
  return 0;
}

void sockets_close(struct engine *engine) {
  if (engine->sockets == NULL) return;
  for (int i = 0; i < MAX_SOCKETS; i++) {
    if (engine->sockets->list[i] != NULL) drop(engine, engine->sockets->list[i]);
  }
  JS_FreeValue(engine->context, engine->sockets->on_socket);
  free(engine->sockets);
  engine->sockets = NULL;
}

/* ── opening ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static int unix_address(const char *path, struct sockaddr_un *address) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if (path[0] == '\0') return -EINVAL;
  if (strlen(path) >= sizeof address->sun_path) return -ENAMETOOLONG;
  strcpy(address->sun_path, path);
  return 0;
}

static int open_socket(int family) { return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

static int32_t connect_to(struct engine *engine, int family, const void *address, socklen_t length) {
  int fd = open_socket(family);
  if (fd < 0) return -errno;
  if (family == AF_INET) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  if (connect(fd, address, length) != 0 && errno != EINPROGRESS) {
    int error = -errno;
    close(fd);
    return error;
  }
  return adopt(engine, fd);
}

static int32_t listen_at(struct engine *engine, int family, const void *address, socklen_t length) {
  int fd = open_socket(family);
  if (fd < 0) return -errno;
  if (family == AF_INET) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  /* A unix socket's file has its mode from the first moment on. */
  mode_t mask = umask(0177);
  int bound = bind(fd, address, length) == 0 && listen(fd, BACKLOG) == 0 ? 0 : -errno;
  umask(mask);
  if (bound != 0) {
    close(fd);
    return bound;
  }
  return adopt(engine, fd);
}

typedef int32_t open_function(struct engine *engine, int family, const void *address, socklen_t length);

static JSValue open_unix(JSContext *context, JSValueConst *argv, const char *function, open_function *open) {
  struct sockaddr_un address;
  const char *path = argument_name(context, argv[0], function, 0);
  if (path == NULL) return JS_EXCEPTION;
  int32_t result = unix_address(path, &address);
  JS_FreeCString(context, path);
  if (result == 0) result = open(engine_of(context), AF_UNIX, &address, sizeof address);
  return JS_NewInt32(context, error_out(result));
}

static JSValue open_tcp(JSContext *context, JSValueConst *argv, const char *function, open_function *open) {
  int32_t ipv4, port;
  if (!argument_int(context, argv[0], function, 0, &ipv4)) return JS_EXCEPTION;
  if (!argument_int(context, argv[1], function, 1, &port)) return JS_EXCEPTION;
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_addr.s_addr = htonl((uint32_t)ipv4), .sin_port = htons((uint16_t)port)};
  int32_t result = port < 0 || port > 0xffff ? -EINVAL : open(engine_of(context), AF_INET, &address, sizeof address);
  return JS_NewInt32(context, error_out(result));
}

static JSValue socket_connect_unix(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  return open_unix(context, argv, "socketConnectUnix", connect_to);
}
static JSValue socket_listen_unix(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  return open_unix(context, argv, "socketListenUnix", listen_at);
}
static JSValue socket_connect_tcp(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  return open_tcp(context, argv, "socketConnectTcp", connect_to);
}
static JSValue socket_listen_tcp(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  return open_tcp(context, argv, "socketListenTcp", listen_at);
}

/* ── calls on an open socket: a number first, an integer out ──────────────────────────────────────────────────── */

static int32_t port_of(struct engine *engine, struct stream_socket *socket) {
  (void)engine;
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  if (getsockname(socket->fd, (struct sockaddr *)&address, &length) != 0) return -errno;
  return address.sin_family == AF_INET ? ntohs(address.sin_port) : -EAFNOSUPPORT;
}

static int32_t accept_from(struct engine *engine, struct stream_socket *socket) {
  int fd = accept4(socket->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  /* A client that has gone again is no failure of the listener. */
  if (fd < 0) return errno == EAGAIN || errno == ECONNABORTED || errno == EINTR ? 0 : -errno;
  return adopt(engine, fd);
}

static int32_t error_of(struct engine *engine, struct stream_socket *socket) {
  (void)engine;
  int error = 0;
  socklen_t length = sizeof error;
  struct sockaddr_storage other;
  socklen_t other_length = sizeof other;
  if (socket->error != 0) return socket->error;
  if (getsockopt(socket->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return -errno;
  if (error == 0) return getpeername(socket->fd, (struct sockaddr *)&other, &other_length) == 0 ? 0 : -EINPROGRESS;
  socket->error = -error;
  return socket->error;
}

static int32_t shut_down(struct engine *engine, struct stream_socket *socket) {
  (void)engine;
  return shutdown(socket->fd, SHUT_WR) != 0 ? -errno : 0;
}

static const struct {
  const char *name;
  int32_t (*run)(struct engine *engine, struct stream_socket *socket);
} CALLS[] = {
    {"socketPort", port_of}, {"socketAccept", accept_from}, {"socketError", error_of},
    {"socketShutdown", shut_down}, {"socketClose", drop},
};

static JSValue run_call(JSContext *context, JSValueConst self, int argc, JSValueConst *argv, int magic) {
  (void)self, (void)argc;
  struct engine *engine = engine_of(context);
  int32_t number;
  if (!argument_int(context, argv[0], CALLS[magic].name, 0, &number)) return JS_EXCEPTION;
  struct stream_socket *socket = find(engine, number);
  return JS_NewInt32(context, error_out(socket == NULL ? -EBADF : CALLS[magic].run(engine, socket)));
}

static JSValue socket_read(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  int32_t number;
  struct bytes into;
  if (!argument_int(context, argv[0], "socketRead", 0, &number)) return JS_EXCEPTION;
  if (!argument_range(context, argv, "socketRead", 1, &into)) return JS_EXCEPTION;
  struct stream_socket *socket = find(engine_of(context), number);
  if (socket == NULL) return JS_NewInt32(context, error_out(-EBADF));
  if (into.length == 0) return JS_NewInt32(context, 0);
  ssize_t got = recv(socket->fd, into.at, into.length, 0);
  if (got == 0) return JS_NewInt32(context, IO_E_END_OF_STREAM);
  if (got < 0) return JS_NewInt32(context, errno == EAGAIN || errno == EINTR ? 0 : error_out(-errno));
  return JS_NewInt32(context, (int32_t)got);
}

static JSValue socket_write(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  int32_t number;
  struct bytes from;
  if (!argument_int(context, argv[0], "socketWrite", 0, &number)) return JS_EXCEPTION;
  if (!argument_range(context, argv, "socketWrite", 1, &from)) return JS_EXCEPTION;
  struct stream_socket *socket = find(engine_of(context), number);
  if (socket == NULL) return JS_NewInt32(context, error_out(-EBADF));
  ssize_t taken = send(socket->fd, from.at, from.length, MSG_NOSIGNAL);
  if (taken < 0) return JS_NewInt32(context, errno == EAGAIN || errno == EINTR ? 0 : error_out(-errno));
  return JS_NewInt32(context, (int32_t)taken);
}

static JSValue socket_watch(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  struct engine *engine = engine_of(context);
  int32_t number, events;
  if (!argument_int(context, argv[0], "socketWatch", 0, &number)) return JS_EXCEPTION;
  if (!argument_int(context, argv[1], "socketWatch", 1, &events)) return JS_EXCEPTION;
  struct stream_socket *socket = find(engine, number);
  if (socket == NULL) return JS_NewInt32(context, error_out(-EBADF));
  if ((events & ~WATCHABLE) != 0) return JS_NewInt32(context, error_out(-EINVAL));
  int error = 0;
  if (events == 0 && socket->watched != 0) {
    /* Not only without bits: errors would be reported all the same. */
    loop_forget(engine, socket->fd);
    engine->alive--;
  } else if (events != 0 && socket->watched == 0) {
    error = loop_watch(engine, socket->fd, epoll_bits(events), &socket->watch);
    if (error == 0) engine->alive++;
  } else if (events != socket->watched) {
    error = loop_change(engine, socket->fd, epoll_bits(events), &socket->watch);
  }
  if (error == 0) socket->watched = events;
  return JS_NewInt32(context, error_out(error));
}

static JSValue on_socket(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  struct engine *engine = engine_of(context);
  if (!argument_function(context, argv[0], "onSocket", 0)) return JS_EXCEPTION;
  engine_keep(engine, &engine->sockets->on_socket, argv[0]);
  return JS_UNDEFINED;
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("socketConnectUnix", 1, socket_connect_unix),
    JS_CFUNC_DEF("socketConnectTcp", 2, socket_connect_tcp),
    JS_CFUNC_DEF("socketListenUnix", 1, socket_listen_unix),
    JS_CFUNC_DEF("socketListenTcp", 2, socket_listen_tcp),
    JS_CFUNC_DEF("socketRead", 4, socket_read),
    JS_CFUNC_DEF("socketWrite", 4, socket_write),
    JS_CFUNC_DEF("socketWatch", 2, socket_watch),
    JS_CFUNC_DEF("onSocket", 1, on_socket),
};

int socket_define(JSContext *context, JSValueConst native) {
  struct engine *engine = engine_of(context);
  engine->sockets = calloc(1, sizeof *engine->sockets);
  if (engine->sockets == NULL) return -1;
  engine->sockets->on_socket = JS_UNDEFINED;
  for (size_t i = 0; i < sizeof CALLS / sizeof *CALLS; i++) {
    define(context, native, CALLS[i].name,
           JS_NewCFunctionMagic(context, run_call, CALLS[i].name, 1, JS_CFUNC_generic_magic, (int)i));
  }
  JS_SetPropertyFunctionList(context, native, FUNCTIONS, sizeof FUNCTIONS / sizeof *FUNCTIONS);
  return 0;
}
