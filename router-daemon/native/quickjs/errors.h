/*
 * Error numbers for JavaScript. TypeScript compares them with numbers (-111 is ECONNREFUSED), and Linux numbers them
 * otherwise on MIPS: what crosses the binding is Linux's usual numbering, everywhere.
 */
#ifndef KCP_ROUTER_ERRORS_H
#define KCP_ROUTER_ERRORS_H

#include <stdint.h>

/** A result of the core or of a system call: -errno of this machine becomes the usual number; all else passes. */
int32_t error_out(int32_t result);
/** The other way. */
int32_t error_in(int32_t code);
/** `ECONNREFUSED` for -111; NULL = it has no name here. */
const char *error_name(int32_t code);

#endif
