#include "export/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "base/io.h"
#include "record/event.h"

#define FACILITY     16	   /* local0 */
#define DATAGRAM_MAX 60000 /* bytes of a message in one; the rest of it is cut off */
#define TIMEOUT_MS   10000
#define ACK_STEP_MS  2
#define FILE_MODE    0640

enum sink_kind { SINK_FILE, SINK_STDOUT, SINK_UDP, SINK_TCP };

struct sink {
	enum sink_kind kind;
	char *place, *port; /* path, or host */
	int fd;		    /* -1: not open */
};

void sink_free(struct sink *s)
{
	if (!s)
		return;
	if (s->kind != SINK_STDOUT)
		close_fd(&s->fd);
	free(s->place);
	free(s->port);
	free(s);
}

/* ---- what is written in the settings */

static const struct {
	const char *prefix;
	enum sink_kind kind;
} kinds[] = {
	{ "file:", SINK_FILE },
	{ "stdout:", SINK_STDOUT },
	{ "syslog+udp://", SINK_UDP },
	{ "syslog+tcp://", SINK_TCP },
};

/* "host:port", "[address]:port" */
static int parse_host(struct sink *s, const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;

	if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (!len || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return -EINVAL;
	s->place = strndup(text, len);
	s->port = strdup(colon + 1);
	return s->place && s->port ? 0 : -ENOMEM;
}

static int parse_rest(struct sink *s, const char *rest)
{
	if (s->kind == SINK_UDP || s->kind == SINK_TCP)
		return parse_host(s, rest);
	if (s->kind == SINK_STDOUT) {
		s->fd = STDOUT_FILENO;
		return *rest ? -EINVAL : 0;
	}
	if (rest[0] != '/')
		return -EINVAL;
	s->place = strdup(rest);
	return s->place ? 0 : -ENOMEM;
}

int sink_new(const char *spec, struct sink **ret)
{
	_cleanup_(sink_free_ptr) struct sink *s = calloc(1, sizeof(*s));
	int r = -EINVAL;

	if (!s)
		return -ENOMEM;
	s->fd = -1;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t len = strlen(kinds[i].prefix);

		if (strncmp(spec, kinds[i].prefix, len) != 0)
			continue;
		s->kind = kinds[i].kind;
		r = parse_rest(s, spec + len);
	}
	if (r)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

/* ---- opening */

static int wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n = poll(&p, 1, TIMEOUT_MS);

	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

static int finish_connect(int fd)
{
	int error = 0, r = wait_for(fd, POLLOUT);
	socklen_t len = sizeof(error);

	if (!r && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		r = -errno;
	return r ? r : -error;
}

static int connect_to(const struct addrinfo *a)
{
	_cleanup_close_ int fd =
		socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0)
		r = errno == EINPROGRESS ? finish_connect(fd) : -errno;
	return r ? r : TAKE_FD(fd);
}

static int open_socket(struct sink *s)
{
	const struct addrinfo hints = { .ai_socktype =
						s->kind == SINK_UDP ? SOCK_DGRAM : SOCK_STREAM };
	struct addrinfo *list = NULL;
	int r = -EHOSTUNREACH;

	if (getaddrinfo(s->place, s->port, &hints, &list))
		return -EHOSTUNREACH;
	for (const struct addrinfo *a = list; a && r < 0; a = a->ai_next)
		r = connect_to(a);
	freeaddrinfo(list);
	return r;
}

static int ready(struct sink *s)
{
	int fd = s->fd;

	if (fd >= 0)
		return 0;
	if (s->kind == SINK_FILE)
		fd = open(s->place, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
			  FILE_MODE);
	else
		fd = open_socket(s);
	if (fd < 0)
		return s->kind == SINK_FILE ? -errno : fd;
	s->fd = fd;
	return 0;
}

/* ---- RFC 5424 */

/* Of a finding that held or refused something: warning; else informational. */
static int severity_of(const struct event *e)
{
	return e->kind == EVENT_FINDING && e->disposition != 1 ? 4 : 6;
}

static void add_time(struct strbuf *out, int64_t ms)
{
	time_t seconds = ms / 1000;
	struct tm t;
	char text[32];

	gmtime_r(&seconds, &t);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &t);
	strbuf_addf(out, "%s.%03dZ", text, (int)(ms % 1000));
}

