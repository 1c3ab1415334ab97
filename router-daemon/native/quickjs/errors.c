#include "errors.h"

#include <errno.h>
#include <stddef.h>

/* Those that files, sockets and devices give; others pass unchanged. */
#define ERRORS(X) \
  X(EPERM, 1) X(ENOENT, 2) X(EINTR, 4) X(EIO, 5) X(ENXIO, 6) X(EBADF, 9) X(EAGAIN, 11) X(ENOMEM, 12) X(EACCES, 13) \
  X(EFAULT, 14) X(EBUSY, 16) X(EEXIST, 17) X(EXDEV, 18) X(ENODEV, 19) X(ENOTDIR, 20) X(EISDIR, 21) X(EINVAL, 22) \
  X(ENFILE, 23) X(EMFILE, 24) X(ENOTTY, 25) X(ETXTBSY, 26) X(EFBIG, 27) X(ENOSPC, 28) X(ESPIPE, 29) X(EROFS, 30) \
  X(EMLINK, 31) X(EPIPE, 32) X(ERANGE, 34) X(ENAMETOOLONG, 36) X(ENOSYS, 38) X(ENOTEMPTY, 39) X(ELOOP, 40) \
  X(EPROTO, 71) X(EBADMSG, 74) X(EOVERFLOW, 75) X(ENOTSOCK, 88) X(EDESTADDRREQ, 89) X(EMSGSIZE, 90) \
  X(EPROTOTYPE, 91) X(ENOPROTOOPT, 92) X(EPROTONOSUPPORT, 93) X(EOPNOTSUPP, 95) X(EAFNOSUPPORT, 97) \
  X(EADDRINUSE, 98) X(EADDRNOTAVAIL, 99) X(ENETDOWN, 100) X(ENETUNREACH, 101) X(ENETRESET, 102) \
  X(ECONNABORTED, 103) X(ECONNRESET, 104) X(ENOBUFS, 105) X(EISCONN, 106) X(ENOTCONN, 107) X(ESHUTDOWN, 108) \
  X(ETIMEDOUT, 110) X(ECONNREFUSED, 111) X(EHOSTDOWN, 112) X(EHOSTUNREACH, 113) X(EALREADY, 114) \
  X(EINPROGRESS, 115) X(ESTALE, 116) X(EDQUOT, 122)

static const struct {
  int16_t here, usual;
  const char *name;
} TABLE[] = {
#define X(name, usual) {name, usual, #name},
    ERRORS(X)
#undef X
};
#define TABLE_COUNT (sizeof TABLE / sizeof *TABLE)

int32_t error_out(int32_t result) {
#if ECONNREFUSED != 111
  for (size_t i = 0; result < 0 && i < TABLE_COUNT; i++) {
    if (-TABLE[i].here == result) return -TABLE[i].usual;
  }
#endif
  return result;
}

int32_t error_in(int32_t code) {
#if ECONNREFUSED != 111
  for (size_t i = 0; code < 0 && i < TABLE_COUNT; i++) {
    if (-TABLE[i].usual == code) return -TABLE[i].here;
  }
#endif
  return code;
}

const char *error_name(int32_t code) {
  for (size_t i = 0; i < TABLE_COUNT; i++) {
    if (-TABLE[i].usual == code) return TABLE[i].name;
  }
  return NULL;
}
