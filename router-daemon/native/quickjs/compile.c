/*
 * Runs on the machine that builds: turns the bundle (one ES module) into bytecode.
 *   compile IN.js OUT little|big
 * The byte order is that of the target. Bytecode depends neither on it nor on the word size, except for regular expressions.
 */
#include "regexp_order.h"

#include "libregexp.h"
#include "quickjs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** The name that stack traces show. */
#define MODULE_NAME "kcp-router"

static _Noreturn void fail(const char *what, const char *name) {
  fprintf(stderr, "compile: %s %s.\n", what, name);
  exit(1);
}

/** The target's byte order is not this machine's. */
static int other_order;

uint8_t *__real_lre_compile(int *length, char *error, int error_bytes, const char *source, size_t source_bytes, int flags,
                            void *opaque);

/** What the engine compiles is only written here, never executed: it may be in the target's byte order (linked with --wrap). */
uint8_t *__wrap_lre_compile(int *length, char *error, int error_bytes, const char *source, size_t source_bytes, int flags,
                            void *opaque) {
  uint8_t *program = __real_lre_compile(length, error, error_bytes, source, source_bytes, flags, opaque);
  if (program != NULL && other_order && regexp_swap(program, (size_t)*length) != 0)
    fail("cannot turn round the regular expression", source);
  return program;
}

static char *read_all(const char *name, size_t *length) {
  FILE *file = fopen(name, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) fail("cannot read", name);
  long size = ftell(file);
  rewind(file);
  char *text = malloc((size_t)size + 1);
  if (text == NULL || fread(text, 1, (size_t)size, file) != (size_t)size) fail("cannot read", name);
  fclose(file);
  text[size] = '\0';
  *length = (size_t)size;
  return text;
}

/** Only its name and export are needed here: the executable brings the real one. */
static int nothing(JSContext *context, JSModuleDef *module) {
  return JS_SetModuleExport(context, module, "native", JS_UNDEFINED);
}

static _Noreturn void print_exception(JSContext *context) {
  JSValue error = JS_GetException(context);
  const char *text = JS_ToCString(context, error);
  JSValue stack = JS_GetPropertyStr(context, error, "stack");
  const char *where = JS_ToCString(context, stack);
  fprintf(stderr, "%s\n%s", text != NULL ? text : "", where != NULL ? where : "");
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 4) fail("usage:", "compile IN.js OUT little|big");
  other_order = (strcmp(argv[3], "big") == 0) != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
  size_t length, bytes;
  char *source = read_all(argv[1], &length);
  JSRuntime *runtime = JS_NewRuntime();
  JSContext *context = runtime == NULL ? NULL : JS_NewContext(runtime);
  if (context == NULL) fail("no memory for", argv[1]);
  /* A fifth of the size. What stays are the functions' names, which a failure's line shows. */
  JS_SetStripInfo(runtime, JS_STRIP_SOURCE | JS_STRIP_DEBUG);
  JSModuleDef *native = JS_NewCModule(context, "kcp-router:native", nothing);
  if (native == NULL || JS_AddModuleExport(context, native, "native") != 0) fail("no memory for", argv[1]);
  JSValue module = JS_Eval(context, source, length, MODULE_NAME, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
  if (JS_IsException(module)) print_exception(context);
  uint8_t *bytecode = JS_WriteObject(context, &bytes, module, JS_WRITE_OBJ_BYTECODE);
  if (bytecode == NULL) print_exception(context);
  FILE *out = fopen(argv[2], "wb");
  if (out == NULL || fwrite(bytecode, 1, bytes, out) != bytes || fclose(out) != 0) fail("cannot write", argv[2]);
  return 0;
}
