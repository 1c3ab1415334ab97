/* Opening UDP sockets. */
#include "core.h"
#include "udp_gso.h"

#include <errno.h>
#include <stdio.h>
#include <arpa/inet.h>
#include <unistd.h>

#ifndef IPV6_MTU_DISCOVER
#define IPV6_MTU_DISCOVER 23
#define IPV6_PMTUDISC_DONT 0
#endif

#define SOCKET_BUFFER_BYTES (8 << 20)

static void set_option(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof value); }

/** As root beyond the system's limit; otherwise the kernel caps it. */
static void set_buffer(int fd, int force, int plain) {
  int bytes = SOCKET_BUFFER_BYTES;
  if (setsockopt(fd, SOL_SOCKET, force, &bytes, sizeof bytes) != 0) set_option(fd, SOL_SOCKET, plain, bytes);
}

static int explain_bind(const uint8_t *endpoint, int error, char *message, size_t bytes) {
  char text[INET6_ADDRSTRLEN] = "?";
  int port = load16be(endpoint + 16);
  inet_ntop(AF_INET6, endpoint, text, sizeof text);
  const char *shown = strncmp(text, "::ffff:", 7) == 0 && strchr(text, '.') != NULL ? text + 7 : text;
  if (error == EADDRINUSE) {
    set_message(message, bytes,
                "UDP port %d on %s is in use by another program. Stop that program or choose another port.", port,
                shown);
  } else if (error == EADDRNOTAVAIL) {
    set_message(message, bytes, "UDP cannot listen on %s: the address does not belong to this machine.", shown);
  } else if (error == EACCES) {
    set_message(message, bytes, "No permission to open UDP port %d on %s. Ports below 1024 need root.", port, shown);
  } else {
    set_message(message, bytes, "UDP cannot be opened on %s port %d: %s.", shown, port, strerror(error));
  }
  return -error;
}

static int open_family(const uint8_t *endpoint, int family, int *fd_out) {
  union address address;
  int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  *fd_out = fd;
  if (fd < 0) return errno;
  if (family == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  socklen_t length = endpoint_to_address(endpoint, family, &address);
  if (bind(fd, &address.any, length) == 0) return 0;
  int error = errno;
  close(fd);
  *fd_out = -1;
  return error;
}

int io_udp_open(struct io_core *core, int32_t at, struct io_udp_info *info, char *message, size_t message_bytes) {
  static const uint8_t any4[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
  static const uint8_t any6[16] = {0};
  if (!bytes_ok(core, at, ENDPOINT_BYTES)) {
    set_message(message, message_bytes, "The endpoint lies outside the arena.");
    return -EINVAL;
  }
  uint8_t endpoint[ENDPOINT_BYTES];
  memcpy(endpoint, core->arena + at, sizeof endpoint);
  int family = memcmp(endpoint, any4, 12) == 0 ? AF_INET : AF_INET6, fd;
  int error = open_family(endpoint, family, &fd);
  if (error != 0 && memcmp(endpoint, any6, 16) == 0 && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL)) {
    /* IPv6 is switched off on this machine: "any address" then means any IPv4 address. */
    memcpy(endpoint, any4, sizeof any4);
    family = AF_INET;
    error = open_family(endpoint, family, &fd);
  }
  if (error != 0) return explain_bind(endpoint, error, message, message_bytes);

  set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
  set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
  /* links.md knows no path MTU discovery: a datagram too large for a hop is better fragmented than lost. */
  set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
  if (family == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
  int zero = 0, one = 1;
  info->segmentation =
      !(core->without & IO_WITHOUT_UDP_SEGMENT) && setsockopt(fd, SOL_UDP, UDP_SEGMENT, &zero, sizeof zero) == 0;
  info->coalescing = !(core->without & IO_WITHOUT_UDP_GRO) && setsockopt(fd, SOL_UDP, UDP_GRO, &one, sizeof one) == 0;
  union address bound;
  socklen_t length = sizeof bound;
  if (getsockname(fd, &bound.any, &length) != 0) {
    error = errno;
    close(fd);
    return explain_bind(endpoint, error, message, message_bytes);
  }
  /* Not EPOLLOUT: a UDP socket becomes "writable" again with every packet that leaves. */
  int handle = handle_new(core, fd, KIND_UDP, EPOLLIN);
  if (handle < 0) return explain_bind(endpoint, -handle, message, message_bytes);
  struct udp *udp = &handle_get(core, handle, KIND_UDP)->as.udp;
  udp->family = family;
  udp->segmentation = info->segmentation;
  info->handle = handle;
  info->port = ntohs(family == AF_INET ? bound.v4.sin_port : bound.v6.sin6_port);
  return handle;
}
