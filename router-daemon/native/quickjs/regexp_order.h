/*
 * QuickJS writes bytecode in one byte order for all machines, but leaves the program of a regular expression in that of the machine which
 * compiled it. Where the two differ, the compiler of bytecode turns it round.
 */
#ifndef KCP_ROUTER_REGEXP_ORDER_H
#define KCP_ROUTER_REGEXP_ORDER_H

#include <stddef.h>
#include <stdint.h>

/** Turns the numbers of a program round, in place. 0, or -1 when there is an instruction that is not known. */
int regexp_swap(uint8_t *program, size_t bytes);

#endif
