/*
 * Shorter ways through the interpreter, for edits.sed to put in the place of the engine's own. Included by the edited
 * quickjs.c just before its interpreter, whose names (`sp`, `pc`, `ctx`, …) the macros use.
 */
#ifndef KCP_ROUTER_FAST_PATHS_H
#define KCP_ROUTER_FAST_PATHS_H

/**
 * Pushes a variable's value. When a field of it is all that is wanted, only that is pushed: one instruction instead of two, and
 * the object, which the variable keeps alive, is not counted up and down.
 */
#define LOAD(variable)                                                                                           \
  do {                                                                                                           \
    borrowed = (variable);                                                                                       \
    if (*pc == OP_get_field && JS_VALUE_GET_TAG(borrowed) == JS_TAG_OBJECT) goto borrowed_field;                  \
    *sp++ = JS_DupValue(ctx, borrowed);                                                                          \
  } while (0)

/** `pc` is at the OP_get_field. What is not simply a property of the object itself goes the long way. */
#define BORROWED_FIELD                                                                                           \
  borrowed_field : {                                                                                             \
    JSProperty *place;                                                                                           \
    JSShapeProperty *property = find_own_property(&place, JS_VALUE_GET_OBJ(borrowed), get_u32(pc + 1));           \
    if (likely(property != NULL && (property->flags & JS_PROP_TMASK) == 0)) {                                     \
      *sp++ = JS_DupValue(ctx, place->u.value);                                                                  \
      pc += 5;                                                                                                   \
    } else {                                                                                                     \
      *sp++ = JS_DupValue(ctx, borrowed);                                                                        \
    }                                                                                                            \
    BREAK;                                                                                                       \
  }

/** The result of comparing sp[-2] with sp[-1], which need not be freed: a branch that waits for it is taken at once. */
#define COMPARED(condition)                                                                                      \
  do {                                                                                                           \
    int holds = (condition);                                                                                     \
    if (*pc == OP_if_false8) {                                                                                   \
      sp -= 2;                                                                                                   \
      pc += holds ? 2 : 1 + (int8_t)pc[1];                                                                       \
      BREAK;                                                                                                     \
    }                                                                                                            \
    sp[-2] = JS_NewBool(ctx, holds);                                                                             \
  } while (0)

static force_inline int both_numbers(JSValueConst a, JSValueConst b, double *x, double *y) {
  int a_tag = JS_VALUE_GET_TAG(a), b_tag = JS_VALUE_GET_TAG(b);
  if (JS_TAG_IS_FLOAT64(a_tag)) *x = JS_VALUE_GET_FLOAT64(a);
  else if (a_tag == JS_TAG_INT) *x = JS_VALUE_GET_INT(a);
  else return 0;
  if (JS_TAG_IS_FLOAT64(b_tag)) *y = JS_VALUE_GET_FLOAT64(b);
  else if (b_tag == JS_TAG_INT) *y = JS_VALUE_GET_INT(b);
  else return 0;
  return 1;
}

/** What a getter says, asked without a detour. */
#define CALL_GETTER                                                                                              \
  if (unlikely((prs->flags & JS_PROP_TMASK) == JS_PROP_GETSET) && pr->u.getset.getter != NULL) {                 \
    JSValue getter = JS_DupValue(ctx, JS_MKPTR(JS_TAG_OBJECT, pr->u.getset.getter));                              \
    sf->cur_pc = pc;                                                                                             \
    val = JS_CallInternal(ctx, getter, sp[-1], JS_UNDEFINED, 0, NULL, 0);                                         \
    JS_FreeValue(ctx, getter);                                                                                   \
    if (unlikely(JS_IsException(val))) goto exception;                                                           \
    break;                                                                                                       \
  }

#endif
