/*
 * TCP connections that carry known bytes, both ways, and end in every way a connection can end; each byte is checked.
 *
 *   transfer serve PORT                     prints one line of JSON per finished connection
 *   transfer client HOST PORT [--seed N] [--connections N] [--concurrency N] [--mode MODE] [--up BYTES] [--down BYTES]
 *                   [--random-size] [--stall-at BYTES --stall-ms MS] [--seconds S]
 *
 *   mode        what happens                                                           judged by
 *   duplex      both send at once, each shuts down its side when done                 both
 *   half-close  the client sends and shuts down; only then the server answers, closes  both
 *   download    the server sends and closes at once                                   client
 *   upload      the client sends and closes at once                                   server
 *   client-cut  as duplex, the client resets somewhere                                both (what arrived must be right)
 *   server-cut  as duplex, the server resets somewhere                                both
 *   mixed       one of these per connection, by seed
 *
 * Outcomes: ok, cut (we reset), cut-by-peer (in a cut mode), short, corrupt, reset, refused, timeout. --stall-at: the
 * client stops reading for a while after so many bytes (server instead, in mode upload). --random-size: sizes between 0
 * and --up/--down, by seed. Lines: {"id","mode","outcome","received","expected","sent","toSend","error"}.
 */
#define _GNU_SOURCE
#include <sys/epoll.h>

#include "common.h"
#include "pattern.h"

enum mode { DUPLEX, HALF_CLOSE, DOWNLOAD, UPLOAD, CLIENT_CUT, SERVER_CUT, MODES };
static const char *const MODE_NAMES[] = {"duplex", "half-close", "download", "upload", "client-cut", "server-cut", "mixed"};

enum { MAX_STREAMS = 4096 };

struct header {
  char magic[4];
  uint32_t mode;
  uint64_t id, seed, up, down, cut_at, stall_at;
  uint32_t stall_ms, padding;
};

struct stream {
  int fd;
  bool server, connecting, eof, shut;
  struct header header;
  uint32_t header_done;
  uint64_t sent, to_send, received, to_receive, stalled_until;
  bool stalled;
  uint32_t watched;
};

static int epoll;
static struct stream *stalled_streams[MAX_STREAMS];
static uint32_t stalled_count, outcomes_ok, outcomes_bad, alive;
static uint64_t total_received, total_sent;

static uint64_t data_seed(const struct stream *s, bool up) {
  return pattern_word(s->header.seed, up ? 1 : 2);
}

static void watch(struct stream *s, uint32_t events) {
  if (events == s->watched) return;
  struct epoll_event event = {.events = events, .data.ptr = s};
  epoll_ctl(epoll, s->watched == UINT32_MAX ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, s->fd, &event);
  s->watched = events;
}

static void finish(struct stream *s, const char *outcome, bool good, int error) {
  printf("{\"id\":%lu,\"mode\":\"%s\",\"outcome\":\"%s\",\"received\":%lu,\"expected\":%lu,\"sent\":%lu,\"toSend\":%lu,\"error\":\"%s\"}\n",
         s->header.id, MODE_NAMES[s->header.mode], outcome, s->received, s->to_receive, s->sent, s->to_send,
         error ? strerror(error) : "");
  fflush(stdout);
  total_received += s->received;
  total_sent += s->sent;
  if (good) outcomes_ok++;
  else outcomes_bad++;
  alive--;
  for (uint32_t i = 0; i < stalled_count; i++)
    if (stalled_streams[i] == s) stalled_streams[i--] = stalled_streams[--stalled_count];
  close(s->fd);
  free(s);
}

static bool is_cut_mode(const struct stream *s) {
  return s->header.mode == CLIENT_CUT || s->header.mode == SERVER_CUT;
}

static void failed(struct stream *s, int error) {
  bool was_connecting = s->connecting;
  if (is_cut_mode(s) && !was_connecting && s->header_done == sizeof s->header) finish(s, "cut-by-peer", true, error);
  else finish(s, was_connecting ? "refused" : "reset", false, error);
}

static bool may_send(const struct stream *s) {
  if (s->connecting) return true;
  if (s->server) {
    if (s->header_done < sizeof s->header) return false;
    return s->sent < s->to_send && (s->header.mode != HALF_CLOSE || s->eof);
  }
  return s->header_done < sizeof s->header || s->sent < s->to_send;
}

static void rewatch(struct stream *s) {
  watch(s, (s->eof || s->stalled ? 0 : (uint32_t)EPOLLIN) | (may_send(s) ? (uint32_t)EPOLLOUT : 0));
}

