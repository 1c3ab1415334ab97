/**
 * A zero that V8 keeps as a floating-point number. A field that begins with it may count beyond 2^31, or hold times, without a change
 * of its object's layout: after such a change everything that was compiled for the old layout is compiled anew, amid the traffic.
 */
export const FLOAT_ZERO = -0;
