/* UDP offload option numbers; older libcs do not have them. */
#ifndef KCP_ROUTER_UDP_GSO_H
#define KCP_ROUTER_UDP_GSO_H

#include <netinet/udp.h>

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/** What the kernel takes in one message (UDP_MAX_SEGMENTS of the oldest kernels that have it). */
#define TRAIN_MAX_SEGMENTS 64
#define TRAIN_MAX_BYTES 65000

#endif