/* Ends the stream, or its sending side, if its mode says so. True when the stream is gone. */
static bool settle(struct stream *s) {
  if (s->header_done < sizeof s->header) return false;
  enum mode mode = s->header.mode;
  bool we_cut = (mode == CLIENT_CUT && !s->server) || (mode == SERVER_CUT && s->server);
  /* A client waits for a first byte: a reset may overtake its request, and then nobody could tell which one it was. */
  if (we_cut && s->sent + s->received >= s->header.cut_at && (s->server || s->received > 0)) {
    reset_on_close(s->fd);
    finish(s, "cut", true, 0);
    return true;
  }
  bool sent_all = s->sent == s->to_send;
  bool closes_at_once = (mode == DOWNLOAD && s->server) || (mode == UPLOAD && !s->server);
  if (closes_at_once && sent_all) {
    finish(s, "ok", true, 0);
    return true;
  }
  bool answers_after_eof = mode == HALF_CLOSE && s->server;
  bool keeps_open = (mode == DOWNLOAD && !s->server) || (mode == UPLOAD && s->server);
  if (sent_all && !s->shut && !keeps_open && (!answers_after_eof || s->eof)) {
    shutdown(s->fd, SHUT_WR);
    s->shut = true;
  }
  if (!s->eof) return false;
  if (s->received != s->to_receive) {
    finish(s, is_cut_mode(s) ? "cut-by-peer" : "short", is_cut_mode(s), 0);
    return true;
  }
  if (!sent_all) return false;
  finish(s, "ok", true, 0);
  return true;
}

static void adopt_header(struct stream *s) {
  struct header *h = &s->header;
  s->to_send = s->server ? h->down : h->up;
  s->to_receive = s->server ? h->up : h->down;
}

static bool on_writable(struct stream *s) {
  if (s->connecting) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) return failed(s, error), true;
    s->connecting = false;
  }
  ssize_t put;
  if (!s->server && s->header_done < sizeof s->header) {
    put = send(s->fd, (char *)&s->header + s->header_done, sizeof s->header - s->header_done, MSG_NOSIGNAL);
    if (put > 0) s->header_done += (uint32_t)put;
  } else if (s->sent < s->to_send) {
    uint64_t left = s->to_send - s->sent;
    size_t length = left < PATTERN_BLOCK ? (size_t)left : PATTERN_BLOCK;
    put = send(s->fd, pattern_bytes(data_seed(s, !s->server), s->sent, length), length, MSG_NOSIGNAL);
    if (put > 0) s->sent += (uint64_t)put;
  } else {
    return false;
  }
  if (put < 0 && errno != EAGAIN && errno != EINTR) return failed(s, errno), true;
  return settle(s);
}

static bool stalls_here(const struct stream *s) {
  return s->header.stall_ms > 0 && s->server == (s->header.mode == UPLOAD);
}

static bool on_readable(struct stream *s) {
  static char buffer[PATTERN_BLOCK];
  if (s->server && s->header_done < sizeof s->header) {
    ssize_t got = recv(s->fd, (char *)&s->header + s->header_done, sizeof s->header - s->header_done, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (got <= 0) return finish(s, "no-header", false, got < 0 ? errno : 0), true;
    s->header_done += (uint32_t)got;
    if (s->header_done < sizeof s->header) return false;
    if (memcmp(s->header.magic, "XFER", 4) != 0 || s->header.mode >= MODES) {
      s->header.mode = 0;
      return finish(s, "corrupt", false, 0), true;
    }
    adopt_header(s);
    return settle(s);
  }
  ssize_t got = recv(s->fd, buffer, sizeof buffer, 0);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return false;
    return failed(s, errno), true;
  }
  if (got == 0) {
    s->eof = true;
    return settle(s);
  }
  if (s->received + (uint64_t)got > s->to_receive || !pattern_matches(data_seed(s, s->server), s->received, buffer, (size_t)got)) {
    reset_on_close(s->fd);
    finish(s, "corrupt", false, 0);
    return true;
  }
  uint64_t before = s->received;
  s->received += (uint64_t)got;
  if (stalls_here(s) && before < s->header.stall_at && s->received >= s->header.stall_at) {
    s->stalled = true;
    s->stalled_until = now_ns() + (uint64_t)s->header.stall_ms * 1000000u;
    stalled_streams[stalled_count++] = s;
  }
  return settle(s);
}

static void handle(struct stream *s, uint32_t events) {
  if (events & EPOLLIN && on_readable(s)) return;
  if (events & EPOLLOUT && on_writable(s)) return;
  if (events & (EPOLLERR | EPOLLHUP) && !(events & (EPOLLIN | EPOLLOUT))) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) {
      failed(s, error);
      return;
    }
    /* Both sides are shut down but we are stalled or between events: look again at what is left to read. */
    if (!s->stalled && on_readable(s)) return;
  }
  rewatch(s);
}

static void resume_stalled(void) {
  uint64_t now = now_ns();
  for (uint32_t i = 0; i < stalled_count; i++) {
    struct stream *s = stalled_streams[i];
    if (s->stalled_until > now) continue;
    s->stalled = false;
    stalled_streams[i--] = stalled_streams[--stalled_count];
    rewatch(s);
  }
}

static struct stream *stream_new(int fd, bool server) {
  /* A reset that the network lost is found out by asking: one who only reads would otherwise wait for ever. */
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 2);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 10);
  struct stream *s = calloc(1, sizeof *s);
  s->fd = fd;
  s->server = server;
  s->watched = UINT32_MAX;
  alive++;
  return s;
}

