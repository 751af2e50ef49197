/* systemd-journald, in its native protocol. What is in its queue counts once it was read; and what
 * it read shortly before it ended comes again, as nothing says what became of it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/io.h"
#include "export/dial.h"
#include "export/journald.h"
#include "export/sink_type.h"

#define SOCKET	  "/run/systemd/journal/socket"
#define SETTLE_MS 2000
#define SETTLE_S  (2 * SETTLE_MS / 1000 + 1) /* behind it all that was sent is settled */

struct journald_sink {
	struct sink base;
	struct sockaddr_un address;
	int fd;	     /* -1: not open */
	time_t sent; /* CLOCK_MONOTONIC */
};

static int set_up(struct sink *base, const char *rest)
{
	struct journald_sink *s = (struct journald_sink *)base;
	const char *path = *rest ? rest : SOCKET;

	s->fd = -1;
	if (path[0] != '/' || strlen(path) >= sizeof(s->address.sun_path))
		return -EINVAL;
	s->address.sun_family = AF_UNIX;
	memcpy(s->address.sun_path, path, strlen(path));
	return 0;
}

static void disconnect(struct journald_sink *s)
{
	close_fd(&s->fd);
	s->fd = -1;
}

static void tear_down(struct sink *base)
{
	disconnect((struct journald_sink *)base);
}

static int ready(struct journald_sink *s)
{
	_cleanup_close_ int fd = -1;

	if (s->fd >= 0)
		return 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&s->address, sizeof(s->address)) < 0)
		return sink_fail(&s->base, -errno, "%s: %s: does systemd-journald run?",
				 s->address.sun_path, strerror(errno));
	s->fd = TAKE_FD(fd);
	return 0;
}

static int send_once(int fd, const struct msghdr *m)
{
	return sendmsg(fd, m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int send_message(int fd, const struct msghdr *m)
{
	int r = send_once(fd, m);

	while (r == -EAGAIN || r == -EINTR) {
		r = dial_wait(fd, POLLOUT);
		r = r ? r : send_once(fd, m);
	}
	return r;
}

/* What is too large for a datagram comes in a file that cannot change. */
static int send_file(int fd, const struct strbuf *entry)
{
	_cleanup_close_ int file = memfd_create("backstop", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char control[CMSG_SPACE(sizeof(file))] = { 0 };
	struct msghdr m = { .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int r = file < 0 ? -errno : io_write_all(file, entry->data, entry->len);

	if (r)
		return r;
	if (fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return -errno;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(file));
	memcpy(CMSG_DATA(c), &file, sizeof(file));
	return send_message(fd, &m);
}

static int send_line(void *data, const char *line, size_t len)
{
	const struct journald_sink *s = data;
	_cleanup_strbuf_ struct strbuf entry = STRBUF_INIT;
	struct iovec v;
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	int r;

	journald_add(&entry, line, len);
	if (strbuf_error(&entry))
		return strbuf_error(&entry);
	v = (struct iovec) { entry.data, entry.len };
	r = s->base.cancelled ? -ECANCELED : send_message(s->fd, &m);
	return r == -EMSGSIZE || r == -ENOBUFS ? send_file(s->fd, &entry) : r;
}

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* A datagram of nothing, which it passes over, tells whether it is the one that was sent to. */
static int check(struct sink *base)
{
	struct journald_sink *s = (struct journald_sink *)base;
	const struct msghdr nothing = { 0 };
	int r = 0;

	if (s->fd >= 0 && now() - s->sent <= SETTLE_S)
		r = send_once(s->fd, &nothing);
	if (!r || r == -EAGAIN)
		return 0;
	disconnect(s);
	return r;
}

static int send_lines(struct sink *base, const char *lines, size_t len)
{
	struct journald_sink *s = (struct journald_sink *)base;
	int r = ready(s);

	if (!r)
		r = sink_for_each(lines, len, send_line, s);
	if (!r)
		r = dial_wait_for_acknowledgement(s->fd);
	s->sent = now();
	if (r)
		disconnect(s);
	return r;
}

const struct sink_type sink_journald = {
	.scheme = "journald:",
	.usage = "journald:[/SOCKET]",
	.size = sizeof(struct journald_sink),
	.settle_ms = SETTLE_MS,
	.set_up = set_up,
	.send = send_lines,
	.check = check,
	.tear_down = tear_down,
};
