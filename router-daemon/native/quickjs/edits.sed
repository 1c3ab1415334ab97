# What the build changes in the engine's quickjs.c, which is brought unchanged (tools/sources.sh). Less work for the interpreter, for programs
# that a type checker has accepted; each change is a word or a line left out. EDITED_LINES in the Makefile counts them.

# A `let` or `const` read before its declaration is undefined, not an error, as it is already at the top of a bundle, where esbuild writes
# `var`. What is left to check is `this` before `super()`.
s/get_op = OP_\(get_loc\|get_var_ref\)_check;/get_op = var_name == JS_ATOM_this ? OP_\1_check : OP_\1;/
s/dbuf_putc(bc, OP_\(get_loc\|put_loc\|get_var_ref\|put_var_ref\)_check);/dbuf_putc(bc, var_name == JS_ATOM_this ? OP_\1_check : OP_\1);/
# So nothing has to be marked on entering a block.
/should check if variable can be used/,/dbuf_put_u16/{
  /dbuf_put/d
}

# `this.#method()` does not ask whether `this` is of the class that has it.
/^static int resolve_scope_private_field(/,/^}/{
  /OP_check_brand/d
}

# Private fields and elements of typed arrays without a call.
s/^static JSValue JS_GetPrivateField(/static force_inline JSValue JS_GetPrivateField(/
s/^static int JS_SetPrivateField(/static force_inline int JS_SetPrivateField(/
s/^static JSValue JS_GetPropertyValue(JSContext \*ctx, JSValueConst this_obj,$/static force_inline JSValue JS_GetPropertyValue(JSContext *ctx, JSValueConst this_obj,/
