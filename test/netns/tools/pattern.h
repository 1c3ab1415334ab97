/* A reproducible byte stream that can be made, and checked, from any offset: byte o is byte o%8 of mix(seed, o/8). */
#ifndef LAB_PATTERN_H
#define LAB_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { PATTERN_BLOCK = 64 * 1024 };

static inline uint64_t pattern_word(uint64_t seed, uint64_t index) {
  uint64_t x = seed + index * 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
  return x ^ x >> 32;
}

/* Bytes [offset, offset + length) of the stream; length <= PATTERN_BLOCK. Valid until the next call. */
static inline const char *pattern_bytes(uint64_t seed, uint64_t offset, size_t length) {
  static uint64_t block[PATTERN_BLOCK / 8 + 1];
  size_t words = (offset % 8 + length + 7) / 8;
  for (size_t i = 0; i < words; i++) block[i] = pattern_word(seed, offset / 8 + i);
  return (const char *)block + offset % 8;
}

static inline bool pattern_matches(uint64_t seed, uint64_t offset, const char *bytes, size_t length) {
  return memcmp(pattern_bytes(seed, offset, length), bytes, length) == 0;
}

#endif
