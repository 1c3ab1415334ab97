/* The module `kcp-router:native` with its one export, `native`. */
#include "engine.h"

static int initialise(JSContext *context, JSModuleDef *module) {
  JSValue native = JS_NewObject(context);
  if (JS_IsException(native)) return -1;
  core_define(context, native);
  timer_define(context, native);
  file_define(context, native);
  text_define(context, native);
  int failed = socket_define(context, native) | process_define(context, native) | names_define(context, native);
  if (failed != 0) {
    JS_FreeValue(context, native);
    JS_ThrowOutOfMemory(context);
    return -1;
  }
  return JS_SetModuleExport(context, module, "native", native);
}

int native_module_add(JSContext *context) {
  JSModuleDef *module = JS_NewCModule(context, "kcp-router:native", initialise);
  return module == NULL ? -1 : JS_AddModuleExport(context, module, "native");
}
