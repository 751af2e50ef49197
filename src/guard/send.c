/* What leaves on connections: bytes of the kernel's candidates -> messages -> what is found. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/log.h"
#include "base/proc.h"
#include "guard/candidate.h"
#include "guard/fetch.h"
#include "guard/internal.h"
#include "guard/library.h"
#include "guard/send_stream.h"
#include "guard/slot.h"
#include "guard/unseen.h"
#include "policy/quic.h"
#include "policy/secrets.h"
#include "policy/send.h"

#define TEXT_MAX   300		       /* bytes of a message that are shown */
#define MASKED_MAX 4096		       /* bytes of it in which secrets are looked for */
#define MORE_MAX   (4UL * 1024 * 1024) /* bytes of a write that are told behind its first */
#define RETRIES_NS 5000000000ULL /* for so long a first write that was let go may come again */

/* ---- messages */

struct judging {
	struct guard *g;
	struct exec *x;
	struct send_stream *stream;
	bool raw;	/* some bytes are of no message that is known */
	u32 statements; /* certain, of PostgreSQL */
	size_t text;	/* bytes of the last of them */
	bool harmless;	/* whatever its numbers are */
	bool retry;	/* of a first write that was let go */
	bool tls;	/* it begins here */
	enum quic_told quic;
	char *host; /* that QUIC asks for with this datagram, small letters; owned */
};

/* The first of it, with *** for each secret; nothing without memory. */
static void add_masked(const struct guard *g, struct strbuf *out, struct wire_slice s)
{
	size_t len = MIN(s.len, (size_t)MASKED_MAX);
	_cleanup_free_ char *text = calloc(1, len + 1);
	_cleanup_free_ char **masked = NULL;
	char *words[] = { text, NULL };

	if (!text)
		return;
	for (size_t i = 0; i < len; i++)
		text[i] = s.s[i] ?: ' ';
	if (!secrets_mask(g->secrets, words, &masked))
		strbuf_adds(out, masked ? masked[0] : text);
}

static void add_slice(const struct guard *g, struct strbuf *out, struct wire_slice s)
{
	size_t room = out->len < TEXT_MAX ? TEXT_MAX - out->len : 0;
	_cleanup_strbuf_ struct strbuf shown = STRBUF_INIT;

	if (!s.len || !room)
		return;
	if (out->len)
		strbuf_addc(out, ' ');
	add_masked(g, &shown, s);
	escape_bytes(out, strbuf_str(&shown), MIN(shown.len, room));
	if (shown.len > room)
		strbuf_adds(out, "…");
}

/* As a person would say it. */
static char *describe(const struct guard *g, const struct wire_message *m)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	add_slice(g, &out, m->method);
	add_slice(g, &out, m->kind == WIRE_REQUEST ? m->host : m->database);
	add_slice(g, &out, m->kind == WIRE_REQUEST ? m->path : m->target);
	for (u32 i = 0; i < m->words_count; i++)
		add_slice(g, &out, m->words[i]);
	add_slice(g, &out, m->text);
	return out.len ? strbuf_take(&out) : NULL;
}

static bool is_graver(const struct finding *a, const struct finding *b)
{
	return a->verdict != b->verdict ? a->verdict > b->verdict : a->id && !b->id;
}

static void note_statement(struct judging *j, const struct sending *s)
{
	const struct wire_message *m = s->message;

	j->statements++;
	j->text = m->text.len;
	j->harmless = m->kind == WIRE_SQL && m->protocol == WIRE_POSTGRES && !m->prepared &&
		      policy_is_shape_harmless(j->g->policy, s);
}

static bool is_connect(const struct wire_message *m)
{
	return m->method.len == 7 && strncasecmp(m->method.s, "CONNECT", 7) == 0;
}

/* What is only prepared is let go: told is whether it matters. */
static bool on_message(const struct wire_message *m, void *data)
{
	struct judging *j = data;
	struct sent *sent = &j->x->sent;
	struct sending s = { .message = m,
			     .names = (const char *const *)j->stream->names,
			     .project = j->x->session ? j->x->session->project : NULL };
	struct finding f;

	/* what comes is passed on to where these say */
	j->stream->unsure |= m->kind == WIRE_NAME || is_connect(m);
	if (!j->stream->unsure) {
		s.sure = j->stream->sure;
		s.places = j->stream->places;
	}
	j->raw |= m->kind == WIRE_RAW;
	j->tls |= m->kind == WIRE_BLIND && m->protocol == WIRE_TLS;
	note_statement(j, &s);
	if (m->kind == WIRE_NAME || m->kind == WIRE_REQUEST)
		send_stream_learn(j->stream, m->kind == WIRE_NAME ? m->text : m->host);
	policy_match_send(j->g->policy, &s, &f);
	if (m->prepared)
		return f.verdict > VERDICT_ALLOW;
	if (sent->text && !is_graver(&f, &sent->finding))
		return true;
	sent->finding = f;
	sent->protocol = wire_protocol_name(m->protocol);
	free(sent->text);
	sent->text = describe(j->g, m);
	return true;
}

