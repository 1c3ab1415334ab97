#include "arguments.h"

#include <string.h>

static int refuse(JSContext *context, const char *function, int index, const char *wanted) {
  JS_ThrowTypeError(context, "%s: argument %d must be %s.", function, index + 1, wanted);
  return 0;
}

int argument_int_slow(JSContext *context, JSValueConst value, const char *function, int index, int32_t *out) {
  if (!JS_IsNumber(value)) return refuse(context, function, index, "a number");
  return JS_ToInt32(context, out, value) == 0;
}

int argument_double(JSContext *context, JSValueConst value, const char *function, int index, double *out) {
  if (!JS_IsNumber(value)) return refuse(context, function, index, "a number");
  return JS_ToFloat64(context, out, value) == 0;
}

int argument_bool(JSContext *context, JSValueConst value, const char *function, int index, int *out) {
  if (!JS_IsBool(value)) return refuse(context, function, index, "true or false");
  *out = JS_VALUE_GET_BOOL(value);
  return 1;
}

int argument_function(JSContext *context, JSValueConst value, const char *function, int index) {
  return JS_IsFunction(context, value) ? 1 : refuse(context, function, index, "a function");
}

/** NULL = it is no view of bytes, or its buffer is gone. The engine's own sentences do not name the function. */
static uint8_t *view_of(JSContext *context, JSValueConst value, size_t *length) {
  size_t offset, element, buffer_bytes;
  uint8_t *data = NULL;
  JSValue buffer = JS_GetTypedArrayBuffer(context, value, &offset, length, &element);
  if (!JS_IsException(buffer) && element == 1) data = JS_GetArrayBuffer(context, &buffer_bytes, buffer);
  if (JS_HasException(context)) JS_FreeValue(context, JS_GetException(context));
  /* The view keeps its buffer. */
  JS_FreeValue(context, buffer);
  return data == NULL ? NULL : data + offset;
}

int argument_bytes(JSContext *context, JSValueConst value, const char *function, int index, struct bytes *out) {
  out->at = view_of(context, value, &out->length);
  return out->at != NULL ? 1 : refuse(context, function, index, "a Uint8Array");
}

int argument_range(JSContext *context, JSValueConst *argv, const char *function, int index, struct bytes *out) {
  int32_t offset, length;
  if (!argument_bytes(context, argv[index], function, index, out)) return 0;
  if (!argument_int(context, argv[index + 1], function, index + 1, &offset)) return 0;
  if (!argument_int(context, argv[index + 2], function, index + 2, &length)) return 0;
  if (offset < 0 || length < 0 || (uint64_t)offset + (uint64_t)length > out->length) {
    JS_ThrowRangeError(context, "%s: %d bytes at %d lie outside an array of %zu.", function, (int)length, (int)offset,
                       out->length);
    return 0;
  }
  out->at += offset;
  out->length = (size_t)length;
  return 1;
}

const char *argument_text(JSContext *context, JSValueConst value, const char *function, int index, size_t *length) {
  if (!JS_IsString(value)) {
    refuse(context, function, index, "a string");
    return NULL;
  }
  return JS_ToCStringLen(context, length, value);
}

const char *argument_name(JSContext *context, JSValueConst value, const char *function, int index) {
  size_t length;
  const char *text = argument_text(context, value, function, index, &length);
  if (text == NULL || strlen(text) == length) return text;
  JS_FreeCString(context, text);
  refuse(context, function, index, "without a NUL character");
  return NULL;
}

int define(JSContext *context, JSValueConst object, const char *name, JSValue value) {
  return JS_SetPropertyStr(context, object, name, value);
}

JSValue make_uint8_array(JSContext *context, JSValue buffer) {
  if (JS_IsException(buffer)) return buffer;
  /* The engine reads all three, however many are said to be there. */
  JSValueConst arguments[] = {buffer, JS_UNDEFINED, JS_UNDEFINED};
  JSValue array = JS_NewTypedArray(context, 3, arguments, JS_TYPED_ARRAY_UINT8);
  JS_FreeValue(context, buffer);
  return array;
}
