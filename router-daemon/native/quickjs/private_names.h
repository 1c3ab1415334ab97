/*
 * Private fields by name instead of by variable, for edits.sed. The engine makes a class's private names when the class is
 * evaluated and keeps them in variables, which each use reads. Here the compiler makes them, once, and writes them into the
 * bytecode where names of other fields stand, so that `this.#field` is what `this.field` is. Not so strict, therefore: of an object
 * of another class a private field is undefined, and written it is added, where the language has an error; the type checker lets no
 * program do either.
 */
#ifndef KCP_ROUTER_PRIVATE_NAMES_H
#define KCP_ROUTER_PRIVATE_NAMES_H

/** Of the field that resolve_scope_private_field1 has found last; JS_ATOM_NULL = of something else. */
static JSAtom private_name;

/** Makes the name of a field that was just declared as a variable, and notes it there. The reference is the caller's. */
static JSAtom make_private_name(JSContext *ctx, JSFunctionDef *fd, JSAtom declared) {
  JSAtom name = js_symbol_to_atom(ctx, JS_NewSymbolFromAtom(ctx, declared, JS_ATOM_TYPE_PRIVATE));
  fd->vars[find_private_class_field(ctx, fd, declared, fd->scope_level)].func_pool_idx = (int)name;
  return name;
}

/** Appends an instruction that takes the field's name. 0 = it has none. */
static int put_with_private_name(JSContext *ctx, DynBuf *bc, int op) {
  if (private_name == JS_ATOM_NULL) return 0;
  dbuf_putc(bc, op);
  dbuf_put_u32(bc, JS_DupAtom(ctx, private_name));
  return 1;
}

/** In one of the compiler's cases. */
#define PUT_PRIVATE(op) \
  if (put_with_private_name(ctx, bc, op)) break

#endif
