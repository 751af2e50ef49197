#include "policy/wire_parser.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

static const struct wire_parser *const parsers[WIRE_PROTOCOLS] = {
	[WIRE_POSTGRES] = &wire_postgres_parser, [WIRE_MYSQL] = &wire_mysql_parser,
	[WIRE_REDIS] = &wire_redis_parser,	 [WIRE_MONGO] = &wire_mongo_parser,
	[WIRE_HTTP] = &wire_http_parser,	 [WIRE_HTTP2] = &wire_http2_parser,
	[WIRE_TLS] = &wire_tls_parser,		 [WIRE_SOCKS] = &wire_socks_parser,
};

const char *wire_protocol_name(enum wire_protocol p)
{
	static const char *const names[] = {
		[WIRE_UNDECIDED] = "undecided",
		[WIRE_UNKNOWN] = "unknown",
		[WIRE_POSTGRES] = "postgres",
		[WIRE_MYSQL] = "mysql",
		[WIRE_REDIS] = "redis",
		[WIRE_MONGO] = "mongo",
		[WIRE_HTTP] = "http",
		[WIRE_HTTP2] = "http2",
		[WIRE_TLS] = "tls",
		[WIRE_SOCKS] = "socks",
	};
	_Static_assert(ARRAY_SIZE(names) == WIRE_PROTOCOLS, "names of protocols");

	return names[p];
}

/* --- what parsers use */

size_t wire_more(struct wire *w, size_t total)
{
	w->need = total;
	return 0;
}

size_t wire_lose(struct wire *w)
{
	if (w->protocol != WIRE_UNKNOWN)
		w->former = w->protocol;
	w->protocol = WIRE_UNKNOWN;
	w->torn = true;
	w->fresh = false;
	return 0;
}

size_t wire_pass(struct wire *w, size_t len, u64 total)
{
	size_t here = total < len ? (size_t)total : len;

	w->skip = total - here;
	return here;
}

void wire_begin_again(struct wire *w)
{
	w->protocol = WIRE_UNDECIDED;
	w->begun = true;
}

bool wire_tell(struct wire *w, struct wire_message *m)
{
	m->protocol = w->protocol;
	return w->fn(m, w->arg);
}

void wire_end(struct wire *w, const char *why)
{
	struct wire_message m = { .kind = WIRE_BLIND, .text = { why, strlen(why) } };

	w->blind = true;
	wire_tell(w, &m);
}

bool wire_tell_sql(struct wire *w, const char *text, size_t len, bool prepared, bool uncertain)
{
	struct wire_message m = {
		.kind = WIRE_SQL,
		.text = { text, len },
		.prepared = prepared,
		.uncertain = uncertain,
	};

	return wire_tell(w, &m);
}

void wire_tell_name(struct wire *w, struct wire_slice name)
{
	struct wire_message m = { .kind = WIRE_NAME, .text = name };

	if (name.len)
		wire_tell(w, &m);
}

void wire_set_fact(char *fact, struct wire_slice s)
{
	size_t len = MIN(s.len, WIRE_IDENTIFIER - 1);

	if (len)
		memcpy(fact, s.s, len);
	fact[len] = '\0';
}

bool wire_is(struct wire_slice s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.s, word, s.len) == 0;
}

/* --- which protocol is it? */

static bool has_port(const struct wire_parser *p, u16 port)
{
	for (const u16 *at = p->ports; *at; at++)
		if (*at == port)
			return true;
	return false;
}

/* The protocol of these bytes; WIRE_UNDECIDED: more are needed. Those of the port come first. One
 * that they may yet be of is waited for: what is decided hangs on no cut. */
static enum wire_protocol guess(const struct wire *w, const u8 *p, size_t len)
{
	for (int expected = 1; expected >= 0; expected--)
		for (int i = 0; i < WIRE_PROTOCOLS; i++) {
			enum wire_guess g;

			if (!parsers[i] || has_port(parsers[i], w->port) != expected)
				continue;
			g = parsers[i]->probe(p, len, w->begun);
			if (g != WIRE_NO)
				return g == WIRE_YES ? (enum wire_protocol)i : WIRE_UNDECIDED;
		}
	return WIRE_UNKNOWN;
}

