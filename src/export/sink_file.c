/* Files and standard output. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "export/sink_type.h"

#define FILE_MODE 0640
#define POLL_MS	  100

struct file_sink {
	struct sink base;
	char *path; /* NULL: standard output */
	int fd;	    /* -1: not open */
};

static int set_up_file(struct sink *base, const char *rest)
{
	struct file_sink *s = (struct file_sink *)base;

	s->fd = -1;
	if (rest[0] != '/')
		return -EINVAL;
	s->path = strdup(rest);
	return s->path ? 0 : -ENOMEM;
}

static void tear_down_file(struct sink *base)
{
	struct file_sink *s = (struct file_sink *)base;

	if (s->path)
		close_fd(&s->fd);
	free(s->path);
}

static int set_up_stdout(struct sink *base, const char *rest)
{
	struct file_sink *s = (struct file_sink *)base;

	s->fd = STDOUT_FILENO;
	return *rest ? -EINVAL : 0;
}

/* Whoever reads a pipe may stop reading: it is waited for, until we are to end. */
static int write_all(struct file_sink *s, const char *data, size_t len)
{
	while (len) {
		struct pollfd p = { .fd = s->fd, .events = POLLOUT };
		int ready = poll(&p, 1, POLL_MS);
		ssize_t n = ready > 0 ? write(s->fd, data, MIN(len, (size_t)PIPE_BUF)) : 0;

		if (ready <= 0 && s->base.cancelled)
			return -ECANCELED;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		data += MAX(n, 0);
		len -= (size_t)MAX(n, 0);
	}
	return 0;
}

/* Half a line that an earlier write left would run into the next. */
static int append(struct file_sink *s, const char *lines, size_t len)
{
	int fd = s->fd;
	off_t before = lseek(fd, 0, SEEK_END);
	int r = write_all(s, lines, len);

	if (!r && fdatasync(fd) < 0 && errno != EINVAL && errno != EROFS)
		r = -errno;
	if (r && before >= 0)
		(void)!ftruncate(fd, before);
	return r;
}

static void close_file(struct file_sink *s)
{
	close_fd(&s->fd);
	s->fd = -1;
}

/* Whoever rotates logs moved it, or took it away: what went there would be lost with it. */
static bool was_moved(const struct file_sink *s)
{
	struct stat ours, there;

	return fstat(s->fd, &ours) < 0 || stat(s->path, &there) < 0 ||
	       ours.st_ino != there.st_ino || ours.st_dev != there.st_dev;
}

/* What a killed writer left of a line would, too. */
static int end_line(int fd, const char *path)
{
	struct stat st;
	_cleanup_close_ int in = -1;
	char last = '\n';

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !st.st_size)
		return 0;
	in = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (in >= 0 && pread(in, &last, 1, st.st_size - 1) < 0)
		return -errno;
	return last == '\n' ? 0 : io_write_all(fd, "\n", 1);
}

static int open_file(struct file_sink *s)
{
	int r;

	if (s->fd >= 0 && was_moved(s))
		close_file(s);
	if (s->fd >= 0)
		return 0;
	/* a pipe that nobody reads fails, and is tried again */
	s->fd = open(s->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		     FILE_MODE);
	r = s->fd < 0 ? -errno : end_line(s->fd, s->path);
	if (r && s->fd >= 0)
		close_file(s);
	return r;
}

static int send_file(struct sink *base, const char *lines, size_t len)
{
	struct file_sink *s = (struct file_sink *)base;
	int r = open_file(s);

	if (r)
		return r;
	r = append(s, lines, len);
	if (r)
		close_file(s);
	return r;
}

static int send_stdout(struct sink *base, const char *lines, size_t len)
{
	return write_all((struct file_sink *)base, lines, len);
}

const struct sink_type sink_file = {
	.scheme = "file:",
	.usage = "file:/PATH",
	.size = sizeof(struct file_sink),
	.set_up = set_up_file,
	.send = send_file,
	.tear_down = tear_down_file,
};

const struct sink_type sink_stdout = {
	.scheme = "stdout:",
	.usage = "stdout:",
	.size = sizeof(struct file_sink),
	.set_up = set_up_stdout,
	.send = send_stdout,
};
