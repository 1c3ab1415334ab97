/* UTF-8 as the web platform's TextEncoder and TextDecoder do it, names of errors, randomness. */
#include "arguments.h"
#include "engine.h"
#include "errors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const uint8_t REPLACEMENT[3] = {0xef, 0xbf, 0xbd}; /* U+FFFD */

/**
 * Looks at the character at `at`. Returns its bytes, or 0 when it is malformed; `*bad` is then how many bytes one
 * replacement stands for: the longest beginning of a well-formed character, at least one (Unicode 15, table 3-7).
 */
static size_t character(const uint8_t *at, const uint8_t *end, size_t *bad) {
  uint8_t first = at[0];
  size_t bytes = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  *bad = 1;
  for (size_t i = 1; i < bytes; i++) {
    if (at + i == end || at[i] < low || at[i] > high) return 0;
    low = 0x80;
    high = 0xbf;
    *bad = i + 1;
  }
  return bytes;
}

/** Up to where it is well-formed. */
static const uint8_t *well_formed(const uint8_t *at, const uint8_t *end) {
  size_t bad, bytes;
  while (at < end && (bytes = character(at, end, &bad)) != 0) at += bytes;
  return at;
}

static JSValue decode_repaired(JSContext *context, const uint8_t *at, size_t length) {
  const uint8_t *end = at + length;
  size_t bad, bytes, used = 0;
  /* Each byte becomes a replacement at worst. */
  uint8_t *repaired = malloc(length * sizeof REPLACEMENT);
  if (repaired == NULL) return JS_ThrowOutOfMemory(context);
  while (at < end) {
    bytes = character(at, end, &bad);
    memcpy(repaired + used, bytes != 0 ? at : REPLACEMENT, bytes != 0 ? bytes : sizeof REPLACEMENT);
    used += bytes != 0 ? bytes : sizeof REPLACEMENT;
    at += bytes != 0 ? bytes : bad;
  }
  JSValue text = JS_NewStringLen(context, (const char *)repaired, used);
  free(repaired);
  return text;
}

static JSValue decode_utf8(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  struct bytes bytes;
  int fatal;
  if (!argument_range(context, argv, "decodeUtf8", 0, &bytes)) return JS_EXCEPTION;
  if (!argument_bool(context, argv[3], "decodeUtf8", 3, &fatal)) return JS_EXCEPTION;
  const uint8_t *end = bytes.at + bytes.length;
  if (well_formed(bytes.at, end) == end) return JS_NewStringLen(context, (const char *)bytes.at, bytes.length);
  return fatal ? JS_UNDEFINED : decode_repaired(context, bytes.at, bytes.length);
}

static JSValue encode_utf8(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  size_t length, size;
  const char *text = argument_text(context, argv[0], "encodeUtf8", 0, &length);
  if (text == NULL) return JS_EXCEPTION;
  JSValue buffer = JS_NewArrayBufferCopy(context, (const uint8_t *)text, length);
  JS_FreeCString(context, text);
  if (JS_IsException(buffer)) return buffer;
  uint8_t *at = JS_GetArrayBuffer(context, &size, buffer), *end = at + size;
  /* The engine writes a lone surrogate as if it were a character: ED, then A0 or more; three bytes like the replacement. */
  while (at < end && (at = memchr(at, 0xed, (size_t)(end - at))) != NULL) {
    if (at[1] >= 0xa0) memcpy(at, REPLACEMENT, sizeof REPLACEMENT);
    at += sizeof REPLACEMENT;
  }
  return make_uint8_array(context, buffer);
}

static JSValue name_of_error(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  int32_t code;
  char unnamed[16];
  if (!argument_int(context, argv[0], "errorName", 0, &code)) return JS_EXCEPTION;
  const char *name = error_name(code);
  snprintf(unnamed, sizeof unnamed, "E%u", code < 0 ? 0u - (uint32_t)code : (uint32_t)code);
  return JS_NewString(context, name != NULL ? name : unnamed);
}

static JSValue random_bytes(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  struct bytes bytes;
  if (!argument_bytes(context, argv[0], "randomBytes", 0, &bytes)) return JS_EXCEPTION;
  while (bytes.length > 0) {
    ssize_t got = getrandom(bytes.at, bytes.length, 0);
    if (got < 0 && errno == EINTR) continue;
    /* Nobody may go on with bytes that are not random. */
    if (got <= 0) return JS_ThrowInternalError(context, "randomBytes: the system gives no randomness.");
    bytes.at += got;
    bytes.length -= (size_t)got;
  }
  return JS_UNDEFINED;
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("encodeUtf8", 1, encode_utf8),
    JS_CFUNC_DEF("decodeUtf8", 4, decode_utf8),
    JS_CFUNC_DEF("errorName", 1, name_of_error),
    JS_CFUNC_DEF("randomBytes", 1, random_bytes),
};

void text_define(JSContext *context, JSValueConst native) {
  JS_SetPropertyFunctionList(context, native, FUNCTIONS, sizeof FUNCTIONS / sizeof *FUNCTIONS);
}