static enum wire_protocol protocol_of(u16 port)
{
	for (int i = 0; i < WIRE_PROTOCOLS; i++)
		if (parsers[i] && has_port(parsers[i], port))
			return (enum wire_protocol)i;
	return WIRE_UNKNOWN;
}

/* Bytes that are understood no more may be of what was spoken, or of what is spoken on the port. */
static enum wire_protocol former(const struct wire *w)
{
	enum wire_protocol expected = protocol_of(w->port);

	return expected == WIRE_UNKNOWN ? w->former
	       : expected == w->former	? expected
					: WIRE_UNKNOWN;
}

static void tell_raw(struct wire *w, const u8 *p, size_t len)
{
	struct wire_message m = {
		.protocol = w->torn ? former(w) : w->protocol,
		.kind = WIRE_RAW,
		.text = { (const char *)p, len },
		.uncertain = w->torn,
	};

	w->fn(&m, w->arg);
}

static size_t decide(struct wire *w, const u8 *p, size_t len)
{
	enum wire_protocol found = guess(w, p, len);
	bool middle = w->unsure && found == WIRE_UNKNOWN;

	if (found == WIRE_UNDECIDED && len < WIRE_HEAD_MAX)
		return wire_more(w, len + 1);
	w->protocol = found == WIRE_UNDECIDED ? WIRE_UNKNOWN : found;
	w->begun = false;
	w->fresh = middle;
	/* what took so long may be blanks before any of them */
	w->torn |= middle || found == WIRE_UNDECIDED ||
		   (found == WIRE_UNKNOWN && protocol_of(w->port) != WIRE_UNKNOWN);
	return 0;
}

static void keep_tail(struct wire *w, const u8 *p, size_t len)
{
	size_t old = MIN(w->tail_len, WIRE_TAIL - MIN(len, WIRE_TAIL));

	memmove(w->tail, w->tail + w->tail_len - old, old);
	len = MIN(len, WIRE_TAIL);
	memcpy(w->tail + old, p, len);
	w->tail_len = old + len;
}

/* It began before we listened. */
static bool resume(struct wire *w, const u8 *p, size_t len)
{
	enum wire_protocol found = w->adrift ? WIRE_UNKNOWN : guess(w, p, len);

	if (found == WIRE_UNKNOWN || found == WIRE_UNDECIDED)
		return false;
	w->protocol = found;
	w->postgres.started = w->mysql.started = true;
	w->torn = false;
	w->tail_len = 0;
	return true;
}

/* On a port of which nothing is known a server of Redis may have passed over what came first. Of
 * `text` the last `fresh` bytes are new. */
static void tell_lines(struct wire *w, const struct strbuf *text, size_t fresh)
{
	const char *line = text->data, *end = line + text->len, *next;

	for (; (next = memchr(line, '\n', (size_t)(end - line))); line = next) {
		struct wire_message m = { .protocol = WIRE_REDIS,
					  .kind = WIRE_RAW,
					  .text = { line, (size_t)(++next - line) },
					  .uncertain = true };

		if ((size_t)(end - next) < fresh &&
		    wire_redis_parser.probe((const u8 *)line, m.text.len, true) == WIRE_YES)
			w->fn(&m, w->arg);
	}
}

static size_t take_raw(struct wire *w, const u8 *p, size_t len)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	size_t end = len;

	if (w->fresh && resume(w, p, len))
		return 0;
	strbuf_add(&text, w->tail, w->tail_len);
	strbuf_add(&text, p, len);
	tell_raw(w, strbuf_error(&text) ? p : (const u8 *)text.data,
		 strbuf_error(&text) ? len : text.len);
	if (!w->torn && !strbuf_error(&text))
		tell_lines(w, &text, len);
	len = MIN(len, WIRE_TAIL);
	keep_tail(w, p + end - len, len);
	return end;
}