/* They come before the event that asks, and in order. */
static void gather_more(struct guard *g, const struct bs_send_event *e)
{
	struct send_stream *s = send_stream_of(g, e);

	if (!s)
		return;
	if (s->more_at != e->send.position)
		strbuf_reset(&s->more);
	s->more_at = e->send.position;
	if (s->more.len < MORE_MAX)
		strbuf_add(&s->more, (const char *)e->data, e->copied);
}

static void take_more(struct send_stream *s, const struct bs_send_event *e, struct strbuf *to)
{
	if (s->more_at == e->send.position && s->more.len)
		strbuf_add(to, strbuf_str(&s->more), MIN(s->more.len, (size_t)e->size - e->copied));
	strbuf_free(&s->more);
}

/* How many bytes before the event's own were not told, and are in its tail: they passed, as they
 * were no candidate, and what is found may have begun in them. */
static size_t untold(const struct send_stream *s, const struct bs_send_event *e)
{
	u64 known = wire_stream_position(s->wire), at = e->send.position - s->ahead;

	return at > known ? MIN(at - known, (u64)BS_SEND_TAIL) : 0;
}

/* Where no protocol told what the bytes are: with those before them. */
static void judge_raw(struct judging *j, const struct bs_send_event *e, const struct strbuf *bytes,
		      size_t before)
{
	_cleanup_strbuf_ struct strbuf all = STRBUF_INIT;
	struct wire_message m = { .protocol = wire_protocol(wire_stream_wire(j->stream->wire)),
				  .kind = WIRE_RAW,
				  .uncertain = true };

	strbuf_add(&all, (const char *)e->tail + BS_SEND_TAIL - before, before);
	strbuf_add(&all, strbuf_str(bytes), bytes->len);
	if (strbuf_error(&all))
		return;
	m.text = (struct wire_slice) { strbuf_str(&all), all.len };
	on_message(&m, j);
}

/* Before its handshake is done a library takes nothing, and the program, as node does, gives it the
 * same again and again. Returns where the write begins. */
static u64 find_retry(struct send_stream *s, const struct bs_send_event *e,
		      const struct strbuf *bytes, struct judging *j)
{
	u64 at = e->send.position - s->ahead;

	if (e->source != BS_SEND_TLS ||
	    !wire_stream_begins_again(s->wire, at, strbuf_str(bytes), bytes->len))
		return at;
	j->retry = s->let_go && boot_ns() - s->let_go < RETRIES_NS;
	s->ahead += at;
	return 0;
}

static bool is_database(enum wire_protocol p)
{
	return p == WIRE_POSTGRES || p == WIRE_MYSQL || p == WIRE_REDIS || p == WIRE_MONGO;
}

/* `count` bytes of the write that nobody has seen: they may be more statements. `refused`: as its
 * session has too many of them. */
static void judge_rest(struct judging *j, u64 count, bool refused)
{
	struct wire_stream *w = j->stream->wire;
	struct finding f;

	if (!wire_stream_lost(w, count) ||
	    !(refused || is_database(wire_likely(wire_stream_wire(w)))))
		return;
	policy_too_long(&f);
	if (is_graver(&f, &j->x->sent.finding))
		j->x->sent.finding = f;
}

static int feed(struct send_stream *s, const struct bs_send_event *e, const struct fetched *rest,
		struct judging *j)
{
	_cleanup_strbuf_ struct strbuf bytes = STRBUF_INIT;
	size_t before = untold(s, e);
	int r;

	strbuf_add(&bytes, (const char *)e->data, e->copied);
	take_more(s, e, &bytes);
	if (rest)
		strbuf_add(&bytes, rest->bytes, rest->len);
	r = strbuf_error(&bytes)
		    ?: wire_stream_write(s->wire, find_retry(s, e, &bytes, j), strbuf_str(&bytes),
					 bytes.len, on_message, j);
	if (!r && before && j->raw)
		judge_raw(j, e, &bytes, before);
	if (r || bytes.len < e->size)
		judge_rest(j, r ? e->size : e->size - bytes.len, rest && rest->refused);
	return r;
}

