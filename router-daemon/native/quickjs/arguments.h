/*
 * Arguments of native functions, and some results. On failure `argument_…` throws a TypeError (a RangeError where said)
 * with a sentence and returns 0. None of them runs JavaScript: what one has returned is still valid after the next.
 */
#ifndef KCP_ROUTER_ARGUMENTS_H
#define KCP_ROUTER_ARGUMENTS_H

#include "quickjs.h"

#include <stddef.h>
#include <stdint.h>

struct bytes {
  uint8_t *at;
  size_t length;
};

int argument_int_slow(JSContext *context, JSValueConst value, const char *function, int index, int32_t *out);

/** A number as a 32-bit integer: fractions are cut off, larger ones wrap. */
static inline int argument_int(JSContext *context, JSValueConst value, const char *function, int index, int32_t *out) {
  if (__builtin_expect(JS_VALUE_GET_TAG(value) == JS_TAG_INT, 1)) {
    *out = JS_VALUE_GET_INT(value);
    return 1;
  }
  return argument_int_slow(context, value, function, index, out);
}

int argument_double(JSContext *context, JSValueConst value, const char *function, int index, double *out);
int argument_bool(JSContext *context, JSValueConst value, const char *function, int index, int *out);
int argument_function(JSContext *context, JSValueConst value, const char *function, int index);
/** A whole Uint8Array. */
int argument_bytes(JSContext *context, JSValueConst value, const char *function, int index, struct bytes *out);
/** argv[index] is a Uint8Array, the next two are offset and length in it; outside it: a RangeError. */
int argument_range(JSContext *context, JSValueConst *argv, const char *function, int index, struct bytes *out);
/** A string as UTF-8, to be freed with JS_FreeCString; NULL = failed. */
const char *argument_text(JSContext *context, JSValueConst value, const char *function, int index, size_t *length);
/** The same for names and paths: without a NUL in it. */
const char *argument_name(JSContext *context, JSValueConst value, const char *function, int index);

/** A Uint8Array over a buffer, which is freed. An exception passes. */
JSValue make_uint8_array(JSContext *context, JSValue buffer);
/** JS_SetPropertyStr that also says so when there is no memory: -1. */
int define(JSContext *context, JSValueConst object, const char *name, JSValue value);

#endif