/* --- feeding */

static size_t step(struct wire *w, const u8 *p, size_t len)
{
	if (w->protocol == WIRE_UNDECIDED)
		return decide(w, p, len);
	if (w->protocol == WIRE_UNKNOWN)
		return take_raw(w, p, len);
	return parsers[w->protocol]->step(w, p, len);
}

/* How many of these bytes are done with. */
static size_t run(struct wire *w, const u8 *p, size_t len)
{
	size_t used = 0, n;

	while (used < len && !w->blind) {
		enum wire_protocol before = w->protocol;

		n = (size_t)MIN(w->skip, len - used);
		w->skip -= n;
		used += n;
		w->cut = len - used >= WIRE_MESSAGE_MAX;
		if (!n)
			used += n = step(w, p + used, len - used);
		w->fresh &= !n;
		if (n || w->protocol != before)
			continue;
		if (!w->cut)
			break;
		wire_lose(w);
	}
	return w->blind ? len : used;
}

static void feed_pending(struct wire *w, const void *data, size_t len)
{
	size_t used;

	strbuf_add(&w->pending, data, len);
	if (strbuf_error(&w->pending) ||
	    (w->pending.len < w->need && w->pending.len < WIRE_MESSAGE_MAX))
		return;
	w->need = 0;
	used = run(w, (const u8 *)w->pending.data, w->pending.len);
	memmove(w->pending.data, w->pending.data + used, w->pending.len - used);
	strbuf_truncate(&w->pending, w->pending.len - used);
}

static void feed(struct wire *w, const void *data, size_t len)
{
	size_t used;

	w->fresh = !w->pending.len;
	if (w->pending.len) {
		feed_pending(w, data, len);
		return;
	}
	w->need = 0;
	used = run(w, data, len);
	strbuf_add(&w->pending, (const char *)data + used, len - used);
}

/* A server of Redis passes over lines that it does not know, so who speaks to one may only pretend
 * to encrypt, or to speak HTTP: text among ciphertext is no chance. */
static bool may_pretend(const struct wire *w)
{
	return protocol_of(w->port) == WIRE_REDIS &&
	       ((w->blind && w->protocol == WIRE_TLS) || w->protocol == WIRE_HTTP);
}

#define TEXT_LEAST 9 /* "FLUSHDB\r\n" */

static bool is_text(u8 c)
{
	return (c >= ' ' && c < 0x7f) || c == '\r' || c == '\n' || c == '\t';
}

/* Each run of text that does not end in what was told before. */
static void take_text(struct wire *w, const u8 *p, size_t len)
{
	_cleanup_strbuf_ struct strbuf all = STRBUF_INIT;
	size_t before = w->tail_len, begin = 0;

	strbuf_add(&all, (const char *)w->tail, before);
	strbuf_add(&all, (const char *)p, len);
	if (strbuf_error(&all))
		return tell_raw(w, p, len);
	keep_tail(w, p, len);
	for (size_t i = 0; i <= all.len; i++) {
		struct wire_message m = { .protocol = WIRE_REDIS,
					  .kind = WIRE_RAW,
					  .text = { all.data + begin, i - begin },
					  .uncertain = true };

		if (i < all.len && is_text((u8)all.data[i]))
			continue;
		if (i - begin >= TEXT_LEAST && i > before)
			w->fn(&m, w->arg);
		begin = i + 1;
	}
}

