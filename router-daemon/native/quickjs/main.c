/* kcp-router as one executable: the bundle's bytecode and what runs it. */
#include "bundle.h"
#include "engine.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/** The bundle's pages have been read: the kernel need not keep them in our memory. */
static void forget_bundle(void) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t from = ((uintptr_t)kcp_router_bundle + page - 1) & ~(page - 1);
  uintptr_t to = (uintptr_t)kcp_router_bundle_end & ~(page - 1);
  if (from < to) madvise((void *)from, to - from, MADV_DONTNEED);
}

int main(int argc, char **argv) {
  struct engine *engine = engine_create(argc, argv);
  if (engine == NULL) {
    fputs("kcp-router: there is not enough memory to start.\n", stderr);
    return 1;
  }
  JSValue module = engine_load(engine, kcp_router_bundle, (size_t)(kcp_router_bundle_end - kcp_router_bundle));
  forget_bundle();
  engine_run(engine, module);
  engine_destroy(engine);
  return 0;
}
