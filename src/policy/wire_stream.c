/* A wire whose writes may come twice: one that was refused, or of which less left than was given,
 * comes again in whole or in part. So what was before the last write is kept, and its bytes. */
#include <errno.h>
#include <string.h>

#include "base/strbuf.h"
#include "policy/wire.h"

struct wire_stream {
	struct wire *now, *before; /* before: NULL, it has not been fed yet */
	u64 position, last_position;
	struct strbuf last; /* what was fed since `before` */
};

struct wire_stream *wire_stream_new(u16 port, bool begun, u64 position)
{
	struct wire_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->position = position;
	s->now = wire_new(port, begun);
	if (s->now)
		return s;
	free(s);
	return NULL;
}

void wire_stream_free(struct wire_stream *s)
{
	if (!s)
		return;
	wire_free(s->now);
	wire_free(s->before);
	strbuf_free(&s->last);
	free(s);
}

static bool hush(const struct wire_message *m _unused_, void *data _unused_)
{
	return true;
}

/* What is remembered matters as it did when it was told first: the same messages are told anew. */
static int go_back(struct wire_stream *s, u64 position)
{
	size_t count = (size_t)(position - s->last_position);
	struct wire *again = wire_clone(s->before);
	int r = again ? 0 : -ENOMEM;

	if (!r && count)
		r = wire_feed(again, s->last.data, count, hush, NULL);
	if (r) {
		wire_free(again);
		return r;
	}
	wire_free(s->now);
	s->now = again;
	s->position = position;
	return 0;
}

static int move_to(struct wire_stream *s, u64 position)
{
	if (position == s->position)
		return 0;
	if (s->before && position >= s->last_position && position < s->position &&
	    position - s->last_position <= s->last.len)
		return go_back(s, position);
	wire_lost(s->now, position > s->position ? position - s->position : ~0ULL);
	s->position = position;
	return 0;
}

int wire_stream_write(struct wire_stream *s, u64 position, const void *data, size_t len, wire_fn fn,
		      void *arg)
{
	struct wire *before;
	int r = move_to(s, position);

	if (r)
		return r;
	before = wire_clone(s->now);
	if (!before)
		return -ENOMEM;
	wire_free(s->before);
	s->before = before;
	strbuf_reset(&s->last);
	strbuf_add(&s->last, data, len);
	if (strbuf_error(&s->last))
		return -ENOMEM;
	s->last_position = position;
	s->position = position + len;
	return wire_feed(s->now, data, len, fn, arg);
}

bool wire_stream_lost(struct wire_stream *s, u64 count)
{
	s->position += count;
	return wire_lost(s->now, count);
}

bool wire_stream_begins_again(const struct wire_stream *s, u64 position, const void *data,
			      size_t len)
{
	return s->before && !s->last_position && position == s->position && s->last.len == len &&
	       !memcmp(s->last.data, data, len);
}

struct wire *wire_stream_wire(struct wire_stream *s)
{
	return s->now;
}

u64 wire_stream_position(const struct wire_stream *s)
{
	return s->position;
}
