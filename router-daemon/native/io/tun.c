/* The TUN device: opening it with whatever offloads the kernel has, address, MTU, queue and routes. */
#include "core.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/route.h>
#include <linux/rtnetlink.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define TUN_QUEUE_FRAMES 4096
/* Bounds what the kernel keeps for us; beyond it a write returns 0. About 200 super-segments. */
#define TUN_SEND_BUFFER_BYTES (16 << 20)

static int valid_name(const char *name) {
  size_t length = strlen(name);
  if (length == 0 || length >= IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return 0;
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)name[i];
    /* '%' would make the kernel number the device. */
    if (c <= ' ' || c >= 127 || c == '/' || c == ':' || c == '%') return 0;
  }
  return 1;
}

static int device_exists(struct io_core *core, const char *name) {
  struct ifreq request = {0};
  memcpy(request.ifr_name, name, strlen(name) + 1);
  return ioctl(core->ioctl_fd, SIOCGIFINDEX, &request) == 0;
}

static int explain_open(int error, char *message, size_t bytes) {
  if (error == ENOENT || error == ENXIO || error == ENODEV) {
    set_message(message, bytes,
                "There is no TUN device on this system (/dev/net/tun: %s). Load it with `modprobe tun`; on OpenWrt "
                "install the package kmod-tun.",
                strerror(error));
  } else {
    set_message(message, bytes, "/dev/net/tun cannot be opened (%s). Run as root or give the program CAP_NET_ADMIN.",
                strerror(error));
  }
  return -error;
}

static int explain_attach(struct io_core *core, const char *name, int error, char *message, size_t bytes) {
  if (error == EPERM || error == EACCES) {
    set_message(message, bytes,
                "No permission to create the TUN device %s. Run as root or give the program CAP_NET_ADMIN.", name);
  } else if (error == EBUSY) {
    set_message(message, bytes,
                "The TUN device %s is in use by another program. Stop that program or choose another device name.",
                name);
  } else if (error == EINVAL && device_exists(core, name)) {
    set_message(message, bytes,
                "The name %s belongs to a network device that is not a TUN device. Choose another device name.", name);
    error = EBUSY;
  } else {
    set_message(message, bytes, "The TUN device %s cannot be created: %s.", name, strerror(error));
  }
  return -error;
}

/** TUNSETOFFLOAD, best first: checksums, TCP over both IPs, UDP too. Returns the accepted mask. */
static unsigned negotiate(int fd) {
  const unsigned tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
  const unsigned masks[] = {tcp | TUN_F_USO4 | TUN_F_USO6, tcp};
  for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
    if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)masks[i]) == 0) return masks[i];
  }
  return 0;
}

/** The surface's vnet header is little-endian; a big-endian kernel has to be told. */
static int set_little_endian(int fd) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  int yes = 1;
  return ioctl(fd, TUNSETVNETLE, &yes);
#else
  (void)fd;
  return 0;
#endif
}

static int attach(const char *name, int vnet, int *fd_out) {
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    *fd_out = -1;
    return errno;
  }
  struct ifreq request = {0};
  memcpy(request.ifr_name, name, strlen(name) + 1);
  request.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | (vnet ? IFF_VNET_HDR : 0));
  int error = 0;
  if (ioctl(fd, TUNSETIFF, &request) != 0) error = errno;
  if (error == 0 && vnet && set_little_endian(fd) != 0) error = EOPNOTSUPP;
  if (error != 0) {
    close(fd);
    fd = -2;
  }
  *fd_out = fd;
  return error;
}

int io_tun_open(struct io_core *core, const char *name, struct io_tun_info *info, char *message, size_t message_bytes) {
  if (!valid_name(name)) {
    set_message(message, message_bytes,
                "\"%.40s\" is no valid device name: 1 to 15 printable characters without space, '/', ':' and '%%'.",
                name);
    return -EINVAL;
  }
  int vnet = !(core->without & IO_WITHOUT_VNET), fd;
  int error = attach(name, vnet, &fd);
  if (fd < 0 && vnet && (error == EINVAL || error == EOPNOTSUPP) && !device_exists(core, name)) {
    vnet = 0;
    error = attach(name, 0, &fd);
  }
  if (fd == -1) return explain_open(error, message, message_bytes);
  if (fd < 0) return explain_attach(core, name, error, message, message_bytes);

  unsigned offload = vnet && !(core->without & IO_WITHOUT_TUN_OFFLOAD) ? negotiate(fd) : 0;
  int send_buffer = core->without & IO_WITHOUT_TUN_QUEUE ? 4096 : TUN_SEND_BUFFER_BYTES;
  ioctl(fd, TUNSETSNDBUF, &send_buffer);
  int handle = handle_new(core, fd, KIND_TUN, EPOLLIN | EPOLLOUT);
  if (handle < 0) {
    set_message(message, message_bytes, "The TUN device %s cannot be watched: %s.", name, strerror(-handle));
    return handle;
  }
  struct tun *tun = &handle_get(core, handle, KIND_TUN)->as.tun;
  memcpy(tun->name, name, strlen(name) + 1);
  tun->vnet = vnet;
  info->handle = handle;
  memcpy(info->name, tun->name, sizeof info->name);
  info->offload = (offload & TUN_F_TSO4) != 0;
  info->udp_offload = (offload & TUN_F_USO4) != 0;
  return handle;
}

