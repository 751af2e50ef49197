/* Files: whole reads and writes. */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stdint.h>
#include <sys/types.h>

#include "base/strbuf.h"

/* Reads all of `path` (relative to `dirfd`), at most `max` bytes: -EFBIG beyond. 0 or a negative
 * errno. */
int io_read_file(int dirfd, const char *path, size_t max, struct strbuf *ret);

/* When it was last changed: nanoseconds since the epoch. */
struct stat;
uint64_t io_mtime(const struct stat *st);

/* Writes all of it, through EINTR and short writes. 0 or a negative errno. */
int io_write_all(int fd, const void *data, size_t len);

/* Replaces `path` by a file of that content: written beside it, fsynced, renamed. 0 or a negative
 * errno. */
int io_replace_file(const char *path, const void *data, size_t len, mode_t mode);

/* The same for a path that a user gave: what is no plain file there (a device, a pipe, a link)
 * stays, and is written to. */
int io_write_output(const char *path, const void *data, size_t len, mode_t mode);

/* mkdir -p. Directories that are there already are left as they are. 0 or a negative errno. */
int io_mkdir_p(const char *path, mode_t mode);

/* readlinkat into a string owned by the caller; NULL with errno. */
char *io_readlink(int dirfd, const char *path);

/* The directory of the running executable, owned by the caller; NULL with errno. */
char *io_exe_dir(void);

/* Another of our executables, beside the running one or in ../libexec/backstop: its path, owned by
 * the caller. 0 or a negative errno. */
int io_find_program(const char *name, char **ret);

#endif