#define QUERY_FRAME 6 /* type, length, and the zero behind the text */

/* A Query that is all of the write: the kernel may let pass what differs from it in numbers. */
static bool is_harmless_query(const struct judging *j, const struct bs_send_event *e)
{
	return j->statements == 1 && j->harmless && !j->raw && e->copied == e->size &&
	       e->data[0] == 'Q' && j->text + QUERY_FRAME == e->size;
}

static bool on_hello(const struct wire_message *m, void *data)
{
	struct judging *j = data;

	if (!m->text.len || memchr(m->text.s, 0, m->text.len))
		return true;
	free(j->host);
	j->host = send_stream_small(m->text);
	return true;
}

/* Its bytes say nothing to a person. */
static void say_quic(struct judging *j)
{
	struct sent *sent = &j->x->sent;

	sent->protocol = "quic";
	free(sent->text);
	sent->text = strdup("QUIC");
}

static void read_quic(struct judging *j, const struct bs_send_event *e)
{
	struct send_stream *s = j->stream;

	if (e->dest.protocol != IPPROTO_UDP || !quic_begins(e->data, e->copied))
		return;
	s->quic = s->quic ?: quic_new();
	if (s->quic)
		j->quic = quic_write(s->quic, e->data, e->copied, on_hello, j);
	if (j->quic != QUIC_NOTHING && !j->x->sent.finding.id)
		say_quic(j);
}

/* Those for which the other end stands; NULL ends. */
static void list_names(const struct judging *j, const char *ret[SEND_NAMES_MAX + 2])
{
	size_t n = 0;

	for (; j->stream->names[n]; n++)
		ret[n] = j->stream->names[n];
	if (j->host)
		ret[n++] = j->host;
	ret[n] = NULL;
}

/* A rule about names that could not be asked when it connected, as none was known. */
static void match_names(struct judging *j, const char *const *names)
{
	struct connection c = { .dest = j->stream->dest, .names = names, .sure = j->stream->sure };
	struct sent *sent = &j->x->sent;
	struct finding f;

	if (!names[0])
		return;
	policy_match_connect(j->g->policy, &c, &f);
	if (f.verdict <= VERDICT_ALERT || !is_graver(&f, &sent->finding))
		return;
	sent->finding = f;
	sent->again = j->host;
}

static void judge(struct guard *g, struct exec *x, const struct bs_send_event *e,
		  const struct fetched *rest)
{
	struct send_stream *s = send_stream_of(g, e);
	struct judging j = { .g = g, .x = x, .stream = s };
	const char *names[SEND_NAMES_MAX + 2];
	const struct wire *w;
	int r;

	if (!s) {
		x->sent.say = BS_SAY_WATCH;
		return;
	}
	x->dest = s->dest;
	r = feed(s, e, rest, &j);
	read_quic(&j, e);
	list_names(&j, names);
	if (e->source != BS_SEND_TLS)
		match_names(&j, names);
	if (j.retry)
		x->sent.finding = (struct finding) { 0 };
	w = wire_stream_wire(s->wire);
	if (r || wire_waits(w))
		x->sent.say = BS_SAY_WATCH;
	else if (wire_protocol(w) == WIRE_TLS && wire_ends(w))
		x->sent.say = BS_SAY_BLIND;
	else if (is_harmless_query(&j, e) && !x->sent.finding.id)
		x->sent.say = BS_SAY_SHAPE;
	x->sent.name = j.host ?: names[0] ? strdup(names[0]) : NULL;
	x->sent.opaque = unseen_what_begins(e, j.tls, j.quic);
	if (x->sent.opaque || x->sent.finding.id)
		x->sent.names = proc_copy_words((char **)names);
}

/* A Unix socket is about to be connected to. */
static void match_socket(struct guard *g, struct exec *x, const struct bs_send_event *e)
{
	struct connection c = { 0 };

	if (e->copied) {
		free(x->sent.path);
		x->sent.path = exec_join_parts((const char *)e->data, e->copied, false);
	}
	snprintf(c.path, sizeof(c.path), "%s", x->sent.path ?: "");
	if (c.path[0])
		policy_match_connect(g->policy, &c, &x->sent.finding);
}

/* ---- events */

static void look_at_packets(struct guard *g)
{
	int r = kernel_look_at_packets(g->kernel);

	if (r)
		log_errno(r, "what is sent from files is not seen");
}

