/* HTTP/2: frames, of which those with headers and data matter. */
#include <errno.h>

#include "policy/wire_parser.h"

#define FRAME	  9
#define FRAME_MAX (1U << 20)
#define BLOCK_MAX (1U << 20) /* of headers, as they are written */
#define ID_MASK                                                                                    \
	0x7fffffffU /* the bit above, and types that are unknown, servers ignore: RFC 9113, 4.1 */

enum frame_type { DATA, HEADERS, PRIORITY, RST_STREAM, GOAWAY = 7, CONTINUATION = 9 };
enum frame_flag { END_STREAM = 1, END_HEADERS = 4, PADDED = 8, WITH_PRIORITY = 32 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE (sizeof(preface) - 1)

/* Streams that clients open have odd numbers; settings and the like are of none. */
static bool is_clients(const u8 *p)
{
	u32 id = wire_be32(p + 5);
	bool of_stream = p[3] <= RST_STREAM || p[3] == CONTINUATION;

	return wire_be24(p) <= FRAME_MAX && p[3] < 10 && !(p[5] & 0x80) &&
	       (of_stream ? id & 1 : p[3] == 8 || !id);
}

static enum wire_guess probe(const u8 *p, size_t len, bool begun)
{
	if (begun) {
		if (memcmp(p, preface, MIN(len, PREFACE)) != 0)
			return WIRE_NO;
		return len < PREFACE ? WIRE_MAYBE : WIRE_YES;
	}
	while (len >= FRAME && is_clients(p) && len >= FRAME + (size_t)wire_be24(p)) {
		len -= FRAME + (size_t)wire_be24(p);
		p += FRAME + (size_t)wire_be24(p);
	}
	return len ? WIRE_NO : WIRE_YES;
}

/* --- requests */

static struct wire_request *find(struct wire_http2 *h, u32 id)
{
	for (u32 i = 0; i < WIRE_STREAMS_MAX; i++)
		if (h->requests[i].open && h->requests[i].id == id)
			return &h->requests[i];
	return NULL;
}

/* A free place; where there is none, that of the oldest, whose body nobody will see. */
static struct wire_request *claim(struct wire *w, u32 id)
{
	struct wire_http2 *h = w->http2;
	struct wire_request *r = &h->requests[0];

