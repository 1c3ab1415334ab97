/*
 * linkem: an IP link between two network namespaces, with the faults of a real one.
 *
 *     namespace a                                         namespace b
 *     ┌──────────┐   "ab": delay, loss, rate, queue …     ┌──────────┐
 *     │ TUN dev  │ ─────────────────────────────────────▶ │ TUN dev  │
 *     │          │ ◀───────────────────────────────────── │          │
 *     └──────────┘   "ba": parameters of its own          └──────────┘
 *
 *   linkem link A_NS:DEVICE B_NS:DEVICE [--seed N] [--fifo PATH] [--realtime] [both|ab|ba KEY=VALUE …]…
 *   linkem fates SEED ab|ba COUNT [KEY=VALUE …]     prints what would happen to packets 0 … COUNT-1, one letter each
 *
 * A_NS is a path such as /proc/123/ns/net. Both devices vanish with this process, which ends at the end of its
 * standard input. Commands, a line each, on standard input or the FIFO; every answer is one line of JSON on standard output:
 *
 *   set both|ab|ba KEY=VALUE …      stats      reset      (SIGUSR1 = stats)
 *
 * Keys: fate.h. Times in ms, rate in Mbit/s of IP bytes, probabilities 0..1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "path.h"

enum { READ_BATCH = 64, FRAME_BYTES = 2048, LINE_BYTES = 4096 };
/* A packet due within this time goes out now: one wake-up serves several, and nobody can see 20 us. */
static const uint64_t SLACK_NS = 20000;
/* Under load the loop turns no faster than this: waking up for each packet costs more than carrying it. */
static const uint64_t TURN_NS = 100000;

static struct path paths[2]; /* 0 = ab, 1 = ba */
static struct calendar calendar;

struct line_reader {
  int fd;
  size_t used;
  char text[LINE_BYTES];
};