struct exec *send_decode(struct guard *g, const struct bs_send_event *e, const struct fetched *rest)
{
	_cleanup_(exec_free_ptr) struct exec *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->kind = e->source == BS_SEND_SOCKET || e->source == BS_SEND_UNIX ? BS_SLOT_SEND
									   : BS_SLOT_SENDING;
	x->sent.source = e->source;
	x->sent.end = e->end;
	x->sent.id = e->send;
	x->sent.size = e->size;
	x->sent.cookie = e->cookie;
	x->sent.fd = e->fd;
	x->sent.path = e->path[0] ? strndup(e->path, sizeof(e->path)) : NULL;
	exec_take_head(g, x, &e->head, e->start, e->uid);
	x->flags = e->flags;
	x->slot = e->slot;
	x->ticket = e->ticket;
	if (e->flags & BS_SEND_FIRST && e->source == BS_SEND_TLS)
		guard_read_events(g, false); /* where it has connected to */
	if (e->flags & BS_SEND_PAGES)
		look_at_packets(g);
	else if (e->source == BS_SEND_UNIX)
		match_socket(g, x, e);
	else if (!(e->flags & BS_SEND_AWAY))
		judge(g, x, e, rest);
	if (exec_is_sending(x) && kernel_say(g->kernel, &e->send, x->sent.say))
		log_debug("all that stream %llu sends next is asked about", e->send.stream);
	/* most are harmless, and nobody asks who they are */
	if ((x->sent.finding.id || e->source == BS_SEND_UNIX) && exec_read_proc(g, x))
		process_copy(g, x, e->parent);
	return TAKE_PTR(x);
}

/* It was read, and so it is where the kernel can read it; or nobody can, and it does not go. */
static void settle_memory(struct guard *g, const struct bs_send_event *e,
			  const struct fetched *rest, const struct exec *x)
{
	if (!rest->whole)
		log_debug("process %u: what it is about to send cannot be read: refused",
			  e->head.tgid);
	candidate_settle(g, x, rest->whole);
}

void send_fetched(struct guard *g, const struct bs_send_event *e, const struct fetched *rest)
{
	_cleanup_(exec_free_ptr) struct exec *x = NULL;
	bool probed = false;

	if (e->flags & BS_SEND_FIRST && e->source != BS_SEND_TLS && e->source != BS_SEND_UNIX)
		probed = library_look(g, e->head.tgid, false);
	x = send_decode(g, e, rest);
	if (!x)
		return; /* as in connect_event() */
	if (x->sent.opaque)
		unseen_note(g, e, x, probed);
	if (!(e->flags & BS_SEND_CANDIDATE))
		candidate_passed(g, x);
	else if (e->slot >= BS_SLOTS)
		candidate_missed(g, x);
	else if (e->flags & BS_SEND_AWAY)
		settle_memory(g, e, rest, x);
	else
		candidate_decide(g, TAKE_PTR(x));
}

void send_event(struct guard *g, const struct bs_send_event *e)
{
	bool asks = e->flags & (BS_SEND_FIXED | BS_SEND_TRACED);

	if (e->flags & BS_SEND_MORE)
		gather_more(g, e);
	else if ((e->slot >= BS_SLOTS || !candidate_is_known(g, e->slot, e->ticket, asks)) &&
		 !fetch_start(g, e))
		send_fetched(g, e, NULL);
}

void send_released(struct guard *g, const struct exec *x)
{
	struct send_stream *s =
		exec_is_sending(x) ? map_get(&g->streams.by_id, x->sent.id.stream) : NULL;
	int r = 0;

	if (s)
		s->let_go = boot_ns();
	if (x->sent.source == BS_SEND_EGRESS && exec_is_sending(x) && x->slot < BS_SLOTS)
		r = kernel_let_go_packets(g->kernel, x->sent.cookie, x->sent.end);
	if (r)
		log_errno(r, "what process %u sends cannot be let go", x->tgid);
}

void send_say(struct guard *g, const struct exec *x)
{
	struct bs_slot *s = &kernel_slots(g->kernel)[x->slot];

	if (slot_state(s, x->ticket) == BS_SLOT_ASKED)
		s->say = x->sent.say;
}

struct ocsf_sending send_shown(const struct exec *x)
{
	return (struct ocsf_sending) {
		.text = x->sent.text,
		.protocol = x->sent.protocol,
		.name = x->sent.name,
		.path = x->sent.path,
		.connects = x->sent.source == BS_SEND_UNIX,
		.encrypted = x->sent.source == BS_SEND_TLS,
		.unseen = x->sent.unseen,
		.names = x->sent.names,
	};
}