	for (u32 i = 0; i < WIRE_STREAMS_MAX && r->open; i++)
		if (!h->requests[i].open || h->requests[i].id < r->id)
			r = &h->requests[i];
	if (r->open && !r->cut) {
		r->cut = true;
		wire_request_tell(w, r, true);
	}
	wire_request_reset(r);
	r->open = true;
	r->id = id;
	return r;
}

static void end_request(struct wire *w, struct wire_request *r)
{
	if (!r->told || !r->cut)
		wire_request_tell(w, r, true);
	wire_request_reset(r);
}

static void on_header(struct wire_slice name, struct wire_slice value, void *arg)
{
	wire_request_header(arg, name, value);
}

/* What refers to a header of before is not known from now on. */
static void forget_headers(struct hpack *h)
{
	hpack_free(h);
	*h = (struct hpack) { 0 };
}

static void take_block(struct wire *w, bool whole)
{
	struct wire_http2 *h = w->http2;
	struct wire_request *r = find(h, h->id), trailer = { 0 };
	bool known = r != NULL; /* then these are trailers */

	if (!known)
		r = claim(w, h->id);
	if (!hpack_decode(&h->hpack, (const u8 *)strbuf_str(&h->block), h->block.len, on_header,
			  known ? &trailer : r) ||
	    !whole) {
		r->known[HTTP_PATH] = false;
		forget_headers(&h->hpack);
	}
	wire_request_free(&trailer);
	strbuf_reset(&h->block);
	h->id = 0;
	if (h->lasts)
		end_request(w, r);
}

static void add_block(struct wire *w, struct reader *r, u8 flags)
{
	bool fits = w->http2->block.len + reader_left(r) < BLOCK_MAX;

	strbuf_add(&w->http2->block, r->p, fits ? reader_left(r) : 0);
	if (!fits || flags & END_HEADERS)
		take_block(w, fits);
}

static void take_data(struct wire *w, u32 id, struct reader *r, bool last)
{
	struct wire_request *q = find(w->http2, id);
	bool was_cut;

	if (!q) { /* of before we listened, or of too many */
		struct wire_message m = { .kind = WIRE_RAW, .uncertain = true };

		m.text = (struct wire_slice) { (const char *)r->p, reader_left(r) };
		wire_tell(w, &m);
		return;
	}
	was_cut = q->cut;
	wire_request_body(q, r->p, reader_left(r));
	if (q->cut && !was_cut)
		wire_request_tell(w, q, true);
	if (last)
		end_request(w, q);
}

/* --- frames */

static void pass_padding(struct reader *r, u8 flags)
{
	u8 padding = flags & PADDED ? reader_u8(r) : 0;

	if (padding > reader_left(r))
		r->bad = true;
	else
		r->end -= padding;
}

static void take_headers(struct wire *w, u32 id, u8 flags, struct reader *r)
{
	struct wire_http2 *h = w->http2;

	if (flags & WITH_PRIORITY)
		reader_take(r, 5);
	h->id = id;
	h->lasts = flags & END_STREAM;
	strbuf_reset(&h->block);
	add_block(w, r, flags);
}

static void take(struct wire *w, const u8 *p, struct reader *r)
{
	u8 type = p[3], flags = p[4];
	u32 id = wire_be32(p + 5) & ID_MASK;
	struct wire_request *q;

	if (type == DATA || type == HEADERS)
		pass_padding(r, flags);
	if (type == DATA && !r->bad)
		take_data(w, id, r, flags & END_STREAM);
	else if (type == HEADERS && !r->bad)
		take_headers(w, id, flags, r);
	else if (type == CONTINUATION && w->http2->id)
		add_block(w, r, flags);
	else if (type == RST_STREAM && (q = find(w->http2, id)))
		wire_request_reset(q);
}

static bool begin(struct wire *w, const u8 *p, size_t len, size_t *ret_used)
{
	*ret_used = 0;
	if (!w->http2)
		w->http2 = calloc(1, sizeof(*w->http2));
	if (!w->http2) {
		wire_lose(w);
		return false;
	}
	if (w->http2->prefaced)
		return true;
	if (*p != 'P') { /* of before we listened */
		w->http2->prefaced = true;
		return true;
	}
	if (len < PREFACE) {
		wire_more(w, PREFACE);
		return false;
	}
	w->http2->prefaced = true;
	*ret_used = PREFACE;
	return false;
}

static size_t step(struct wire *w, const u8 *p, size_t len)
{
	struct reader r;
	size_t used, total;

	if (!begin(w, p, len, &used))
		return used;
	if (len < FRAME)
		return wire_more(w, FRAME);
	if (wire_be24(p) > FRAME_MAX)
		return wire_lose(w);
	total = FRAME + (size_t)wire_be24(p);
	if (p[3] != DATA && p[3] != HEADERS && p[3] != CONTINUATION && p[3] != RST_STREAM)
		return wire_pass(w, len, total);
	if (len < total && !w->cut)
		return wire_more(w, total);
	r = reader_of(p + FRAME, MIN(total, len) - FRAME);
	take(w, p, &r);
	return wire_pass(w, len, total);
}

static void flush(struct wire *w)
{
	for (u32 i = 0; w->http2 && i < WIRE_STREAMS_MAX; i++) {
		struct wire_request *r = &w->http2->requests[i];

		if (r->open && !r->told && r->id != w->http2->id)
			wire_request_tell(w, r, false);
	}
}

void wire_http2_free(struct wire_http2 *h)
{
	if (!h)
		return;
	for (u32 i = 0; i < WIRE_STREAMS_MAX; i++)
		wire_request_free(&h->requests[i]);
	strbuf_free(&h->block);
	hpack_free(&h->hpack);
	free(h);
}

struct wire_http2 *wire_http2_clone(const struct wire_http2 *from)
{
	struct wire_http2 *to = malloc(sizeof(*to));
	int r;

	if (!to)
		return NULL;
	*to = *from;
	r = wire_strbuf_clone(&to->block, &from->block);
	r |= hpack_clone(&to->hpack, &from->hpack);
	for (u32 i = 0; i < WIRE_STREAMS_MAX; i++)
		r |= wire_request_clone(&to->requests[i], &from->requests[i]);
	if (!r)
		return to;
	wire_http2_free(to);
	return NULL;
}

static const u16 ports[] = { 50051, 2379, 0 };

const struct wire_parser wire_http2_parser = { probe, step, flush, ports };
