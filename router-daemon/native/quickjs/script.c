/*
 * An interpreter for development: runs a file as the executable runs its bundle, with the same module.
 *   kcp-router-script FILE.js [arguments]
 * `argv` begins with the file's name.
 */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>

static uint8_t *read_all(const char *name, size_t *length) {
  FILE *file = fopen(name, "rb");
  size_t room = 0;
  uint8_t *text = NULL;
  *length = 0;
  if (file == NULL) return NULL;
  while (!feof(file) && !ferror(file)) {
    if (*length + 1 >= room && (text = realloc(text, room = 2 * room + 65536)) == NULL) break;
    *length += fread(text + *length, 1, room - *length - 1, file);
  }
  fclose(file);
  /* The parser wants it. */
  if (text != NULL) text[*length] = '\0';
  return text;
}

int main(int argc, char **argv) {
  size_t length, bytes;
  if (argc < 2) {
    fputs("usage: kcp-router-script FILE.js [arguments]\n", stderr);
    return 2;
  }
  uint8_t *text = read_all(argv[1], &length);
  if (text == NULL) {
    fprintf(stderr, "kcp-router-script: %s cannot be read.\n", argv[1]);
    return 2;
  }
  struct engine *engine = engine_create(argc - 1, argv + 1);
  if (engine == NULL) return 2;
  int flags = JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY;
  JSValue module = JS_Eval(engine->context, (const char *)text, length, argv[1], flags);
  free(text);
  if (JS_IsException(module)) engine_fail(engine, JS_GetException(engine->context));
  uint8_t *bytecode = JS_WriteObject(engine->context, &bytes, module, JS_WRITE_OBJ_BYTECODE);
  JS_FreeValue(engine->context, module);
  if (bytecode == NULL) engine_fail(engine, JS_GetException(engine->context));
  module = engine_load(engine, bytecode, bytes);
  js_free(engine->context, bytecode);
  engine_run(engine, module);
  engine_destroy(engine);
  return 0;
}