static void put_ipv4(struct sockaddr *into, uint32_t ipv4) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ipv4)};
  memcpy(into, &address, sizeof address);
}

static uint32_t mask_of(int32_t prefix) { return prefix == 0 ? 0 : ~(uint32_t)0 << (32 - prefix); }

/**
 * The kernel's default of 500 frames overflows under one TCP connection without offload. By netlink, because the ioctl
 * wants the machine's root even inside a user namespace.
 */
static int set_queue_length(struct io_core *core, const char *name, uint32_t frames) {
  struct ifreq request = {0};
  memcpy(request.ifr_name, name, IFNAMSIZ);
  if (ioctl(core->ioctl_fd, SIOCGIFINDEX, &request) != 0) return -errno;
  struct {
    struct nlmsghdr header;
    struct ifinfomsg link;
    struct rtattr attribute;
    uint32_t value;
  } message = {
      .header = {.nlmsg_len = sizeof message, .nlmsg_type = RTM_NEWLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
      .link = {.ifi_family = AF_UNSPEC, .ifi_index = request.ifr_ifindex},
      .attribute = {.rta_len = RTA_LENGTH(sizeof(uint32_t)), .rta_type = IFLA_TXQLEN},
      .value = frames,
  };
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return -errno;
  struct {
    struct nlmsghdr header;
    struct nlmsgerr error;
    char rest[256];
  } answer;
  int error = 0;
  /* The kernel has answered when send returns. */
  if (send(fd, &message, sizeof message, 0) < 0) {
    error = -errno;
  } else if (recv(fd, &answer, sizeof answer, MSG_DONTWAIT) < (ssize_t)(sizeof answer.header + sizeof answer.error)) {
    error = -EIO;
  } else if (answer.header.nlmsg_type == NLMSG_ERROR) {
    error = answer.error.error;
  }
  close(fd);
  return error;
}

int io_tun_configure(struct io_core *core, int32_t handle, uint32_t ipv4, int32_t prefix, int32_t mtu) {
  struct handle *entry = handle_get(core, handle, KIND_TUN);
  if (entry == NULL) return -EBADF;
  if (prefix < 0 || prefix > 32 || mtu < 68 || mtu > 65535) return -EINVAL;
  struct ifreq request = {0};
  memcpy(request.ifr_name, entry->as.tun.name, IFNAMSIZ);
  request.ifr_mtu = mtu;
  if (ioctl(core->ioctl_fd, SIOCSIFMTU, &request) != 0) return -errno;
  int error = set_queue_length(core, entry->as.tun.name, TUN_QUEUE_FRAMES);
  if (error != 0) return error;
  put_ipv4(&request.ifr_addr, ipv4);
  if (ioctl(core->ioctl_fd, SIOCSIFADDR, &request) != 0) return -errno;
  put_ipv4(&request.ifr_netmask, mask_of(prefix));
  if (ioctl(core->ioctl_fd, SIOCSIFNETMASK, &request) != 0) return -errno;
  if (ioctl(core->ioctl_fd, SIOCGIFFLAGS, &request) != 0) return -errno;
  request.ifr_flags |= IFF_UP | IFF_RUNNING;
  if (ioctl(core->ioctl_fd, SIOCSIFFLAGS, &request) != 0) return -errno;
  return 0;
}

int io_tun_route(struct io_core *core, int32_t handle, int32_t add, uint32_t network, int32_t prefix) {
  struct handle *entry = handle_get(core, handle, KIND_TUN);
  if (entry == NULL) return -EBADF;
  if (prefix < 0 || prefix > 32 || (network & ~mask_of(prefix)) != 0) return -EINVAL;
  struct rtentry route = {.rt_flags = RTF_UP, .rt_dev = entry->as.tun.name};
  put_ipv4(&route.rt_dst, network);
  put_ipv4(&route.rt_genmask, mask_of(prefix));
  if (prefix == 32) route.rt_flags |= RTF_HOST;
  if (ioctl(core->ioctl_fd, add ? SIOCADDRT : SIOCDELRT, &route) == 0) return 0;
  /* Already as wanted is success. */
  if (errno == (add ? EEXIST : ESRCH)) return 0;
  return -errno;
}