int wire_feed(struct wire *w, const void *data, size_t len, wire_fn fn, void *arg)
{
	w->fn = fn;
	w->arg = arg;
	if (!w->blind && len)
		feed(w, data, len);
	if (may_pretend(w))
		take_text(w, data, len);
	if (w->blind || !len)
		return 0;
	/* a text of an unknown protocol may look for long as if it became another */
	if (w->protocol == WIRE_UNDECIDED && w->pending.len)
		tell_raw(w, (const u8 *)w->pending.data, w->pending.len);
	else if (parsers[w->protocol] && parsers[w->protocol]->flush)
		parsers[w->protocol]->flush(w);
	if (!strbuf_error(&w->pending))
		return 0;
	strbuf_free(&w->pending);
	wire_lost(w, ~0ULL);
	return -ENOMEM;
}

static void forget_requests(struct wire *w)
{
	w->redis.left = 0;
	w->http.state = HTTP_HEAD;
	wire_request_reset(&w->http.request);
	if (w->http2)
		wire_http2_free(w->http2);
	w->http2 = NULL;
}

bool wire_lost(struct wire *w, u64 count)
{
	if (w->blind || !count)
		return false;
	if (count <= w->skip) {
		w->skip -= count;
		return false;
	}
	strbuf_truncate(&w->pending, 0);
	w->skip = 0;
	w->need = 0;
	w->tail_len = 0;
	w->begun = false;
	wire_lose(w);
	forget_requests(w);
	return true;
}

void wire_doubt(struct wire *w)
{
	w->doubt = true;
}

void wire_doubt_begin(struct wire *w)
{
	w->unsure = true;
}

/* --- the state */

struct wire *wire_new(u16 port, bool begun)
{
	struct wire *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->port = port;
	w->begun = begun;
	w->torn = !begun;
	w->former = protocol_of(port);
	w->protocol = begun ? WIRE_UNDECIDED : WIRE_UNKNOWN;
	return w;
}

void wire_free(struct wire *w)
{
	if (!w)
		return;
	strbuf_free(&w->pending);
	strbuf_free(&w->redis.text);
	wire_postgres_free(&w->postgres);
	wire_request_free(&w->http.request);
	wire_http2_free(w->http2);
	free(w);
}

int wire_strbuf_clone(struct strbuf *to, const struct strbuf *from)
{
	*to = STRBUF_INIT;
	if (from->len)
		strbuf_add(to, from->data, from->len);
	return strbuf_error(to);
}

struct wire *wire_clone(const struct wire *w)
{
	struct wire *c = malloc(sizeof(*c));
	int r;

	if (!c)
		return NULL;
	*c = *w;
	/* each leaves something that can be freed, whether it succeeds or not */
	r = wire_strbuf_clone(&c->pending, &w->pending);
	r |= wire_strbuf_clone(&c->redis.text, &w->redis.text);
	r |= wire_postgres_clone(&c->postgres, &w->postgres);
	r |= wire_request_clone(&c->http.request, &w->http.request);
	c->http2 = w->http2 ? wire_http2_clone(w->http2) : NULL;
	if (!r && !w->http2 == !c->http2)
		return c;
	wire_free(c);
	return NULL;
}

static bool request_waits(const struct wire_request *r)
{
	return r->open && !r->cut;
}

bool wire_waits(const struct wire *w)
{
	bool waits = w->pending.len || w->redis.left || w->doubt ||
		     request_waits(&w->http.request) || w->begun;

	for (u32 i = 0; i < w->postgres.named_count; i++)
		waits |= w->postgres.named[i].text != NULL;
	for (u32 i = 0; w->http2 && i < WIRE_STREAMS_MAX; i++)
		waits |= request_waits(&w->http2->requests[i]);
	return waits && !w->blind;
}

enum wire_protocol wire_protocol(const struct wire *w)
{
	return w->protocol;
}

bool wire_ends(const struct wire *w)
{
	return w->blind && !may_pretend(w);
}

enum wire_protocol wire_likely(const struct wire *w)
{
	return w->protocol == WIRE_UNKNOWN ? w->former : w->protocol;
}

const char *wire_user(const struct wire *w)
{
	return w->user;
}

const char *wire_database(const struct wire *w)
{
	return w->database;
}