static void die(const char *what) {
  fprintf(stderr, "linkem: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/*
 * Opens the TUN in another namespace, `spec` = namespace path ":" device. This process stays there: it needs no network of
 * its own, and without root the way back would be forbidden.
 */
static int tun_open(const char *spec) {
  char path[256];
  const char *colon = strrchr(spec, ':');
  if (colon == NULL || (size_t)(colon - spec) >= sizeof path || strlen(colon + 1) >= IFNAMSIZ) {
    fprintf(stderr, "linkem: \"%s\" is not NAMESPACE_PATH:DEVICE\n", spec);
    exit(2);
  }
  memcpy(path, spec, (size_t)(colon - spec));
  path[colon - spec] = 0;
  int namespace = open(path, O_RDONLY | O_CLOEXEC);
  if (namespace < 0) die(path);
  if (setns(namespace, CLONE_NEWNET) < 0) die("setns");
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) die("/dev/net/tun");
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  strcpy(request.ifr_name, colon + 1);
  if (ioctl(fd, TUNSETIFF, &request) < 0) die("TUNSETIFF");
  close(namespace);
  return fd;
}

static void print_path(const char *name, const struct path *path) {
  const struct counters *c = &path->counters;
  uint64_t out = c->delivered + c->write_failed;
  printf("\"%s\":{\"received\":%lu,\"receivedBytes\":%lu,\"delivered\":%lu,\"deliveredBytes\":%lu,\"lost\":%lu,"
         "\"lostInBurst\":%lu,\"queueFull\":%lu,\"tooBig\":%lu,\"whileDown\":%lu,\"overflow\":%lu,\"writeFailed\":%lu,"
         "\"duplicated\":%lu,\"reordered\":%lu,\"maxBacklogBytes\":%lu,\"meanLateUs\":%.1f,\"maxLateUs\":%.1f}",
         name, c->received, c->received_bytes, c->delivered, c->delivered_bytes, c->lost, c->lost_in_burst,
         c->queue_full, c->too_big, c->while_down, c->overflow, c->write_failed, c->duplicated, c->reordered,
         c->max_backlog_bytes, out > 0 ? (double)c->late_ns / (double)out / 1e3 : 0, (double)c->max_late_ns / 1e3);
}

static void print_statistics(void) {
  fputs("{", stdout);
  print_path("ab", &paths[0]);
  fputs(",", stdout);
  print_path("ba", &paths[1]);
  fputs("}\n", stdout);
}

/* 1 = ab, 2 = ba, 3 = both, 0 = none of these words. */
static unsigned direction_mask(const char *word) {
  if (strcmp(word, "ab") == 0) return 1;
  if (strcmp(word, "ba") == 0) return 2;
  return strcmp(word, "both") == 0 ? 3 : 0;
}

static bool set_parameter(unsigned mask, const char *assignment) {
  bool known = true;
  for (unsigned i = 0; i < 2; i++)
    if (mask >> i & 1) known = parameters_set(&paths[i].parameters, assignment) && known;
  return known;
}

static void command(char *line) {
  char *rest, *verb = strtok_r(line, " \t\r", &rest);
  if (verb == NULL) return;
  if (strcmp(verb, "stats") == 0) {
    print_statistics();
  } else if (strcmp(verb, "reset") == 0) {
    for (int i = 0; i < 2; i++) paths[i].counters = (struct counters){0};
    puts("{\"ok\":true}");
  } else if (strcmp(verb, "set") == 0) {
    char *which = strtok_r(NULL, " \t\r", &rest);
    unsigned mask = which ? direction_mask(which) : 0;
    bool ok = mask != 0;
    for (char *word; ok && (word = strtok_r(NULL, " \t\r", &rest)) != NULL;) ok = set_parameter(mask, word);
    puts(ok ? "{\"ok\":true}" : "{\"ok\":false,\"error\":\"set both|ab|ba KEY=VALUE: unknown key or value out of range\"}");
  } else {
    puts("{\"ok\":false,\"error\":\"commands: set, stats, reset\"}");
  }
  fflush(stdout);
}

/* False at the end of the input. */
static bool read_commands(struct line_reader *reader) {
  ssize_t got = read(reader->fd, reader->text + reader->used, sizeof reader->text - 1 - reader->used);
  if (got == 0) return false;
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  reader->used += (size_t)got;
  reader->text[reader->used] = 0;
  char *start = reader->text, *end;
  while ((end = strchr(start, '\n')) != NULL) {
    *end = 0;
    command(start);
    start = end + 1;
  }
  reader->used = strlen(start);
  if (reader->used == sizeof reader->text - 1) reader->used = 0; /* a line longer than the buffer is no command */
  memmove(reader->text, start, reader->used + 1);
  return true;
}

static void read_packets(int tun, uint8_t which) {
  for (int i = 0; i < READ_BATCH; i++) {
    uint8_t scratch[FRAME_BYTES], *frame = calendar_spare(&calendar);
    ssize_t length = read(tun, frame ? frame : scratch, FRAME_BYTES);
    if (length <= 0) return;
    if (frame) path_admit(paths, which, &calendar, (uint32_t)length, now_ns());
    else paths[which].counters.overflow++;
  }
}

static void watch(int epoll, int fd, uint32_t id) {
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = id};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

static void run(int tun_a, int tun_b, int fifo) {
  enum { A, B, INPUT, FIFO, SIGNALS, TIMER };
  static struct line_reader input = {.fd = 0}, pipe_input;
  pipe_input.fd = fifo;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  int signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (signal_fd < 0 || timer < 0 || epoll < 0) die("event loop");
  watch(epoll, tun_a, A);
  watch(epoll, tun_b, B);
  watch(epoll, 0, INPUT);
  if (fifo >= 0) watch(epoll, fifo, FIFO);
  watch(epoll, signal_fd, SIGNALS);
  watch(epoll, timer, TIMER);
  uint64_t armed = UINT64_MAX, turn = 0;
  for (bool running = true; running;) {
    struct timespec earliest = {(time_t)((turn + TURN_NS) / 1000000000u), (long)((turn + TURN_NS) % 1000000000u)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &earliest, NULL);
    struct epoll_event events[8];
    int count = epoll_wait(epoll, events, 8, -1);
    turn = now_ns();
    for (int i = 0; i < count; i++) {
      uint32_t id = events[i].data.u32;
      struct signalfd_siginfo info;
      uint64_t expirations;
      if (id == A) read_packets(tun_a, 0);
      else if (id == B) read_packets(tun_b, 1);
      else if (id == INPUT) running = running && read_commands(&input);
      else if (id == FIFO) read_commands(&pipe_input);
      else if (id == TIMER && read(timer, &expirations, sizeof expirations) > 0) armed = UINT64_MAX;
      else if (id == SIGNALS && read(signal_fd, &info, sizeof info) > 0) {
        if (info.ssi_signo == SIGUSR1) print_statistics(), fflush(stdout);
        else running = false;
      }
    }
    uint64_t next = calendar_deliver(&calendar, paths, now_ns(), SLACK_NS);
    if (next == armed) continue;
    armed = next;
    struct itimerspec when = {0};
    if (next != UINT64_MAX) {
      when.it_value.tv_sec = (time_t)(next / 1000000000u);
      when.it_value.tv_nsec = (long)(next % 1000000000u);
    }
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
  }
}

static int link_main(int argc, char **argv) {
  if (argc < 4) return 2;
  uint64_t seed = 1;
  unsigned mask = 3;
  int fifo = -1;
  const char *fifo_path = NULL;
  for (int i = 4; i < argc; i++) {
    if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) seed = strtoull(argv[++i], NULL, 0);
    else if (strcmp(argv[i], "--fifo") == 0 && i + 1 < argc) fifo_path = argv[++i];
    else if (strcmp(argv[i], "--realtime") == 0) {
      /* A wire does not wait for a processor. Where this is not permitted the link is only less exact. */
      struct sched_param priority = {.sched_priority = 1};
      sched_setscheduler(0, SCHED_FIFO, &priority);
    } else if (direction_mask(argv[i]) != 0) mask = direction_mask(argv[i]);
    else if (!set_parameter(mask, argv[i])) {
      fprintf(stderr, "linkem: \"%s\": unknown key or value out of range\n", argv[i]);
      return 2;
    }
  }
  prctl(PR_SET_TIMERSLACK, 1000ul);
  int tun_a = tun_open(argv[2]), tun_b = tun_open(argv[3]);
  if (fifo_path != NULL) {
    if (mkfifo(fifo_path, 0600) < 0 && errno != EEXIST) die(fifo_path);
    /* Read and write: a writer that goes away is not the end of the input. */
    fifo = open(fifo_path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fifo < 0) die(fifo_path);
  }
  paths[0].out = tun_b;
  paths[1].out = tun_a;
  for (uint32_t i = 0; i < 2; i++) fate_init(&paths[i].fates, seed, i);
  calendar_init(&calendar, FRAME_BYTES);
  puts("{\"ready\":true}");
  fflush(stdout);
  run(tun_a, tun_b, fifo);
  print_statistics();
  if (fifo_path != NULL) unlink(fifo_path);
  return 0;
}

