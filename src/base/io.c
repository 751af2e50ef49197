#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int read_all(int fd, size_t max, struct strbuf *sb)
{
	char chunk[16384];
	ssize_t n;

	for (;;) {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return 0;
		if ((size_t)n > max - sb->len)
			return -EFBIG;
		strbuf_add(sb, chunk, n);
		if (strbuf_error(sb))
			return strbuf_error(sb);
	}
}

int io_read_file(int dirfd, const char *path, size_t max, struct strbuf *ret)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	int err;

	if (fd < 0)
		return -errno;
	err = read_all(fd, max, &sb);
	if (err)
		return err;
	strbuf_free(ret);
	*ret = sb;
	sb = STRBUF_INIT;
	return 0;
}

int io_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= n;
	}
	return 0;
}

static int write_and_rename(int fd, const char *tmp, const char *path, const void *data, size_t len,
			    mode_t mode)
{
	int err = io_write_all(fd, data, len);

	if (err)
		return err;
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(tmp, path) < 0)
		return -errno;
	return 0;
}

int io_replace_file(const char *path, const void *data, size_t len, mode_t mode)
{
	_cleanup_free_ char *tmp = NULL;
	_cleanup_close_ int fd = -1;
	int err;

	if (asprintf(&tmp, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = write_and_rename(fd, tmp, path, data, len, mode);
	if (err)
		unlink(tmp);
	return err;
}

int io_write_output(const char *path, const void *data, size_t len, mode_t mode)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (lstat(path, &st) || S_ISREG(st.st_mode))
		return io_replace_file(path, data, len, mode);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : io_write_all(fd, data, len);
}

int io_mkdir_p(const char *path, mode_t mode)
{
	_cleanup_free_ char *copy = strdup(path);
	struct stat st;

	if (!copy)
		return -ENOMEM;
	for (char *p = copy; *p; p++) {
		if (p[0] != '/' || p == copy || p[1] == '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	if (mkdir(copy, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (stat(copy, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

char *io_readlink(int dirfd, const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dirfd, path, target, sizeof(target));

	if (n < 0)
		return NULL;
	if (n == sizeof(target)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return strndup(target, n);
}

char *io_exe_dir(void)
{
	char *path = io_readlink(AT_FDCWD, "/proc/self/exe");
	char *slash = path ? strrchr(path, '/') : NULL;

	if (slash)
		slash[slash == path] = '\0';
	return path;
}

int io_find_program(const char *name, char **ret)
{
	static const char *const places[] = { "", "../libexec/backstop/" };
	_cleanup_free_ char *dir = io_exe_dir();

	for (size_t i = 0; dir && i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *path = NULL;

		if (asprintf(&path, "%s/%s%s", dir, places[i], name) < 0)
			return -ENOMEM;
		if (access(path, X_OK) == 0) {
			*ret = TAKE_PTR(path);
			return 0;
		}
	}
	return -errno;
}

uint64_t io_mtime(const struct stat *st)
{
	return (uint64_t)st->st_mtim.tv_sec * 1000000000ULL + (uint64_t)st->st_mtim.tv_nsec;
}
