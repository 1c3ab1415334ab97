# What the build changes in the engine's quickjs.c, which is brought unchanged (tools/sources.sh). Less work for the interpreter, for programs
# that a type checker has accepted. EDITED_LINES in the Makefile counts the lines that change.

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

# Private fields by name (private_names.h): found while compiling, written into the bytecode as such, …
/^\/\* initialize the class fields, called by/i #include "private_names.h"
/^static int resolve_scope_private_field1(/,/^}/{
  s/is_ref = FALSE;/& private_name = JS_ATOM_NULL;/
  s/var_kind = fd->vars\[idx\].var_kind;/& if (var_kind == JS_VAR_PRIVATE_FIELD) private_name = fd->vars[idx].func_pool_idx;/
  s/if (is_ref) {/if (is_ref \&\& private_name == JS_ATOM_NULL) {/
}
/^static int resolve_scope_private_field(/,/^}/{
  /case OP_scope_get_private_field2:/,/break;/s/case JS_VAR_PRIVATE_FIELD:/& PUT_PRIVATE(op == OP_scope_get_private_field ? OP_get_field : OP_get_field2);/
  /case OP_scope_put_private_field:/,/break;/s/case JS_VAR_PRIVATE_FIELD:/& PUT_PRIVATE(OP_put_field);/
  /case OP_scope_in_private_field:/,/break;/s/get_loc_or_ref(bc, is_ref, idx);/if (!put_with_private_name(ctx, bc, OP_push_atom_value)) &/
}
# … where the field is declared, …
/emit_op(s, OP_private_symbol);/,/emit_atom/{
  s/OP_private_symbol/OP_push_atom_value/
  s/emit_atom(s, name)/emit_u32(s, make_private_name(ctx, fd, name))/
}
# … and written and read as names of a kind of their own.
/^static int JS_WriteObjectAtoms(/,/^}/s/JS_WriteString(s, p);/bc_put_u8(s, p->atom_type == JS_ATOM_TYPE_SYMBOL); &/
/^static int JS_ReadObjectAtoms(/,/^}/{
  s/p = JS_ReadString(s);/if (bc_get_u8(s, \&v8)) return -1; &/
  s/atom = JS_NewAtomStr(s->ctx, p);/atom = v8 != 0 ? __JS_NewAtom(s->ctx->rt, p, JS_ATOM_TYPE_PRIVATE) : JS_NewAtomStr(s->ctx, p);/
}

# Shorter ways through the interpreter (fast_paths.h).
/^static JSValue JS_CallInternal(JSContext \*caller_ctx/i #include "fast_paths.h"
/^static JSValue JS_CallInternal(JSContext \*caller_ctx/,/^}/{
  s/\*sp, ret_val, \*pval;/*sp, ret_val, *pval, borrowed;/
  s/for(i = 0; i < b->var_count; i++)/for(pval = var_buf, i = b->var_count; i > 0; i--)/
  s/^        var_buf\[i\] = JS_UNDEFINED;/        *pval++ = JS_UNDEFINED;/
  /CASE(OP_get_\(loc\|arg\|var_ref\)[0-9])/s/\*sp++ = JS_DupValue(ctx, \(.*\)); BREAK;/LOAD(\1); BREAK;/
  s/^        CASE(OP_push_i32):/        BORROWED_FIELD\n&/
  /define OP_CMP(/,/BREAK$/{
    s/sp\[-2\] = JS_NewBool(ctx, \(.*\)); \\/COMPARED(\1); \\/
    /sp--;/!s/} else {  */} else if (both_numbers(op1, op2, \&number1, \&number2)) { COMPARED(number1 binary_op number2); sp--; } else { /
    s/JSValue op1, op2;/& double number1, number2;/
  }
  /define GET_FIELD_INLINE/,/^            }/s/if (unlikely(prs->flags & JS_PROP_TMASK)) /CALL_GETTER &/
}

# Pages that the kernel has just given are zero: writing that into the data path's tables would be the first to touch most of them.
/^void \*js_mallocz_rt(/,/^}/s/return memset(ptr, 0, size);/return size > ZEROED_ABOVE ? ptr : memset(ptr, 0, size);/
