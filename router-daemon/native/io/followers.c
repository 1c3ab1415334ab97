/*
 * Of a batch of packets those that continue the first one's stream: what an interpreter would look at one by one, byte by byte, is
 * handed to it as one run. kcp/followers.ts is the same in TypeScript.
 */
#include "core.h"

#include <errno.h>

#define RX_WORDS 4 /* offset, length, link, flags */
#define RUN_WORDS 4

/* A packet: peer header (links.md 1.2), header of the connection layer (proxies.md 3.1), one KCP segment (proxies.md 4.1). */
#define LAYER_AT PEER_HEADER_BYTES
#define LAYER_FLAGS 12
#define ACK_DATA 0x0a
#define LAYER_BYTES 14
#define SEGMENT_AT (LAYER_AT + LAYER_BYTES)
#define PUSH 81
#define COMMAND 4
#define TS 8
#define SN 12
#define UNA 16
#define LENGTH 20
#define PAYLOAD_AT (SEGMENT_AT + 24)

/* The packet of an entry when it holds one segment with a large payload and nothing else; NULL = another one, or outside the arena. */
static const uint8_t *bulk_packet(const struct io_core *core, const int32_t *entry) {
  if (!bytes_ok(core, entry[0], entry[1])) return NULL;
  int32_t payload = entry[1] - PAYLOAD_AT;
  if (payload <= (int32_t)(core->slot_bytes >> 2)) return NULL;
  const uint8_t *packet = core->arena + entry[0];
  const uint8_t *segment = packet + SEGMENT_AT;
  if (packet[LAYER_AT + LAYER_FLAGS] != ACK_DATA || segment[COMMAND] != PUSH) return NULL;
  return load32le(segment + LENGTH) == (uint32_t)payload ? packet : NULL;
}

/* Everything is the same but the length of the whole, the time and the number, which is the next. */
static int follows(const uint8_t *packet, const uint8_t *first, uint32_t sn) {
  const uint8_t *segment = packet + SEGMENT_AT;
  const uint8_t *wanted = first + SEGMENT_AT;
  return load32le(segment + SN) == sn && memcmp(packet, first, PEER_LENGTH) == 0 &&
         memcmp(packet + LAYER_AT, first + LAYER_AT, LAYER_BYTES) == 0 && memcmp(segment, wanted, TS) == 0 &&
         load32(segment + UNA) == load32(wanted + UNA);
}

int io_udp_followers(struct io_core *core, int32_t out, int32_t slots, int32_t count, int32_t run) {
  if (!words_ok(core, out, count, RX_WORDS) || !words_ok(core, slots, count, 1)) return -EINVAL;
  if (!words_ok(core, run, count, RUN_WORDS)) return -EINVAL;
  const int32_t *entry = core->words + out;
  const uint8_t *first = count > 1 ? bulk_packet(core, entry) : NULL;
  if (first == NULL) return 0;
  uint32_t sn = load32le(first + SEGMENT_AT + SN);
  uint32_t bytes = 0;
  int32_t found = 0;
  while (found + 1 < count) {
    const int32_t *next = entry + (found + 1) * RX_WORDS;
    const uint8_t *packet = bulk_packet(core, next);
    if (packet == NULL || next[2] != entry[2] || next[3] != entry[3]) break;
    if (!follows(packet, first, sn + 1 + (uint32_t)found)) break;
    int32_t *to = core->words + run + (found + 1) * RUN_WORDS;
    found++;
    to[0] = core->words[slots + found];
    to[1] = next[0] + PAYLOAD_AT;
    to[2] = next[1] - PAYLOAD_AT;
    to[3] = (int32_t)load32le(packet + SEGMENT_AT + TS);
    bytes += (uint32_t)to[2];
  }
  core->words[run] = (int32_t)(sn + 1);
  core->words[run + 1] = (int32_t)load32le(first + SEGMENT_AT + UNA);
  core->words[run + 2] = load16le(first + SEGMENT_AT + COMMAND + 2);
  core->words[run + 3] = (int32_t)bytes;
  return found;
}
