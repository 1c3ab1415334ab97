/* kcp-router as one executable: the bundle's bytecode and what runs it. */
#include "bundle.h"
#include "engine.h"

#include <stdio.h>

int main(int argc, char **argv) {
  struct engine *engine = engine_create(argc, argv);
  if (engine == NULL) {
    fputs("kcp-router: there is not enough memory to start.\n", stderr);
    return 1;
  }
  int status = engine_run(engine, kcp_router_bundle, kcp_router_bundle_end - kcp_router_bundle);
  engine_destroy(engine);
  return status;
}
