/*
 * Frames as a TUN device gives them, whole and damaged, cut to all kinds of sizes: packets lie where they were asked for and
 * nowhere else, are no larger than asked, and those of IPv4 that were made by cutting have a good header checksum.
 */
#include "checksum.h"
#include "fuzz.h"

#define MAX_FRAME 66000

/** The vnet header and an IP packet of TCP, UDP or something else, with options and extension headers now and then. */
static size_t make_frame(uint8_t *frame) {
  uint8_t *ip = frame + VNET_BYTES, *at = ip;
  int v6 = random_below(3) == 0, protocol = random_below(5) == 0 ? (int)random_below(256) : random_below(3) == 0 ? 17 : 6;
  memset(frame, 0, VNET_BYTES + 200);
  random_fill(ip, 60);
  if (v6) {
    ip[0] = 0x60;
    at += 40;
    uint8_t *next = ip + 6;
    for (uint32_t headers = random_below(4) == 0 ? random_below(4) : 0; headers > 0; headers--) {
      static const uint8_t kinds[] = {0, 43, 60, 44};
      *next = kinds[random_below(sizeof kinds)];
      next = at;
      at[1] = (uint8_t)random_below(3);
      at += ((size_t)at[1] + 1) * 8;
    }
    *next = (uint8_t)protocol;
  } else {
    uint32_t words = random_below(4) == 0 ? 5 + random_below(11) : 5;
    ip[0] = (uint8_t)(0x40 | words);
    store16be(ip + 6, random_below(3) == 0 ? 0x4000 : random_below(8) == 0 ? random_bits() : 0);
    ip[9] = (uint8_t)protocol;
    at += words * 4;
  }
  size_t l4 = (size_t)(at - ip), header = protocol == 6 ? 20 + 4 * random_below(11) : 8;
  random_fill(at, header);
  if (protocol == 6) at[12] = (uint8_t)(random_below(8) == 0 ? random_bits() : header / 4 << 4);
  size_t payload = random_below(3) == 0 ? random_below(65000) : random_below(3000), total = l4 + header + payload;
  if (total > 65535) payload -= total - 65535, total = 65535;
  memset(at + header, (int)random_bits(), payload);
  if (v6) store16be(ip + 4, (uint32_t)(total - 40));
  else store16be(ip + 2, (uint32_t)total);
  if (random_below(2) == 0) {
    frame[0] = (uint8_t)(1 + random_below(2));
    store16le(frame + 6, (uint32_t)l4);
    store16le(frame + 8, protocol == 6 ? 16 : 6);
    frame[1] = (uint8_t)(random_below(3) == 0 ? 0 : protocol == 6 ? (v6 ? 4 : 1) : 5);
    store16le(frame + 4, random_below(4) == 0 ? random_border() : 500 + random_below(1000));
  }
  return VNET_BYTES + total;
}

static void check_packet(const struct world *world, uint32_t slot, size_t headroom, size_t length, size_t mtu, int cut) {
  const uint8_t *packet = world->arena + (size_t)slot * SLOT_BYTES + headroom;
  CHECK(length > 0 && length <= mtu && headroom + length <= SLOT_BYTES);
  CHECK(slot_untouched(world, slot, 0, headroom) && slot_untouched(world, slot, headroom + length, SLOT_BYTES));
  if (!cut || packet[0] >> 4 != 4) return;
  CHECK(load16be(packet + 2) == length);
  CHECK(checksum_fold(checksum_add(0, packet, (size_t)(packet[0] & 15) * 4)) == 0xffff);
}

void fuzz_frames(struct world *world) {
  /* At the very end of the ring: what lies behind it are words that we read again. */
  static uint8_t made[MAX_FRAME + 256];
  size_t length = make_frame(made);
  if (random_below(2) == 0) length = mutate(made, length < 120 ? length : 120 + random_below((uint32_t)length - 119), MAX_FRAME);
  size_t offset = SLOTS * SLOT_BYTES + RING_BYTES - length;
  memcpy(world->arena + offset, made, length);

  const int32_t slots = offer_slots(world, world->words), lengths = world->words + SLOTS;
  const int32_t *words = (const int32_t *)(const void *)world->arena;
  size_t mtu = random_below(4) == 0 ? random_border() & 0x1ffff : 68 + random_below(1500);
  size_t headroom = random_below(4) == 0 ? random_below(SLOT_BYTES + 10) : random_below(100);
  int32_t max = (int32_t)random_below(SLOTS + 1);
  mark_slots(world);
  int32_t packets = io_tun_split(world->core, (int32_t)offset, (int32_t)length, (int32_t)mtu, slots, lengths, max,
                                 (int32_t)headroom);
  CHECK(packets != 0 && packets <= max);
  CHECK(memcmp(world->arena + offset, made, length) == 0);
  for (int32_t i = 0; i < packets; i++) {
    check_packet(world, (uint32_t)words[slots + i], headroom, (size_t)words[lengths + i], mtu, packets > 1);
  }
  for (int32_t i = packets < 0 ? max : packets; i < SLOTS; i++) {
    CHECK(slot_untouched(world, (uint32_t)words[slots + i], 0, SLOT_BYTES));
  }
  totals.frames++;
  if (packets > 0) totals.packets += (uint64_t)packets;
}
