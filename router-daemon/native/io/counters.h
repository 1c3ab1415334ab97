/* What the core counts: each line is a field of `struct io_counters` and a name in `counters()`. */
#ifndef KCP_ROUTER_COUNTERS_H
#define KCP_ROUTER_COUNTERS_H

#include <stdint.h>

#define IO_COUNTERS(X)                                                                                                 \
  X(tunFramesRead)                                                                                                     \
  X(tunBytesRead)                                                                                                      \
  X(tunFramesWritten)                                                                                                  \
  X(tunBytesWritten)                                                                                                   \
  X(tunQueueFull)        /* writes refused because the device's queue is full */                                       \
  X(tunWriteFailed)      /* writes the kernel refused for another reason */                                            \
  X(tunSegmentsCut)      /* packets made in software out of super-segments */                                          \
  X(udpReceiveCalls)     /* recvmmsg */                                                                                \
  X(udpDatagramsReceived)                                                                                              \
  X(udpBytesReceived)                                                                                                  \
  X(udpCoalesced)        /* datagrams that came as part of a UDP_GRO train */                                          \
  X(rxOpened)                                                                                                          \
  X(rxBadTag)            /* dropped: forged, damaged, or another secret */                                             \
  X(rxNoKey)             /* dropped: encrypted, and encryption is off here */                                          \
  X(rxMalformed)         /* dropped: tunnel or peer header does not add up */                                          \
  X(rxUnknownLink)       /* dropped: sealed DATA of no link of ours */                                                        \
  X(rxTooLarge)          /* dropped: does not fit a slot */                                                            \
  X(rxOverrun)           /* dropped: received, but no slots were offered in time */                                    \
  X(udpSendCalls)        /* sendmmsg */                                                                                \
  X(udpDatagramsSent)                                                                                                  \
  X(udpBytesSent)                                                                                                      \
  X(udpTrains)           /* messages of several datagrams (UDP_SEGMENT) */                                             \
  X(txSealed)                                                                                                          \
  X(txQueueFull)         /* dropped: the socket's buffer is full */                                                    \
  X(txFailed)            /* dropped: the kernel refused (no route, firewall) */                                        \
  X(txNoRoute)           /* dropped: route, link or socket is gone */                                                  \
  X(txNoKey)             /* dropped: to be sealed, and no key is set */                                                \
  X(txTooLarge)          /* dropped: larger than a datagram may be */                                                  \
  X(udpSegmentFallbacks) /* sockets that lost UDP_SEGMENT because the kernel refused a train */                        \
  X(tcpConnects)                                                                                                       \
  X(tcpBytesRead)                                                                                                      \
  X(tcpBytesWritten)                                                                                                   \
  X(polls)                                                                                                             \
  X(timerSets)

struct io_counters {
#define X(name) uint64_t name;
  IO_COUNTERS(X)
#undef X
};

#endif
