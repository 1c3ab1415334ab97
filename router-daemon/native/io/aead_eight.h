/*
 * GCM around a kernel of eight blocks: what aead_x86.c and aead_arm64.c have in common. Who includes this has defined
 *
 *   TARGET               the attribute that allows its instructions
 *   struct gcm           the keyed state
 *   vector               a register of 16 bytes
 *   crypt_8(gcm, &counter, in, out, hash, hashed)
 *                        8 blocks of counter mode, and meanwhile the hash of 8 blocks of ciphertext at `hashed` (NULL = none)
 *   hash_blocks(gcm, hash, data, count)
 *                        the hash of 1 to 8 blocks
 */
#ifndef KCP_ROUTER_AEAD_EIGHT_H
#define KCP_ROUTER_AEAD_EIGHT_H

#include <string.h>

#define EIGHT_BYTES (16 * 8)

/** n bytes from `counter` on; returns the hash over all ciphertext. */
TARGET static inline __attribute__((always_inline)) vector crypt_rest(const struct gcm *gcm, vector hash, vector counter,
                                                                      const uint8_t *in, size_t n, uint8_t *out,
                                                                      int sealing) {
  const size_t step = EIGHT_BYTES;
  size_t at = 0;
  if (sealing && n >= step) {
    /* Ciphertext is hashed one step late: it has to be there first. */
    crypt_8(gcm, &counter, in, out, hash, NULL);
    for (at = step; at + step <= n; at += step) {
      hash = crypt_8(gcm, &counter, in + at, out + at, hash, out + at - step);
    }
    hash = hash_blocks(gcm, hash, out + at - step, 8);
  } else if (!sealing) {
    for (; at + step <= n; at += step) hash = crypt_8(gcm, &counter, in + at, out + at, hash, in + at);
  }
  n &= step - 1;
  if (n == 0) return hash;
  /* Always 8 blocks: a number known to the compiler keeps them in registers, which is cheaper than to stop earlier. */
  uint8_t buffer[EIGHT_BYTES] = {0}, result[EIGHT_BYTES];
  int blocks = (int)((n + 15) / 16);
  memcpy(buffer, in + at, n);
  if (!sealing) hash = hash_blocks(gcm, hash, buffer, blocks);
  crypt_8(gcm, &counter, buffer, result, hash, NULL);
  memcpy(out + at, result, n);
  if (!sealing) return hash;
  memset(result + n, 0, (size_t)blocks * 16 - n);
  return hash_blocks(gcm, hash, result, blocks);
}

#endif
