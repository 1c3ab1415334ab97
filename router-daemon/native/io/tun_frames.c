/* Frames out of and into the TUN device, and the cutting of super-segments where something cannot take them whole. */
#include "core.h"
#include "segment.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_PACKET_BYTES 65535
#define MAX_FRAME_BYTES (VNET_BYTES + MAX_PACKET_BYTES)
/* Puts the IP header on a 16-byte boundary. */
#define FRAME_SHIFT 6

int io_tun_read(struct io_core *core, int32_t handle, int32_t out, int32_t max) {
  struct handle *entry = handle_get(core, handle, KIND_TUN);
  if (entry == NULL) return -EBADF;
  if (!words_ok(core, out, max, 2)) return -EINVAL;
  if (entry->drained) {
    entry->drained = 0;
    return 0;
  }
  size_t skip = entry->as.tun.vnet ? 0 : VNET_BYTES;
  size_t at = core->ring_offset, end = at + core->ring_bytes;
  int32_t *word = core->words + out;
  int32_t frames = 0;
  while (frames < max) {
    at = ((at + 63) & ~(size_t)63) + FRAME_SHIFT;
    if (at + MAX_FRAME_BYTES > end) break;
    ssize_t got = read(entry->fd, core->arena + at + skip, MAX_FRAME_BYTES - skip);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        entry->drained = frames > 0;
        break;
      }
      if (frames > 0) break;
      return -errno;
    }
    if (got == 0) break;
    memset(core->arena + at, 0, skip);
    *word++ = (int32_t)at;
    *word++ = (int32_t)((size_t)got + skip);
    at += (size_t)got + skip;
    core->count.tunBytesRead += (uint64_t)got;
    frames++;
  }
  core->count.tunFramesRead += (uint64_t)frames;
  return frames;
}

/** After EAGAIN: poll tells the driver that somebody waits, else no event would come. 1 = there is room after all. */
static int room_after_all(int fd) {
  struct pollfd wait = {.fd = fd, .events = POLLOUT};
  return poll(&wait, 1, 0) == 1 && (wait.revents & POLLOUT) != 0;
}

static ssize_t write_frame(struct io_core *core, int fd, const struct iovec *iov, int count) {
  for (int attempt = 0;;) {
    ssize_t written = writev(fd, iov, count);
    if (written >= 0) {
      core->count.tunFramesWritten++;
      core->count.tunBytesWritten += (uint64_t)written;
      return written;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      if (attempt++ == 0 && room_after_all(fd)) continue;
      core->count.tunQueueFull++;
      return 0;
    }
    core->count.tunWriteFailed++;
    return -errno;
  }
}

/** Without offload: gather, cut and sum here, one write per packet. */
static int write_cut(struct io_core *core, int fd, int count, size_t total) {
  if (core->frame == NULL) {
    core->frame = malloc(2 * (size_t)MAX_FRAME_BYTES);
    if (core->frame == NULL) return -ENOMEM;
  }
  uint8_t *packet = core->frame + MAX_FRAME_BYTES;
  size_t at = 0;
  for (int i = 0; i < count; i++) {
    memcpy(core->frame + at, core->iov[i].iov_base, core->iov[i].iov_len);
    at += core->iov[i].iov_len;
  }
  struct cut cut;
  int packets = cut_begin(&cut, core->frame, total, MAX_PACKET_BYTES);
  if (packets < 0) return packets;
  int written = 0;
  for (size_t bytes = cut_peek(&cut); bytes > 0; bytes = cut_peek(&cut)) {
    cut_next(&cut, packet);
    struct iovec one = {.iov_base = packet, .iov_len = bytes};
    ssize_t result = write_frame(core, fd, &one, 1);
    /* Half a super-segment is out: to TCP the rest is loss. */
    if (result <= 0) return written > 0 ? (int)total : (int)result;
    written++;
  }
  if (packets > 1) core->count.tunSegmentsCut += (uint64_t)packets;
  return (int)total;
}

int io_tun_write(struct io_core *core, int32_t handle, int32_t iov, int32_t count) {
  struct handle *entry = handle_get(core, handle, KIND_TUN);
  if (entry == NULL) return -EBADF;
  int64_t total = gather(core, iov, count);
  if (total < 0) return (int)total;
  if (total <= VNET_BYTES || total > MAX_FRAME_BYTES) return -EINVAL;
  if (!entry->as.tun.vnet) return write_cut(core, entry->fd, count, (size_t)total);
  return (int)write_frame(core, entry->fd, core->iov, count);
}

int io_tun_split(struct io_core *core, int32_t offset, int32_t length, int32_t mtu, int32_t slots, int32_t lengths,
                 int32_t max, int32_t headroom) {
  if (!bytes_ok(core, offset, length) || mtu <= 0 || headroom < 0) return -EINVAL;
  if (!words_ok(core, slots, max, 1) || !words_ok(core, lengths, max, 1)) return -EINVAL;
  struct cut cut;
  int packets = cut_begin(&cut, core->arena + offset, (size_t)length, (size_t)mtu);
  if (packets < 0) return packets;
  if (packets > max) return -ENOBUFS;
  for (int i = 0; i < packets; i++) {
    uint32_t slot = (uint32_t)core->words[slots + i];
    size_t bytes = cut_peek(&cut);
    if (slot >= core->slot_count) return -EINVAL;
    if ((size_t)headroom + bytes > core->slot_bytes) return -EMSGSIZE;
    cut_next(&cut, core->arena + (size_t)slot * core->slot_bytes + headroom);
    core->words[lengths + i] = (int32_t)bytes;
  }
  if (packets > 1) core->count.tunSegmentsCut += (uint64_t)packets;
  return packets;
}
