/* Unaligned loads and stores, and the byte orders of the wire. */
#ifndef KCP_ROUTER_BYTES_H
#define KCP_ROUTER_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint16_t load16be(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static inline uint16_t load16le(const uint8_t *p) { return (uint16_t)(p[1] << 8 | p[0]); }
static inline uint32_t load32be(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint32_t load32le(const uint8_t *p) {
  return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}
static inline uint64_t load64le(const uint8_t *p) { return (uint64_t)load32le(p + 4) << 32 | load32le(p); }
static inline void store16be(uint8_t *p, uint32_t v) {
  p[0] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)v;
}
static inline void store16le(uint8_t *p, uint32_t v) {
  p[0] = (uint8_t)v;
  p[1] = (uint8_t)(v >> 8);
}
static inline void store32be(uint8_t *p, uint32_t v) {
  store16be(p, v >> 16);
  store16be(p + 2, v);
}
static inline void store32le(uint8_t *p, uint32_t v) {
  store16le(p, v);
  store16le(p + 2, v >> 16);
}
/** In the machine's own order: for sums and for keys that never leave the process. */
static inline uint32_t load32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return v;
}
static inline uint64_t load64(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

#endif
