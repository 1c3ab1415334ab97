/*
 * Bulk TCP in one direction, measured where it arrives.
 *
 *   bulk serve PORT                              one client, then ends
 *   bulk client HOST PORT up|down WARMUP_MS MEASURE_MS [CONGESTION_CONTROL|- [MBIT_PER_SECOND]]
 *
 * The receiver counts from WARMUP_MS after the first byte, for MEASURE_MS, resets the connection (so that nothing stays
 * queued on the way) and prints {"bytes", "totalBytes", "seconds", "mbps", "firstByteMs"} on ITS standard output. No control connection:
 * what crosses a very lossy network is the data alone. The receiver discards in the kernel (MSG_TRUNC), the sender sends
 * one incompressible buffer again and again: the tool should not be what is measured.
 */
#define _GNU_SOURCE
#include "common.h"

struct request {
  char magic[4];
  uint32_t up, warmup_ms, measure_ms, mbit_per_second;
  char congestion[16];
};

enum { CHUNK_BYTES = 256 * 1024, GRACE_MS = 20000 };

static void send_until_closed(int fd, const struct request *request) {
  static uint64_t buffer[CHUNK_BYTES / 8];
  uint64_t state = 88172645463325252u;
  for (size_t i = 0; i < CHUNK_BYTES / 8; i++) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    buffer[i] = state;
  }
  if (request->mbit_per_second > 0) set_option(fd, SOL_SOCKET, SO_MAX_PACING_RATE, (int)(request->mbit_per_second * 125000));
  uint64_t end = now_ns() + (uint64_t)(request->warmup_ms + request->measure_ms + GRACE_MS) * 1000000u;
  struct timeval limit = {.tv_sec = 1};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  while (now_ns() < end)
    if (send(fd, buffer, sizeof buffer, MSG_NOSIGNAL) < 0 && errno != EAGAIN && errno != EINTR) break;
  reset_on_close(fd);
}

static void receive_and_measure(int fd, const struct request *request) {
  static char buffer[CHUNK_BYTES];
  uint64_t started = now_ns(), first = 0, from = 0, until = 0, last = 0, bytes = 0, total = 0, now = started;
  struct timeval limit = {.tv_usec = 50000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  for (;;) {
    ssize_t got = recv(fd, buffer, sizeof buffer, MSG_TRUNC);
    now = now_ns();
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) break;
    if (got > 0) {
      if (first == 0) {
        first = now;
        from = first + (uint64_t)request->warmup_ms * 1000000u;
        until = from + (uint64_t)request->measure_ms * 1000000u;
      }
      total += (uint64_t)got;
      if (now >= from && now <= until) bytes += (uint64_t)got;
      last = now;
    }
    if (first ? now >= until : now - started > (uint64_t)GRACE_MS * 1000000u) break;
  }
  reset_on_close(fd);
  /* An early end counts the time until the last byte; silence until the planned end counts as silence. */
  uint64_t end = first && now < until ? last : until;
  double seconds = end > from ? (double)(end - from) / 1e9 : 0;
  printf("{\"bytes\":%lu,\"totalBytes\":%lu,\"seconds\":%.6f,\"mbps\":%.3f,\"firstByteMs\":%.3f}\n", bytes, total, seconds,
         seconds > 0 ? (double)bytes * 8 / seconds / 1e6 : 0, first ? (double)(first - started) / 1e6 : -1);
  fflush(stdout);
}

static void use_congestion(int fd, const struct request *request) {
  if (request->congestion[0] == 0) return;
  if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, request->congestion, (socklen_t)strlen(request->congestion)) < 0)
    die("TCP_CONGESTION");
}

static int serve(const char *port) {
  int listener = listen_on(port);
  say_ready();
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0) die("accept");
  close(listener);
  struct request request;
  if (!read_all(fd, &request, sizeof request) || memcmp(request.magic, "BULK", 4) != 0) {
    fputs("no request from the client\n", stderr);
    return 1;
  }
  request.congestion[sizeof request.congestion - 1] = 0;
  use_congestion(fd, &request);
  if (request.up) receive_and_measure(fd, &request);
  else send_until_closed(fd, &request);
  close(fd);
  return 0;
}

static int client(char **argv, int argc) {
  struct request request = {.magic = "BULK", .up = strcmp(argv[4], "up") == 0};
  request.warmup_ms = (uint32_t)atoi(argv[5]);
  request.measure_ms = (uint32_t)atoi(argv[6]);
  if (argc > 8) request.mbit_per_second = (uint32_t)atoi(argv[8]);
  if (argc > 7 && strcmp(argv[7], "-") != 0) strncpy(request.congestion, argv[7], sizeof request.congestion - 1);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in server = address_of(argv[2], argv[3]);
  if (connect(fd, (struct sockaddr *)&server, sizeof server) < 0) die("connect");
  use_congestion(fd, &request); /* after connect(), which takes the route's */
  if (!write_all(fd, &request, sizeof request)) die("send");
  if (request.up) send_until_closed(fd, &request);
  else receive_and_measure(fd, &request);
  close(fd);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "serve") == 0) return serve(argv[2]);
  if (argc >= 7 && strcmp(argv[1], "client") == 0) return client(argv, argc);
  fputs("usage: bulk serve PORT | bulk client HOST PORT up|down WARMUP_MS MEASURE_MS [CONGESTION_CONTROL|- [MBIT_PER_SECOND]]\n", stderr);
  return 2;
}