static _Noreturn void serve(const char *port) {
  int listener = listen_on(port);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[64];
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  say_ready();
  for (;;) {
    int count = epoll_wait(epoll, events, 64, stalled_count > 0 ? 20 : -1);
    resume_stalled();
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr != NULL) {
        handle(events[i].data.ptr, events[i].events);
        continue;
      }
      int fd = alive < MAX_STREAMS ? accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
      if (fd >= 0) rewatch(stream_new(fd, true));
    }
  }
}

struct options {
  uint64_t seed, up, down, stall_at;
  uint32_t connections, concurrency, mode, stall_ms;
  double seconds;
  bool random_size;
};

static void open_stream(const struct options *options, uint64_t id, const struct sockaddr_in *server) {
  struct stream *s = stream_new(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), false);
  if (s->fd < 0) die("socket");
  uint64_t seed = pattern_word(options->seed, id);
  struct header *h = &s->header;
  *h = (struct header){.magic = "XFER", .id = id, .seed = seed, .stall_at = options->stall_at, .stall_ms = options->stall_ms};
  h->mode = options->mode == MODES ? (uint32_t)(pattern_word(seed, 3) % MODES) : options->mode;
  h->up = options->random_size ? pattern_word(seed, 4) % (options->up + 1) : options->up;
  h->down = options->random_size ? pattern_word(seed, 5) % (options->down + 1) : options->down;
  if (h->mode == DOWNLOAD) h->up = 0;
  if (h->mode == UPLOAD) h->down = 0;
  if (h->mode == CLIENT_CUT && h->down == 0) h->down = 1;
  h->cut_at = pattern_word(seed, 6) % (h->up + h->down + 1);
  adopt_header(s);
  s->connecting = true;
  if (connect(s->fd, (const struct sockaddr *)server, sizeof *server) < 0 && errno != EINPROGRESS) {
    failed(s, errno);
    return;
  }
  rewatch(s);
}

static int client(const struct options *options, const struct sockaddr_in *server) {
  uint64_t started = now_ns(), end = started + (uint64_t)(options->seconds * 1e9), opened = 0;
  while (opened < options->connections || alive > 0) {
    while (opened < options->connections && alive < options->concurrency) open_stream(options, opened++, server);
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, 64, 20);
    resume_stalled();
    for (int i = 0; i < count; i++) handle(events[i].data.ptr, events[i].events);
    if (now_ns() > end) break;
  }
  printf("{\"summary\":true,\"connections\":%lu,\"ok\":%u,\"bad\":%u,\"timeout\":%u,\"seconds\":%.3f,\"received\":%lu,\"sent\":%lu}\n",
         opened, outcomes_ok, outcomes_bad, alive, (double)(now_ns() - started) / 1e9, total_received, total_sent);
  return outcomes_bad + alive > 0 ? 1 : 0;
}

static bool parse(struct options *options, int argc, char **argv) {
  for (int i = 4; i < argc; i++) {
    if (strcmp(argv[i], "--random-size") == 0) {
      options->random_size = true;
      continue;
    }
    if (i + 1 == argc) return false;
    const char *name = argv[i], *value = argv[++i];
    if (strcmp(name, "--seed") == 0) options->seed = strtoull(value, NULL, 0);
    else if (strcmp(name, "--connections") == 0) options->connections = (uint32_t)atoi(value);
    else if (strcmp(name, "--concurrency") == 0) options->concurrency = (uint32_t)atoi(value);
    else if (strcmp(name, "--up") == 0) options->up = strtoull(value, NULL, 0);
    else if (strcmp(name, "--down") == 0) options->down = strtoull(value, NULL, 0);
    else if (strcmp(name, "--stall-at") == 0) options->stall_at = strtoull(value, NULL, 0);
    else if (strcmp(name, "--stall-ms") == 0) options->stall_ms = (uint32_t)atoi(value);
    else if (strcmp(name, "--seconds") == 0) options->seconds = atof(value);
    else if (strcmp(name, "--mode") == 0) {
      for (options->mode = 0; options->mode <= MODES && strcmp(MODE_NAMES[options->mode], value) != 0;) options->mode++;
      if (options->mode > MODES) return false;
    } else return false;
  }
  return options->concurrency > 0 && options->concurrency <= MAX_STREAMS;
}

int main(int argc, char **argv) {
  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) die("epoll_create1");
  if (argc == 3 && strcmp(argv[1], "serve") == 0) serve(argv[2]);
  struct options options = {.seed = 1, .connections = 1, .concurrency = 64, .up = 1 << 20, .down = 1 << 20, .seconds = 60};
  if (argc >= 4 && strcmp(argv[1], "client") == 0 && parse(&options, argc, argv)) {
    struct sockaddr_in server = address_of(argv[2], argv[3]);
    return client(&options, &server);
  }
  fputs("usage: transfer serve PORT | transfer client HOST PORT [--seed N] [--connections N] [--concurrency N] [--mode MODE]\n"
        "       [--up BYTES] [--down BYTES] [--random-size] [--stall-at BYTES --stall-ms MS] [--seconds S]\n",
        stderr);
  return 2;
}
