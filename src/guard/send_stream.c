#include "guard/send_stream.h"

#include <arpa/inet.h>
#include <string.h>

#include "guard/resolved.h"
#include "policy/destination.h"
#include "policy/quic.h"
#include "policy/send.h"

#define STREAMS_MAX 4096

static void forget_names(struct send_stream *s)
{
	for (size_t i = 0; i < SEND_NAMES_MAX; i++) {
		free(s->names[i]);
		s->names[i] = NULL;
	}
	s->sure = 0;
}

static void stream_free(struct guard *g, struct send_stream *s)
{
	TAILQ_REMOVE(&g->streams.order, s, entry);
	map_remove(&g->streams.by_id, s->id);
	wire_stream_free(s->wire);
	quic_free(s->quic);
	strbuf_free(&s->more);
	forget_names(s);
	free(s);
}

void send_start(struct guard *g)
{
	TAILQ_INIT(&g->streams.order);
}

void send_forget_all(struct guard *g)
{
	struct send_stream *s;

	while ((s = TAILQ_FIRST(&g->streams.order)))
		stream_free(g, s);
	map_free(&g->streams.by_id);
}

void send_forget(struct guard *g, u64 session)
{
	struct send_stream *s, *next;

	for (s = TAILQ_FIRST(&g->streams.order); s; s = next) {
		next = TAILQ_NEXT(s, entry);
		if (s->session == session)
			stream_free(g, s);
	}
}

char *send_stream_small(struct wire_slice name)
{
	char *copy = strndup(name.s, name.len);

	for (char *c = copy; c && *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	return copy;
}

void send_stream_learn(struct send_stream *s, struct wire_slice name)
{
	size_t i = 0;

	while (i < SEND_NAMES_MAX && s->names[i] &&
	       (strlen(s->names[i]) != name.len || strncasecmp(s->names[i], name.s, name.len)))
		i++;
	if (!name.len || i == SEND_NAMES_MAX || s->names[i] || memchr(name.s, 0, name.len))
		return;
	s->names[i] = send_stream_small(name);
}

/* What name servers said of its address. */
static void learn_names(const struct guard *g, struct send_stream *s)
{
	const char *names[RESOLVED_NAMES_MAX + 1];
	size_t n = names_of(g, s->session, &s->dest, names);

	for (size_t i = 0; i < n; i++)
		send_stream_learn(s, (struct wire_slice) { names[i], strlen(names[i]) });
	while (s->names[s->sure])
		s->sure++;
}

/* Of what is inside of TLS, or began before we listened, nobody is sure; an allow rule must be. */
static bool is_unsure(const struct bs_send_event *e)
{
	return e->source == BS_SEND_TLS || !(e->flags & BS_SEND_BEGUN) || e->send.position;
}

static void learn_places(struct send_stream *s, const struct bs_send_event *e)
{
	const u8 *addr = s->dest.addr;
	bool v4 = destination_covers((const u8 *)"\0\0\0\0\0\0\0\0\0\0\xff\xff", 96, addr);
	size_t n = 0;

	memset(s->places, 0, sizeof(s->places));
	if (!*e->path && inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? addr + 12 : addr, s->address,
				   sizeof(s->address)))
		s->places[n++] = s->address;
	if (*e->path || destination_is_loopback(addr))
		s->places[n] = "localhost";
}

static void aim(const struct guard *g, struct send_stream *s, const struct bs_send_event *e,
		struct bs_dest to)
{
	s->dest = to;
	s->unsure = is_unsure(e);
	forget_names(s);
	learn_names(g, s);
	learn_places(s, e);
}

static struct send_stream *stream_new(struct guard *g, const struct bs_send_event *e)
{
	struct bs_dest to = e->source == BS_SEND_TLS ? connect_last(g, e->head.tgid) : e->dest;
	struct send_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->id = e->send.stream;
	s->session = e->head.session;
	s->wire = wire_stream_new(to.port, e->flags & BS_SEND_BEGUN && !e->send.position,
				  e->send.position);
	if (!s->wire || map_set(&g->streams.by_id, s->id, s)) {
		wire_stream_free(s->wire);
		free(s);
		return NULL;
	}
	if (e->source == BS_SEND_TLS)
		wire_doubt_begin(wire_stream_wire(s->wire)); /* a process may have inherited it */
	aim(g, s, e, to);
	TAILQ_INSERT_TAIL(&g->streams.order, s, entry);
	if (g->streams.by_id.count > STREAMS_MAX)
		stream_free(g, TAILQ_FIRST(&g->streams.order));
	return s;
}

/* Of a socket that is not connected each datagram goes where it says. */
static bool has_turned(const struct send_stream *s, const struct bs_send_event *e)
{
	return e->source != BS_SEND_TLS && e->dest.protocol == IPPROTO_UDP &&
	       memcmp(&s->dest, &e->dest, sizeof(s->dest)) != 0;
}

/* The one that was silent longest is the first. */
struct send_stream *send_stream_of(struct guard *g, const struct bs_send_event *e)
{
	struct send_stream *s = map_get(&g->streams.by_id, e->send.stream);

	if (!s)
		return stream_new(g, e);
	if (has_turned(s, e))
		aim(g, s, e, e->dest);
	TAILQ_REMOVE(&g->streams.order, s, entry);
	TAILQ_INSERT_TAIL(&g->streams.order, s, entry);
	return s;
}
