/* TCP sockets of the destination side. */
#include "core.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define KEEPALIVE_IDLE_S 5
#define KEEPALIVE_INTERVAL_S 2
#define KEEPALIVE_PROBES 2
#define EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP)

static void set_option(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof value); }

int io_tcp_connect(struct io_core *core, uint32_t ipv4, int32_t port) {
  if (port < 1 || port > 65535) return -EINVAL;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(ipv4)};
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) {
    int error = -errno;
    close(fd);
    return error;
  }
  core->count.tcpConnects++;
  /* Only now: a socket that was never connected would report a hang-up. */
  return handle_new(core, fd, KIND_TCP, EVENTS);
}

int io_tcp_error(struct io_core *core, int32_t handle) {
  struct handle *entry = handle_get(core, handle, KIND_TCP);
  if (entry == NULL) return -EBADF;
  struct tcp *tcp = &entry->as.tcp;
  if (tcp->error != 0) return tcp->error;
  /* The kernel tells an error once; it is kept here. */
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(entry->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error != 0) return tcp->error = -error;
  if (tcp->connected) return 0;
  struct sockaddr_in peer;
  length = sizeof peer;
  if (getpeername(entry->fd, (struct sockaddr *)&peer, &length) == 0) {
    tcp->connected = 1;
    return 0;
  }
  return errno == ENOTCONN ? -EINPROGRESS : -errno;
}

int io_tcp_read(struct io_core *core, int32_t handle, int32_t iov, int32_t count) {
  struct handle *entry = handle_get(core, handle, KIND_TCP);
  if (entry == NULL) return -EBADF;
  int64_t total = gather(core, iov, count);
  if (total < 0) return (int)total;
  if (total == 0) return 0;
  for (;;) {
    ssize_t got = readv(entry->fd, core->iov, count);
    if (got > 0) {
      core->count.tcpBytesRead += (uint64_t)got;
      return (int)got;
    }
    if (got == 0) return IO_E_END_OF_STREAM;
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return 0;
    return entry->as.tcp.error = -errno;
  }
}

int io_tcp_write(struct io_core *core, int32_t handle, int32_t iov, int32_t count) {
  struct handle *entry = handle_get(core, handle, KIND_TCP);
  if (entry == NULL) return -EBADF;
  int64_t total = gather(core, iov, count);
  if (total < 0) return (int)total;
  if (total == 0) return 0;
  struct msghdr message = {.msg_iov = core->iov, .msg_iovlen = (size_t)count};
  for (;;) {
    ssize_t sent = sendmsg(entry->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      core->count.tcpBytesWritten += (uint64_t)sent;
      return (int)sent;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return 0;
    return -errno;
  }
}

int io_tcp_shutdown(struct io_core *core, int32_t handle) {
  struct handle *entry = handle_get(core, handle, KIND_TCP);
  if (entry == NULL) return -EBADF;
  return shutdown(entry->fd, SHUT_WR) == 0 ? 0 : -errno;
}

int io_tcp_abort(struct io_core *core, int32_t handle) {
  struct handle *entry = handle_get(core, handle, KIND_TCP);
  if (entry == NULL) return -EBADF;
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  setsockopt(entry->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  return io_close(core, handle);
}
