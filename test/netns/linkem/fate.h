/*
 * What happens to one packet on the emulated link.
 *
 * The fate of packet i depends on the seed, the direction, i and the parameters in force, and on nothing else: not on
 * time, not on the other direction. Only the queue (which needs the clock) is decided elsewhere (path.h).
 */
#ifndef LINKEM_FATE_H
#define LINKEM_FATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct parameters {
  double delay_ms;     /* one way */
  double jitter_ms;    /* 0..jitter_ms more, uniform; order is kept */
  double reorder;      /* probability that a packet is held back by reorder_ms, so that later ones overtake it */
  double reorder_ms;
  double loss;         /* probability, independent per packet */
  double burst_enter;  /* Gilbert-Elliott: good -> bad, per packet; 0 = off */
  double burst_leave;  /* bad -> good */
  double burst_loss;   /* probability of loss while bad (in the good state: `loss`) */
  double duplicate;    /* probability that the receiver gets it twice */
  double rate_mbit;    /* IP bits per second / 1e6; 0 = unlimited */
  double queue_bytes;  /* bytes waiting for the rate; the one that does not fit is dropped; 0 = unlimited */
  double mtu;          /* larger packets vanish without an ICMP message; 0 = as the device's MTU */
  double down;         /* 1 = everything vanishes */
};

enum fate { FATE_DELIVERED, FATE_LOST, FATE_LOST_IN_BURST };

struct verdict {
  enum fate fate;
  bool duplicated;
  bool reordered;
  uint64_t extra_ns; /* delay + jitter + reordering */
};

struct fate_source {
  uint64_t seed;
  uint32_t direction;
  uint64_t index; /* of the next packet */
  bool bad;       /* the Gilbert-Elliott state */
};

void fate_init(struct fate_source *source, uint64_t seed, uint32_t direction);
struct verdict fate_next(struct fate_source *source, const struct parameters *parameters);

/* Sets one `key=value`; false when the key is unknown or the value is out of range. */
bool parameters_set(struct parameters *parameters, const char *assignment);

#endif