/* A host's name has no blanks, and is of printable ASCII. */
static void add_host(struct strbuf *out, struct slice host)
{
	size_t shown = 0;

	for (size_t i = 0; i < host.len && shown < 255; i++)
		if (host.at[i] > ' ' && host.at[i] < 127) {
			strbuf_addc(out, host.at[i]);
			shown++;
		}
	if (!shown)
		strbuf_addc(out, '-');
}

void sink_add_syslog(struct strbuf *out, const char *line, size_t len)
{
	struct event e = { 0 };

	if (!event_read(line, len, &e))
		e.time_ms = 0;
	strbuf_addf(out, "<%d>1 ", FACILITY * 8 + severity_of(&e));
	if (e.time_ms)
		add_time(out, e.time_ms);
	else
		strbuf_addc(out, '-');
	strbuf_addc(out, ' ');
	add_host(out, e.host);
	strbuf_addf(out, " backstop - %lld - ", (long long)e.class_uid);
	strbuf_add(out, line, len);
}

/* ---- sending */

static int send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			int r = wait_for(fd, POLLOUT);

			if (r)
				return r;
			continue;
		}
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* What the other side's kernel has is not lost with the connection. */
static int wait_for_acknowledgement(int fd)
{
	int left = 0;

	for (int waited = 0; waited < TIMEOUT_MS; waited += ACK_STEP_MS) {
		struct pollfd p = { .fd = fd, .events = POLLRDHUP };

		if (ioctl(fd, SIOCOUTQ, &left) < 0)
			return -errno;
		if (poll(&p, 1, left ? ACK_STEP_MS : 0) > 0)
			return -EPIPE; /* it went away, or talks, which no receiver does */
		if (!left)
			return 0;
	}
	return -ETIMEDOUT;
}

static int send_datagrams(int fd, const char *lines, size_t len)
{
	_cleanup_strbuf_ struct strbuf message = STRBUF_INIT;
	const char *end = lines + len, *newline;

	for (; (newline = memchr(lines, '\n', end - lines)); lines = newline + 1) {
		int r;

		strbuf_reset(&message);
		sink_add_syslog(&message, lines, newline - lines);
		r = strbuf_error(&message);
		if (!r)
			r = send_all(fd, message.data, MIN(message.len, DATAGRAM_MAX));
		if (r)
			return r;
	}
	return 0;
}

/* Each message with its length before it (RFC 6587). */
static int send_stream(int fd, const char *lines, size_t len)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT, message = STRBUF_INIT;
	const char *end = lines + len, *newline;
	int r;

	for (; (newline = memchr(lines, '\n', end - lines)); lines = newline + 1) {
		strbuf_reset(&message);
		sink_add_syslog(&message, lines, newline - lines);
		strbuf_addf(&out, "%zu ", message.len);
		strbuf_add(&out, strbuf_str(&message), message.len);
	}
	r = strbuf_error(&out) ?: strbuf_error(&message) ?: send_all(fd, strbuf_str(&out), out.len);
	return r ? r : wait_for_acknowledgement(fd);
}

/* Half a line that an earlier write left would run into the next. */
static int write_file(int fd, const char *lines, size_t len)
{
	off_t before = lseek(fd, 0, SEEK_END);
	int r = io_write_all(fd, lines, len);

	if (!r && fdatasync(fd) < 0 && errno != EINVAL && errno != EROFS)
		r = -errno;
	if (r && before >= 0)
		(void)!ftruncate(fd, before);
	return r;
}

int sink_send(struct sink *s, const char *lines, size_t len)
{
	int r = ready(s);

	if (r)
		return r;
	if (s->kind == SINK_UDP)
		r = send_datagrams(s->fd, lines, len);
	else if (s->kind == SINK_TCP)
		r = send_stream(s->fd, lines, len);
	else if (s->kind == SINK_FILE)
		r = write_file(s->fd, lines, len);
	else
		r = io_write_all(s->fd, lines, len);
	if (r && s->kind != SINK_STDOUT) {
		close_fd(&s->fd);
		s->fd = -1;
	}
	return r;
}
