/* Syslog over UDP, TCP and TLS (RFC 5426, 6587, 5425). */
#include <errno.h>
#include <sys/socket.h>

#include "export/dial.h"
#include "export/sink_type.h"
#include "export/syslog.h"
#include "export/tls.h"

#define DATAGRAM_MAX 60000 /* bytes of a message in one; the rest of it is cut off */
#define SETTLE_MS    2000  /* what is in the receiver's kernel for longer, it has read */

struct syslog_sink {
	struct sink base;
	char *host, *port;
	int fd;		 /* -1: not open */
	struct tls *tls; /* NULL: none */
};

static int set_up(struct sink *base, const char *rest)
{
	struct syslog_sink *s = (struct syslog_sink *)base;

	s->fd = -1;
	return dial_parse(rest, &s->host, &s->port);
}

static void disconnect(struct syslog_sink *s)
{
	tls_free(s->tls);
	s->tls = NULL;
	close_fd(&s->fd);
	s->fd = -1;
}

static void tear_down(struct sink *base)
{
	struct syslog_sink *s = (struct syslog_sink *)base;

	disconnect(s);
	free(s->host);
	free(s->port);
}

static int ready(struct syslog_sink *s, int socket_type)
{
	int fd;

	if (s->fd >= 0)
		return 0;
	fd = dial(s->host, s->port, socket_type);
	if (fd < 0)
		return fd;
	s->fd = fd;
	return s->base.type == &sink_tls ? tls_connect(fd, s->host, sink_option(&s->base, "ca"),
						       &s->tls, &s->base.why)
					 : 0;
}

static int finish(struct syslog_sink *s, int err)
{
	if (err)
		disconnect(s);
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

	return finish(s, r ? r : sink_for_each(lines, len, send_datagram, &s->fd));
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

static int check(struct sink *base)
{
	struct syslog_sink *s = (struct syslog_sink *)base;
	int r = s->fd < 0 ? 0 : dial_check(s->fd);

	return finish(s, !r && s->tls ? tls_take(s->tls) : r);
}

static int send_framed(struct syslog_sink *s, const char *lines, size_t len)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	int r = sink_for_each(lines, len, add_framed, &out);

	if (!r)
		r = s->tls ? tls_send_all(s->tls, out.data, out.len)
			   : dial_send_all(s->fd, out.data, out.len);
	return r ? r : dial_wait_for_acknowledgement(s->fd);
}

static int send_stream(struct sink *base, const char *lines, size_t len)
{
	struct syslog_sink *s = (struct syslog_sink *)base;
	int r = ready(s, SOCK_STREAM);

	return finish(s, r ? r : send_framed(s, lines, len));
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
	.settle_ms = SETTLE_MS,
	.send = send_stream,
	.check = check,
	.tear_down = tear_down,
};

static const char *const tls_options[] = { "ca", NULL };

const struct sink_type sink_tls = {
	.scheme = "syslog+tls://",
	.usage = "syslog+tls://HOST:PORT[#ca=FILE]",
	.size = sizeof(struct syslog_sink),
	.options = tls_options,
	.settle_ms = SETTLE_MS,
	.set_up = set_up,
	.send = send_stream,
	.check = check,
	.tear_down = tear_down,
};
