/*
 * The machine's name and addresses, and other machines' addresses: names are asked for in threads, which only see their own
 * request.
 */
#include "arguments.h"
#include "engine.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/** Names that are asked for at one time; beyond it -EAGAIN. */
#define MAX_RESOLUTIONS 8
/** Addresses of one name that are told. */
#define MAX_ADDRESSES 16
/** A resolver's buffers lie on its stack. */
#define THREAD_STACK_BYTES (128 << 10)

struct resolution {
  int answer_fd;
  char name[NI_MAXHOST];
  char addresses[MAX_ADDRESSES][INET6_ADDRSTRLEN];
  int count;
  JSValue done; /* the loop's */
};

struct names {
  struct watch watch; /* first: the loop hands it back */
  int pipe[2];        /* pointers to finished resolutions; -1 = nobody has asked */
  int pending;
};

static void *look_up(void *argument) {
  struct resolution *resolution = argument;
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM}, *list = NULL;
  if (getaddrinfo(resolution->name, NULL, &hints, &list) == 0) {
    for (struct addrinfo *info = list; info != NULL && resolution->count < MAX_ADDRESSES; info = info->ai_next) {
      char *text = resolution->addresses[resolution->count];
      if (getnameinfo(info->ai_addr, info->ai_addrlen, text, INET6_ADDRSTRLEN, NULL, 0, NI_NUMERICHOST) == 0) {
        resolution->count++;
      }
    }
    freeaddrinfo(list);
  }
  /* A pointer is written whole or not at all; a pipe holds more than MAX_RESOLUTIONS of them. */
  while (write(resolution->answer_fd, &resolution, sizeof resolution) < 0 && errno == EINTR) {
  }
  return NULL;
}

static void on_answer(struct engine *engine, struct watch *self, uint32_t epoll_events) {
  (void)epoll_events;
  struct names *names = (struct names *)(void *)self;
  struct resolution *resolution;
  JSContext *context = engine->context;
  if (read(names->pipe[0], &resolution, sizeof resolution) != sizeof resolution) return;
  names->pending--;
  engine->alive--;
  JSValue addresses = JS_NewArray(context);
  for (int i = 0; i < resolution->count; i++) {
    JS_SetPropertyUint32(context, addresses, (uint32_t)i, JS_NewString(context, resolution->addresses[i]));
  }
  JSValue done = resolution->done;
  free(resolution);
  engine_call(engine, done, 1, &addresses);
  JS_FreeValue(context, done);
}

static int open_pipe(struct engine *engine) {
  struct names *names = engine->names;
  if (names->pipe[0] >= 0) return 0;
  if (pipe2(names->pipe, O_CLOEXEC) != 0) return -errno;
  return loop_watch(engine, names->pipe[0], EPOLLIN, &names->watch);
}

static int start(struct engine *engine, struct resolution *resolution) {
  int error = open_pipe(engine);
  if (error != 0) return error;
  resolution->answer_fd = engine->names->pipe[1];
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  error = -pthread_create(&thread, &attributes, look_up, resolution);
  pthread_attr_destroy(&attributes);
  return error;
}

static JSValue resolve(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  struct engine *engine = engine_of(context);
  if (!argument_function(context, argv[1], "resolve", 1)) return JS_EXCEPTION;
  const char *name = argument_name(context, argv[0], "resolve", 0);
  if (name == NULL) return JS_EXCEPTION;
  int error = 0;
  struct resolution *resolution = NULL;
  if (engine->names->pending == MAX_RESOLUTIONS) error = -EAGAIN;
  else if (strlen(name) >= sizeof resolution->name) error = -ENAMETOOLONG;
  else if ((resolution = calloc(1, sizeof *resolution)) == NULL) error = -ENOMEM;
  if (error == 0) {
    strcpy(resolution->name, name);
    resolution->done = JS_DupValue(context, argv[1]);
    engine->names->pending++;
    engine->alive++;
    error = start(engine, resolution);
    if (error != 0) {
      engine->names->pending--;
      engine->alive--;
      JS_FreeValue(context, resolution->done);
      free(resolution);
    }
  }
  JS_FreeCString(context, name);
  return JS_NewInt32(context, error_out(error));
}

/** Only at the process's end, when the loop has nothing left to wait for and so no thread runs. */
void names_close(struct engine *engine) {
  if (engine->names == NULL) return;
  if (engine->names->pipe[0] >= 0) {
    close(engine->names->pipe[0]);
    close(engine->names->pipe[1]);
  }
  free(engine->names);
  engine->names = NULL;
}

static JSValue hostname(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return JS_NewString(context, name);
}

/** Addresses of this machine that are told. */
#define MAX_INTERFACES 256

static uint32_t address_in(const struct sockaddr *address) {
  return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr);
}

/** JS_UNDEFINED = the interface is down, or has just gone. */
static JSValue make_address(JSContext *context, int fd, const struct ifreq *entry) {
  struct ifreq flags = *entry, mask = *entry;
  if (ioctl(fd, SIOCGIFFLAGS, &flags) != 0 || !(flags.ifr_flags & IFF_UP)) return JS_UNDEFINED;
  /* With the address filled in, it is that of this address, not of the interface's first. */
  if (ioctl(fd, SIOCGIFNETMASK, &mask) != 0) return JS_UNDEFINED;
  JSValue object = JS_NewObject(context);
  define(context, object, "name", JS_NewString(context, entry->ifr_name));
  define(context, object, "address", JS_NewUint32(context, address_in(&entry->ifr_addr)));
  define(context, object, "prefixLength", JS_NewInt32(context, __builtin_popcount(address_in(&mask.ifr_netmask))));
  define(context, object, "loopback", JS_NewBool(context, flags.ifr_flags & IFF_LOOPBACK));
  return object;
}

static JSValue interface_addresses(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  struct ifreq entries[MAX_INTERFACES];
  struct ifconf list = {.ifc_len = sizeof entries, .ifc_req = entries};
  JSValue found = JS_NewArray(context);
  uint32_t count = 0;
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return found;
  if (ioctl(fd, SIOCGIFCONF, &list) != 0) list.ifc_len = 0;
  for (size_t i = 0; i < (size_t)list.ifc_len / sizeof *entries; i++) {
    JSValue address = make_address(context, fd, &entries[i]);
    if (!JS_IsUndefined(address)) JS_SetPropertyUint32(context, found, count++, address);
  }
  close(fd);
  return found;
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("resolve", 2, resolve),
    JS_CFUNC_DEF("hostname", 0, hostname),
    JS_CFUNC_DEF("interfaceAddresses", 0, interface_addresses),
};

int names_define(JSContext *context, JSValueConst native) {
  struct engine *engine = engine_of(context);
  engine->names = calloc(1, sizeof *engine->names);
  if (engine->names == NULL) return -1;
  engine->names->watch.ready = on_answer;
  engine->names->pipe[0] = engine->names->pipe[1] = -1;
  JS_SetPropertyFunctionList(context, native, FUNCTIONS, sizeof FUNCTIONS / sizeof *FUNCTIONS);
  return 0;
}
