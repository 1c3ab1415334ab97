/*
 * Small requests over TCP: each connection sends SIZE bytes, waits for SIZE bytes of answer, and again.
 *
 *   pingpong serve PORT
 *   pingpong client HOST PORT [--count N] [--seconds S] [--size BYTES] [--connections N] [--gap-us US] [--skip N] [--fresh]
 *
 * --count is per connection; the run ends at whichever of count and seconds comes first. --fresh opens a new connection
 * for every request (connect + first answer is what is timed). --skip leaves each connection's first N answers out of the
 * percentiles. The client prints one line of JSON; times in ms.
 */
#define _GNU_SOURCE
#include <sys/epoll.h>

#include "common.h"

enum { MAX_CONNECTIONS = 1024, MAX_SIZE = 65536, MAX_SAMPLES = 1 << 22 };

struct flow {
  int fd;
  uint32_t done, got;
  uint64_t sent_at;
  bool connecting;
};

static struct flow flows[MAX_CONNECTIONS];
static float *samples;
static uint32_t sample_count, failures;
static char payload[MAX_SIZE];

static _Noreturn void serve(const char *port) {
  int listener = listen_on(port), epoll = epoll_create1(EPOLL_CLOEXEC);
  static char buffer[MAX_SIZE];
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[64];
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  say_ready();
  for (;;) {
    int count = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (accepted < 0) continue;
        set_option(accepted, IPPROTO_TCP, TCP_NODELAY, 1);
        event = (struct epoll_event){.events = EPOLLIN, .data.fd = accepted};
        epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &event);
        continue;
      }
      ssize_t got = recv(fd, buffer, sizeof buffer, 0);
      if (got <= 0 || !write_all(fd, buffer, (size_t)got)) close(fd);
    }
  }
}

static void flow_open(struct flow *flow, const struct sockaddr_in *server, int epoll) {
  flow->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  set_option(flow->fd, IPPROTO_TCP, TCP_NODELAY, 1);
  flow->connecting = true;
  flow->got = 0;
  flow->sent_at = now_ns();
  if (connect(flow->fd, (const struct sockaddr *)server, sizeof *server) < 0 && errno != EINPROGRESS) die("connect");
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = flow};
  epoll_ctl(epoll, EPOLL_CTL_ADD, flow->fd, &event);
}

static int by_value(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static double percentile(double share) {
  if (sample_count == 0) return -1;
  uint32_t index = (uint32_t)(share * sample_count);
  return samples[index < sample_count ? index : sample_count - 1];
}

struct options {
  uint32_t count, size, connections, gap_us, skip;
  double seconds;
  bool fresh;
};

static bool send_request(struct flow *flow, const struct options *options, bool first) {
  if (!options->fresh || !first) flow->sent_at = now_ns();
  flow->got = 0;
  return write_all(flow->fd, payload, options->size);
}

static void run(const struct options *options, const struct sockaddr_in *server) {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  uint32_t alive = options->connections;
  uint64_t started = now_ns(), end = started + (uint64_t)(options->seconds * 1e9);
  double first_connect_ms = -1, first_answer_ms = -1;
  for (uint32_t i = 0; i < options->connections; i++) flow_open(&flows[i], server, epoll);
  while (alive > 0) {
    uint64_t now = now_ns();
    if (now >= end) break;
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, 64, (int)((end - now) / 1000000u) + 1);
    for (int i = 0; i < count; i++) {
      struct flow *flow = events[i].data.ptr;
      bool ok = true;
      if (flow->connecting) {
        int error = 0;
        socklen_t length = sizeof error;
        getsockopt(flow->fd, SOL_SOCKET, SO_ERROR, &error, &length);
        ok = error == 0;
        flow->connecting = false;
        if (first_connect_ms < 0) first_connect_ms = (double)(now_ns() - started) / 1e6;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = flow};
        epoll_ctl(epoll, EPOLL_CTL_MOD, flow->fd, &event);
        ok = ok && send_request(flow, options, true);
      } else {
        char buffer[MAX_SIZE];
        ssize_t got = recv(flow->fd, buffer, sizeof buffer, 0);
        if (got < 0 && errno == EAGAIN) continue;
        ok = got > 0;
        if (ok) flow->got += (uint32_t)got;
        if (ok && flow->got >= options->size) {
          uint64_t at = now_ns();
          if (first_answer_ms < 0) first_answer_ms = (double)(at - started) / 1e6;
          if (flow->done >= options->skip && sample_count < MAX_SAMPLES)
            samples[sample_count++] = (float)((double)(at - flow->sent_at) / 1e6);
          flow->done++;
          bool more = flow->done < options->count;
          if (more && options->gap_us > 0) usleep(options->gap_us);
          if (!more || options->fresh) close(flow->fd);
          if (!more) alive--;
          else if (options->fresh) flow_open(flow, server, epoll);
          else ok = send_request(flow, options, false);
        }
      }
      if (!ok) {
        failures++;
        close(flow->fd);
        alive--;
      }
    }
  }
  qsort(samples, sample_count, sizeof *samples, by_value);
  printf("{\"count\":%u,\"failures\":%u,\"unanswered\":%u,\"connectMs\":%.3f,\"firstAnswerMs\":%.3f,\"minMs\":%.4f,\"p50Ms\":%.4f,"
         "\"p90Ms\":%.4f,\"p95Ms\":%.4f,\"p99Ms\":%.4f,\"p999Ms\":%.4f,\"maxMs\":%.4f}\n",
         sample_count, failures, alive, first_connect_ms, first_answer_ms, percentile(0), percentile(0.5),
         percentile(0.9), percentile(0.95), percentile(0.99), percentile(0.999), percentile(1));
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "serve") == 0) serve(argv[2]);
  if (argc < 4 || strcmp(argv[1], "client") != 0) {
    fputs("usage: pingpong serve PORT | pingpong client HOST PORT [--count N] [--seconds S] [--size BYTES]\n"
          "       [--connections N] [--gap-us US] [--skip N] [--fresh]\n",
          stderr);
    return 2;
  }
  struct options options = {.count = 1000, .size = 64, .connections = 1, .seconds = 30};
  for (int i = 4; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : "";
    if (strcmp(argv[i], "--fresh") == 0) {
      options.fresh = true;
      continue;
    }
    if (strcmp(argv[i], "--count") == 0) options.count = (uint32_t)atoi(value);
    else if (strcmp(argv[i], "--seconds") == 0) options.seconds = atof(value);
    else if (strcmp(argv[i], "--size") == 0) options.size = (uint32_t)atoi(value);
    else if (strcmp(argv[i], "--connections") == 0) options.connections = (uint32_t)atoi(value);
    else if (strcmp(argv[i], "--skip") == 0) options.skip = (uint32_t)atoi(value);
    else if (strcmp(argv[i], "--gap-us") == 0) options.gap_us = (uint32_t)atoi(value);
    else return 2;
    i++;
  }
  if (options.size > MAX_SIZE || options.size == 0 || options.connections > MAX_CONNECTIONS) return 2;
  samples = malloc(MAX_SAMPLES * sizeof *samples);
  struct sockaddr_in server = address_of(argv[2], argv[3]);
  run(&options, &server);
  return 0;
}
