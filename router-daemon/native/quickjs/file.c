/* Files: small ones, whole. */
#include "arguments.h"
#include "engine.h"
#include "errors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/** Reads to the end; the size that `fstat` tells is not asked: it is 0 for files of /proc. */
static int read_all(int fd, size_t limit, uint8_t **out, size_t *length) {
  size_t room = 0;
  *out = NULL;
  *length = 0;
  for (;;) {
    if (*length == room) {
      room = room == 0 ? 4096 : 2 * room;
      uint8_t *grown = realloc(*out, room);
      if (grown == NULL) return -ENOMEM;
      *out = grown;
    }
    ssize_t got = read(fd, *out + *length, room - *length);
    if (got == 0) return 0;
    if (got < 0) {
      if (errno == EINTR) continue;
      return -errno;
    }
    *length += (size_t)got;
    if (*length > limit) return -EFBIG;
  }
}

static JSValue read_file(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  double limit;
  struct stat status;
  uint8_t *bytes = NULL;
  size_t length = 0;
  const char *path = argument_name(context, argv[0], "readFile", 0);
  if (path == NULL) return JS_EXCEPTION;
  if (!argument_double(context, argv[1], "readFile", 1, &limit)) {
    JS_FreeCString(context, path);
    return JS_EXCEPTION;
  }
  /* NONBLOCK: opening a pipe must not wait for its other end. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  int error = fd < 0 || fstat(fd, &status) != 0 ? -errno : 0;
  JS_FreeCString(context, path);
  if (error == 0) error = read_all(fd, limit > 0 && limit < INT32_MAX ? (size_t)limit : 0, &bytes, &length);
  if (fd >= 0) close(fd);
  JSValue result = JS_NewInt32(context, error_out(error));
  if (error == 0) {
    result = JS_NewObject(context);
    define(context, result, "bytes", make_uint8_array(context, JS_NewArrayBufferCopy(context, bytes, length)));
    define(context, result, "mode", JS_NewUint32(context, status.st_mode));
  }
  free(bytes);
  return result;
}

static int write_all(int fd, const uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = write(fd, bytes, length);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return -errno;
    bytes += written;
    length -= (size_t)written;
  }
  return 0;
}

/** A file beside it takes its place once it is whole and on the disk. */
static int replace(const char *path, const uint8_t *bytes, size_t length, mode_t mode) {
  char beside[4096];
  if (snprintf(beside, sizeof beside, "%s.XXXXXX", path) >= (int)sizeof beside) return -ENAMETOOLONG;
  int fd = mkostemp(beside, O_CLOEXEC);
  if (fd < 0) return -errno;
  int error = write_all(fd, bytes, length);
  if (error == 0 && (fchmod(fd, mode) != 0 || fsync(fd) != 0)) error = -errno;
  if (close(fd) != 0 && error == 0) error = -errno;
  if (error == 0 && rename(beside, path) != 0) error = -errno;
  if (error != 0) unlink(beside);
  return error;
}

static JSValue write_file(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  int32_t mode;
  struct bytes bytes;
  if (!argument_bytes(context, argv[1], "writeFile", 1, &bytes)) return JS_EXCEPTION;
  if (!argument_int(context, argv[2], "writeFile", 2, &mode)) return JS_EXCEPTION;
  const char *path = argument_name(context, argv[0], "writeFile", 0);
  if (path == NULL) return JS_EXCEPTION;
  int error = replace(path, bytes.at, bytes.length, (mode_t)mode & 07777);
  JS_FreeCString(context, path);
  return JS_NewInt32(context, error_out(error));
}

static JSValue remove_file(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  const char *path = argument_name(context, argv[0], "removeFile", 0);
  if (path == NULL) return JS_EXCEPTION;
  int error = unlink(path) != 0 ? -errno : 0;
  JS_FreeCString(context, path);
  return JS_NewInt32(context, error_out(error));
}

static JSValue make_folder(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  int32_t mode;
  if (!argument_int(context, argv[1], "makeFolder", 1, &mode)) return JS_EXCEPTION;
  const char *path = argument_name(context, argv[0], "makeFolder", 0);
  if (path == NULL) return JS_EXCEPTION;
  int error = mkdir(path, (mode_t)mode & 07777) != 0 ? -errno : 0;
  JS_FreeCString(context, path);
  return JS_NewInt32(context, error_out(error));
}

static JSValue list_folder(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  const char *path = argument_name(context, argv[0], "listFolder", 0);
  if (path == NULL) return JS_EXCEPTION;
  DIR *folder = opendir(path);
  int error = folder == NULL ? -errno : 0;
  JS_FreeCString(context, path);
  if (folder == NULL) return JS_NewInt32(context, error_out(error));
  JSValue names = JS_NewArray(context);
  uint32_t count = 0;
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    JS_SetPropertyUint32(context, names, count++, JS_NewString(context, entry->d_name));
  }
  closedir(folder);
  return names;
}

static const char *kind_of(mode_t mode) {
  if (S_ISREG(mode)) return "file";
  if (S_ISDIR(mode)) return "folder";
  if (S_ISLNK(mode)) return "link";
  return S_ISSOCK(mode) ? "socket" : "other";
}

static JSValue file_status(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  struct stat status;
  const char *path = argument_name(context, argv[0], "fileStatus", 0);
  if (path == NULL) return JS_EXCEPTION;
  int error = lstat(path, &status) != 0 ? -errno : 0;
  JS_FreeCString(context, path);
  if (error != 0) return JS_NewInt32(context, error_out(error));
  JSValue object = JS_NewObject(context);
  define(context, object, "kind", JS_NewString(context, kind_of(status.st_mode)));
  define(context, object, "mode", JS_NewUint32(context, status.st_mode));
  define(context, object, "bytes", JS_NewInt64(context, status.st_size));
  double modified_ms = (double)status.st_mtim.tv_sec * 1e3 + (double)status.st_mtim.tv_nsec * 1e-6;
  define(context, object, "modifiedMs", JS_NewFloat64(context, modified_ms));
  return object;
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("readFile", 2, read_file),       JS_CFUNC_DEF("writeFile", 3, write_file),
    JS_CFUNC_DEF("removeFile", 1, remove_file),   JS_CFUNC_DEF("makeFolder", 2, make_folder),
    JS_CFUNC_DEF("listFolder", 1, list_folder),   JS_CFUNC_DEF("fileStatus", 1, file_status),
};

void file_define(JSContext *context, JSValueConst native) {
  JS_SetPropertyFunctionList(context, native, FUNCTIONS, sizeof FUNCTIONS / sizeof *FUNCTIONS);
}
