/*
 * The calls of the core that take integers and return one, as a table: what every binding makes its functions from.
 */
#ifndef KCP_ROUTER_CALLS_H
#define KCP_ROUTER_CALLS_H

#include "io.h"

#define IO_CALL_COUNT 25
#define IO_CALL_MAX_ARGUMENTS 7

struct io_call {
  const char *name; /* as host.ts and native-core.ts spell it */
  int arguments;
  int32_t (*run)(struct io_core *core, const int32_t *a);
};
extern const struct io_call IO_CALLS[IO_CALL_COUNT];

#endif
