/* The bundle as bytecode, made by compile.c for the byte order of the target; bundle.S puts it into the executable. */
#ifndef KCP_ROUTER_BUNDLE_H
#define KCP_ROUTER_BUNDLE_H

#include <stdint.h>

extern const uint8_t kcp_router_bundle[];
extern const uint8_t kcp_router_bundle_end[];

#endif
