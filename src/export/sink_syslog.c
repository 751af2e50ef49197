/* Syslog over UDP and TCP. */
#include <errno.h>
#include <sys/socket.h>

#include "export/dial.h"
#include "export/sink_type.h"
#include "export/syslog.h"

#define DATAGRAM_MAX 60000 /* bytes of a message in one; the rest of it is cut off */

struct syslog_sink {
	struct sink base;
	char *host, *port;
	int fd; /* -1: not open */
};

static int set_up(struct sink *base, const char *rest)
{
	struct syslog_sink *s = (struct syslog_sink *)base;

	s->fd = -1;
	return dial_parse(rest, &s->host, &s->port);
}

static void tear_down(struct sink *base)
{
	struct syslog_sink *s = (struct syslog_sink *)base;

	close_fd(&s->fd);
	free(s->host);
	free(s->port);
}

static int ready(struct syslog_sink *s, int socket_type)
{
	int fd = s->fd < 0 ? dial(s->host, s->port, socket_type) : s->fd;

	if (fd < 0)
		return fd;
	s->fd = fd;
	return 0;
}

static int finish(struct syslog_sink *s, int err)
{
	if (err) {
		close_fd(&s->fd);
		s->fd = -1;
	}
	return err;
}

static int send_datagram(void *data, const char *line, size_t len)
{
	_cleanup_strbuf_ struct strbuf message = STRBUF_INIT;
	int r;

	syslog_add(&message, line, len);
	r = strbuf_error(&message);
	return r ? r : dial_send_all(*(int *)data, message.data, MIN(message.len, DATAGRAM_MAX));
}

static int send_udp(struct sink *base, const char *lines, size_t len)
{
	struct syslog_sink *s = (struct syslog_sink *)base;
	int r = ready(s, SOCK_DGRAM);

	return r ? r : finish(s, sink_for_each(lines, len, send_datagram, &s->fd));
}

/* Each message with its length before it (RFC 6587). */
static int add_framed(void *data, const char *line, size_t len)
{
	struct strbuf *out = data;
	_cleanup_strbuf_ struct strbuf message = STRBUF_INIT;

	syslog_add(&message, line, len);
	strbuf_addf(out, "%zu ", message.len);
	strbuf_add(out, strbuf_str(&message), message.len);
	return strbuf_error(&message) ?: strbuf_error(out);
}

static int send_stream(int fd, const char *lines, size_t len)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	int r = sink_for_each(lines, len, add_framed, &out);

	if (!r)
		r = dial_send_all(fd, out.data, out.len);
	return r ? r : dial_wait_for_acknowledgement(fd);
}

static int send_tcp(struct sink *base, const char *lines, size_t len)
{
	struct syslog_sink *s = (struct syslog_sink *)base;
	int r = ready(s, SOCK_STREAM);

	return r ? r : finish(s, send_stream(s->fd, lines, len));
}

const struct sink_type sink_udp = {
	.scheme = "syslog+udp://",
	.usage = "syslog+udp://HOST:PORT",
	.size = sizeof(struct syslog_sink),
	.set_up = set_up,
	.send = send_udp,
	.tear_down = tear_down,
};

const struct sink_type sink_tcp = {
	.scheme = "syslog+tcp://",
	.usage = "syslog+tcp://HOST:PORT",
	.size = sizeof(struct syslog_sink),
	.set_up = set_up,
	.send = send_tcp,
	.tear_down = tear_down,
};
