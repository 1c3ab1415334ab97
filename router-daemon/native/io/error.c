/* Codes into sentences. */
#include "core.h"

#include <errno.h>
#include <stdio.h>

static const char *sentence_of(int error) {
  switch (error) {
    case EAGAIN: return "Nothing is there now; try again when the handle is ready.";
    case EBADF: return "The handle is closed or of another kind.";
    case EINVAL: return "An argument is out of range.";
    case EINPROGRESS: return "The connection is being set up.";
    case ECONNREFUSED: return "The other end refused the connection: nothing listens on that port.";
    case ECONNRESET: return "The other end reset the connection.";
    case EPIPE: return "The connection is closed for writing.";
    case ETIMEDOUT: return "The other end did not answer in time.";
    case EHOSTUNREACH: return "There is no way to that host.";
    case ENETUNREACH: return "There is no route to that network.";
    case EADDRINUSE: return "The address and port are in use by another program; choose another port or stop it.";
    case EADDRNOTAVAIL: return "The address does not belong to this machine.";
    case EACCES:
    case EPERM: return "Permission denied: run as root or give the program CAP_NET_ADMIN.";
    case EMSGSIZE: return "The packet is larger than the MTU and cannot be cut.";
    case ENOBUFS: return "There is not enough buffer space.";
    case ENOMEM: return "There is not enough memory.";
    case EMFILE:
    case ENFILE: return "Too many sockets are open.";
    case EEXIST: return "That exists already.";
    case ENOENT: return "That does not exist.";
    case ENODEV: return "The device does not exist any more.";
    case ENETDOWN: return "The device is down.";
    case EBADMSG: return "The packet's checksum is wrong.";
    default: return NULL;
  }
}

const char *io_describe(int code, char *buffer, size_t buffer_bytes) {
  if (code >= 0) return "Success.";
  if (code == IO_E_END_OF_STREAM) return "The other end has closed its direction.";
  if (code == IO_E_NO_CIPHER) {
    return "AES-128-GCM is not available: this Node executable neither exports OpenSSL's EVP functions nor is "
           "libcrypto.so.3 or libcrypto.so.1.1 installed.";
  }
  if (code < IO_E_END_OF_STREAM) return "An unknown error.";
  const char *sentence = sentence_of(-code);
  if (sentence != NULL) return sentence;
  snprintf(buffer, buffer_bytes, "The kernel says: %s (error %d).", strerror(-code), -code);
  return buffer;
}
