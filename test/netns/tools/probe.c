/*
 * Numbered UDP datagrams: what arrives, in which order, how late.
 *
 *   probe sink PORT COUNT IDLE_MS          collects until COUNT arrived or IDLE_MS of silence after the first; prints JSON
 *   probe send HOST PORT COUNT SIZE GAP_US
 *   probe echo PORT
 *   probe ping HOST PORT COUNT SIZE GAP_US  prints JSON of round trip times
 *
 * Delays are one way, from the wall clock at sending to the kernel's time stamp of arrival: a busy receiver does not count.
 * `arrivals` holds one character per number
 * sent: 0 = never, 1 = once, 2 = twice or more.
 */
#define _GNU_SOURCE
#include <poll.h>

#include "common.h"

enum { MAX_COUNT = 1 << 20, MAX_SIZE = 65000 };

struct packet {
  uint64_t number, sent_at;
};

static double *delays;
static uint32_t delay_count;

static int udp_socket(const char *port) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  set_option(fd, SOL_SOCKET, SO_RCVBUF, 4 << 20);
  set_option(fd, SOL_SOCKET, SO_SNDBUF, 4 << 20);
  set_option(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  if (port) {
    struct sockaddr_in address = address_of("0.0.0.0", port);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
  }
  return fd;
}

static uint64_t wall_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* As recv(); `arrived_at` is when the kernel got it. */
static ssize_t receive_stamped(int fd, void *buffer, size_t size, uint64_t *arrived_at) {
  char control[256];
  struct iovec part = {buffer, size};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t got = recvmsg(fd, &message, 0);
  *arrived_at = wall_ns();
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); got >= 0 && c != NULL; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
    struct timespec t;
    memcpy(&t, CMSG_DATA(c), sizeof t);
    *arrived_at = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
  }
  return got;
}

/* Waits until `at`: asleep while it is far, turning while it is near, so that gaps are exact. */
static void wait_until(uint64_t at) {
  for (uint64_t now; (now = now_ns()) < at;)
    if (at - now > 200000) usleep((useconds_t)((at - now - 100000) / 1000));
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void print_delays(void) {
  double sum = 0;
  for (uint32_t i = 0; i < delay_count; i++) sum += delays[i];
  qsort(delays, delay_count, sizeof *delays, by_value);
#define AT(share) (delay_count ? delays[(uint32_t)((share) * (delay_count - 1))] : -1)
  printf("\"meanMs\":%.4f,\"minMs\":%.4f,\"p50Ms\":%.4f,\"p90Ms\":%.4f,\"p99Ms\":%.4f,\"maxMs\":%.4f",
         delay_count ? sum / delay_count : -1, AT(0), AT(0.5), AT(0.9), AT(0.99), AT(1));
#undef AT
}

static int sink(const char *port, uint32_t count, int idle_ms) {
  static char buffer[MAX_SIZE];
  int fd = udp_socket(port);
  char *arrivals = malloc(count + 1);
  memset(arrivals, '0', count);
  arrivals[count] = 0;
  uint32_t distinct = 0, received = 0, overtaken = 0;
  uint64_t highest = 0, first = 0, last = 0, bytes = 0;
  say_ready();
  while (distinct < count || idle_ms > 0) {
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (poll(&ready, 1, received == 0 ? 30000 : idle_ms) == 0) break;
    uint64_t arrived_at;
    ssize_t got = receive_stamped(fd, buffer, sizeof buffer, &arrived_at);
    if (got < (ssize_t)sizeof(struct packet)) continue;
    struct packet packet;
    memcpy(&packet, buffer, sizeof packet);
    if (packet.number >= count) continue;
    last = arrived_at;
    if (received++ == 0) first = last;
    bytes += (uint64_t)got;
    if (packet.number < highest) overtaken++;
    else highest = packet.number;
    char *seen = &arrivals[packet.number];
    if (*seen == '0') {
      *seen = '1';
      distinct++;
      delays[delay_count++] = (double)(arrived_at - packet.sent_at) / 1e6;
    } else {
      *seen = '2';
    }
  }
  printf("{\"received\":%u,\"distinct\":%u,\"overtaken\":%u,\"bytes\":%lu,\"seconds\":%.6f,", received, distinct, overtaken,
         bytes, (double)(last - first) / 1e9);
  print_delays();
  printf(",\"arrivals\":\"%s\"}\n", arrivals);
  return 0;
}

static _Noreturn void echo(const char *port) {
  static char buffer[MAX_SIZE];
  int fd = udp_socket(port);
  say_ready();
  for (;;) {
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    ssize_t got = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length);
    if (got > 0) sendto(fd, buffer, (size_t)got, 0, (struct sockaddr *)&from, length);
  }
}

static int transmit(char **argv, bool wait_for_echo) {
  static char buffer[MAX_SIZE];
  int fd = udp_socket(NULL);
  struct sockaddr_in to = address_of(argv[2], argv[3]);
  uint32_t count = (uint32_t)atoi(argv[4]), size = (uint32_t)atoi(argv[5]), failed = 0;
  uint64_t gap = (uint64_t)atoi(argv[6]) * 1000, start = now_ns();
  if (count > MAX_COUNT || size < sizeof(struct packet) || size > MAX_SIZE) return 2;
  if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
  for (uint32_t i = 0; i < count || wait_for_echo;) {
    if (i < count && now_ns() >= start + i * gap) {
      struct packet packet = {i++, wall_ns()};
      memcpy(buffer, &packet, sizeof packet);
      if (send(fd, buffer, size, 0) < 0) failed++;
      continue;
    }
    if (!wait_for_echo) {
      wait_until(start + i * gap);
      continue;
    }
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    uint64_t due = start + i * gap, now = now_ns();
    int timeout = i == count ? 1000 : due > now ? (int)((due - now) / 1000000u) : 0;
    if (poll(&ready, 1, timeout) == 0) {
      if (i == count) break;
      continue;
    }
    struct packet packet;
    uint64_t arrived_at;
    if (receive_stamped(fd, buffer, sizeof buffer, &arrived_at) < (ssize_t)sizeof packet) continue;
    memcpy(&packet, buffer, sizeof packet);
    if (delay_count < MAX_COUNT) delays[delay_count++] = (double)(arrived_at - packet.sent_at) / 1e6;
    if (i == count && delay_count == count) break;
  }
  printf("{\"sent\":%u,\"failed\":%u,\"answered\":%u,", count, failed, delay_count);
  print_delays();
  puts("}");
  return 0;
}

int main(int argc, char **argv) {
  delays = malloc(MAX_COUNT * sizeof *delays);
  if (argc == 5 && strcmp(argv[1], "sink") == 0 && atoi(argv[3]) <= MAX_COUNT) return sink(argv[2], (uint32_t)atoi(argv[3]), atoi(argv[4]));
  if (argc == 3 && strcmp(argv[1], "echo") == 0) echo(argv[2]);
  if (argc == 7 && strcmp(argv[1], "send") == 0) return transmit(argv, false);
  if (argc == 7 && strcmp(argv[1], "ping") == 0) return transmit(argv, true);
  fputs("usage: probe sink PORT COUNT IDLE_MS | probe send|ping HOST PORT COUNT SIZE GAP_US | probe echo PORT\n", stderr);
  return 2;
}
