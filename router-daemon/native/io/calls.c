#include "calls.h"

#define CALL1(name, fn) static int32_t name(struct io_core *core, const int32_t *a) { return fn(core, a[0]); }
#define CALL2(name, fn) static int32_t name(struct io_core *core, const int32_t *a) { return fn(core, a[0], a[1]); }
#define CALL3(name, fn) static int32_t name(struct io_core *core, const int32_t *a) { return fn(core, a[0], a[1], a[2]); }
#define CALL4(name, fn) \
  static int32_t name(struct io_core *core, const int32_t *a) { return fn(core, a[0], a[1], a[2], a[3]); }

CALL1(call_close, io_close)
CALL2(call_random, io_random)
CALL2(call_poll, io_poll)
CALL3(call_tun_read, io_tun_read)
CALL3(call_tun_write, io_tun_write)
CALL1(call_link_clear, io_link_clear)
CALL3(call_route_set, io_route_set)
CALL1(call_route_clear, io_route_clear)
CALL4(call_udp_receive, io_udp_receive)
CALL4(call_udp_followers, io_udp_followers)
CALL2(call_send, io_send)
CALL3(call_send_on_link, io_send_on_link)
CALL4(call_send_datagram, io_send_datagram)
CALL1(call_tcp_error, io_tcp_error)
CALL3(call_tcp_read, io_tcp_read)
CALL3(call_tcp_write, io_tcp_write)
CALL1(call_tcp_shutdown, io_tcp_shutdown)
CALL1(call_tcp_abort, io_tcp_abort)

static int32_t call_tun_configure(struct io_core *core, const int32_t *a) {
  return io_tun_configure(core, a[0], (uint32_t)a[1], a[2], a[3]);
}
static int32_t call_tun_route(struct io_core *core, const int32_t *a) {
  return io_tun_route(core, a[0], a[1], (uint32_t)a[2], a[3]);
}
static int32_t call_tun_split(struct io_core *core, const int32_t *a) {
  return io_tun_split(core, a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
}
static int32_t call_seahash(struct io_core *core, const int32_t *a) {
  return io_seahash(core, a[0], a[1], a[2], a[3], a[4]);
}
static int32_t call_link_set(struct io_core *core, const int32_t *a) {
  return io_link_set(core, a[0], a[1], a[2], (uint32_t)a[3]);
}
static int32_t call_identity_set(struct io_core *core, const int32_t *a) {
  return io_identity_set(core, (uint32_t)a[0], a[1]);
}
static int32_t call_tcp_connect(struct io_core *core, const int32_t *a) {
  return io_tcp_connect(core, (uint32_t)a[0], a[1]);
}

const struct io_call IO_CALLS[IO_CALL_COUNT] = {
    {"close", 1, call_close},
    {"random", 2, call_random},
    {"poll", 2, call_poll},
    {"tunConfigure", 4, call_tun_configure},
    {"tunRoute", 4, call_tun_route},
    {"tunRead", 3, call_tun_read},
    {"tunWrite", 3, call_tun_write},
    {"tunSplit", 7, call_tun_split},
    {"seahash", 5, call_seahash},
    {"linkSet", 4, call_link_set},
    {"linkClear", 1, call_link_clear},
    {"identitySet", 2, call_identity_set},
    {"routeSet", 3, call_route_set},
    {"routeClear", 1, call_route_clear},
    {"udpReceive", 4, call_udp_receive},
    {"udpFollowers", 4, call_udp_followers},
    {"send", 2, call_send},
    {"sendOnLink", 3, call_send_on_link},
    {"sendDatagram", 4, call_send_datagram},
    {"tcpConnect", 2, call_tcp_connect},
    {"tcpError", 1, call_tcp_error},
    {"tcpRead", 3, call_tcp_read},
    {"tcpWrite", 3, call_tcp_write},
    {"tcpShutdown", 1, call_tcp_shutdown},
    {"tcpAbort", 1, call_tcp_abort},
};
