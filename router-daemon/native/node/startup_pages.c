/*
 * Most of a process that has just started is Node's own program file, and a good part of that only starting needed. The kernel
 * keeps such pages mapped while memory is plenty. Given back, what is really used comes again, from the page cache.
 */
#include "binding.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINE_BYTES 4352 /* a line of /proc/self/maps with the longest path */

void give_back_startup_pages(void) {
  char program[4096], line[LINE_BYTES];
  unsigned long from, to, kilobytes, candidate = 0, candidate_end = 0;
  ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  FILE *maps = length > 0 ? fopen("/proc/self/smaps", "re") : NULL;
  if (maps == NULL) return;
  program[length] = '\0';
  while (fgets(line, sizeof line, maps) != NULL) {
    char rights[5];
    int path = 0;
    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %n", &from, &to, rights, &path) == 3) {
      int is_program = path > 0 && rights[1] == '-' && rights[3] == 'p' && strcmp(line + path, program) == 0;
      candidate = is_program ? from : 0;
      candidate_end = to;
    } else if (candidate != 0 && sscanf(line, "Anonymous: %lu kB", &kilobytes) == 1) {
      /* What was written before it was protected (addresses the loader filled in) exists nowhere else. */
      if (kilobytes == 0) madvise((void *)candidate, candidate_end - candidate, MADV_DONTNEED);
      candidate = 0;
    }
  }
  fclose(maps);
}
