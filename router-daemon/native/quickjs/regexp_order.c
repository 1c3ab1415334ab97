#include "regexp_order.h"

#include <string.h>

/* Offsets in the header, as libregexp.c has them: two bytes of flags, two counts of one byte, the length of what follows. */
#define FLAGS_AT 0
#define LENGTH_AT 4
#define HEADER_BYTES 8

enum instruction {
#define DEF(name, size) RE_##name,
#include "libregexp-opcode.h"
#undef DEF
  RE_COUNT
};

static const uint8_t SIZES[RE_COUNT] = {
#define DEF(name, size) size,
#include "libregexp-opcode.h"
#undef DEF
};

static void swap16(uint8_t *at) {
  uint8_t first = at[0];
  at[0] = at[1];
  at[1] = first;
}

static void swap32(uint8_t *at) {
  uint8_t bytes[4] = {at[3], at[2], at[1], at[0]};
  memcpy(at, bytes, sizeof bytes);
}

static uint32_t read16(const uint8_t *at) {
  uint16_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

/** Swaps the operands of one instruction, which are in this machine's order; returns its length, 0 = it is not known or cut off. */
static size_t swap_instruction(uint8_t *at, size_t left) {
  enum instruction what = at[0];
  if (at[0] >= RE_COUNT || left < SIZES[what]) return 0;
  size_t length = SIZES[what];
  uint32_t pairs;
  switch (what) {
    case RE_char:
    case RE_char_i:
      swap16(at + 1);
      break;
    case RE_char32:
    case RE_char32_i:
    case RE_goto:
    case RE_split_goto_first:
    case RE_split_next_first:
    case RE_lookahead:
    case RE_negative_lookahead:
      swap32(at + 1);
      break;
    case RE_loop:
    case RE_set_i32:
      swap32(at + 2);
      break;
    case RE_loop_split_goto_first:
    case RE_loop_split_next_first:
    case RE_loop_check_adv_split_goto_first:
    case RE_loop_check_adv_split_next_first:
      swap32(at + 2);
      swap32(at + 6);
      break;
    case RE_back_reference:
    case RE_back_reference_i:
    case RE_backward_back_reference:
    case RE_backward_back_reference_i:
      length += at[1];
      break;
    case RE_range:
    case RE_range_i:
      pairs = read16(at + 1);
      swap16(at + 1);
      length += (size_t)pairs * 4;
      if (length > left) return 0;
      for (uint32_t i = 0; i < 2 * pairs; i++) swap16(at + 3 + 2 * i);
      break;
    case RE_range32:
    case RE_range32_i:
      pairs = read16(at + 1);
      swap16(at + 1);
      length += (size_t)pairs * 8;
      if (length > left) return 0;
      for (uint32_t i = 0; i < 2 * pairs; i++) swap32(at + 3 + 4 * i);
      break;
    default:
      /* No operand, or operands of one byte. */
      break;
  }
  return length <= left ? length : 0;
}

int regexp_swap(uint8_t *program, size_t bytes) {
  uint32_t length;
  if (bytes < HEADER_BYTES) return -1;
  memcpy(&length, program + LENGTH_AT, sizeof length);
  if (length > bytes - HEADER_BYTES) return -1;
  swap16(program + FLAGS_AT);
  swap32(program + LENGTH_AT);
  for (size_t at = 0; at < length;) {
    size_t step = swap_instruction(program + HEADER_BYTES + at, length - at);
    if (step == 0) return -1;
    at += step;
  }
  return 0;
}