/* One letter per packet: . delivered, d delivered twice, r held back, l lost, b lost in a burst. */
static int fates_main(int argc, char **argv) {
  unsigned mask = argc < 5 ? 0 : direction_mask(argv[3]);
  if (mask != 1 && mask != 2) return 2;
  struct fate_source fates;
  struct parameters parameters = {0};
  fate_init(&fates, strtoull(argv[2], NULL, 0), mask - 1);
  for (int i = 5; i < argc; i++)
    if (!parameters_set(&parameters, argv[i])) return 2;
  for (long i = 0, count = atol(argv[4]); i < count; i++) {
    struct verdict verdict = fate_next(&fates, &parameters);
    putchar(verdict.fate == FATE_LOST            ? 'l'
            : verdict.fate == FATE_LOST_IN_BURST ? 'b'
            : verdict.reordered                  ? 'r'
            : verdict.duplicated                 ? 'd'
                                                 : '.');
  }
  putchar('\n');
  return 0;
}

int main(int argc, char **argv) {
  int status = 2;
  if (argc > 1 && strcmp(argv[1], "link") == 0) status = link_main(argc, argv);
  else if (argc > 1 && strcmp(argv[1], "fates") == 0) status = fates_main(argc, argv);
  if (status == 2)
    fputs("usage: linkem link NS:DEVICE NS:DEVICE [--seed N] [--fifo PATH] [--realtime] [both|ab|ba KEY=VALUE ...]\n"
          "       linkem fates SEED ab|ba COUNT [KEY=VALUE ...]\n",
          stderr);
  return status;
}
