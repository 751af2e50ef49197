/* What a wire tells of bytes, as text: a line a message. */
#ifndef TESTS_POLICY_WIRE_SAMPLE_H
#define TESTS_POLICY_WIRE_SAMPLE_H

#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "policy/wire.h"

#define BYTES(text) text, sizeof(text) - 1

struct heard {
	struct strbuf text;
	bool raw; /* raw text is told too */
};

static inline void heard_slice(struct strbuf *out, struct wire_slice s)
{
	if (s.s) {
		strbuf_addc(out, ' ');
		strbuf_add(out, s.s, s.len);
	}
}

static inline void heard_request(struct strbuf *out, const struct wire_message *m)
{
	heard_slice(out, m->method);
	if (m->override.s) {
		strbuf_adds(out, " as");
		heard_slice(out, m->override);
	}
	heard_slice(out, m->host);
	heard_slice(out, m->path);
	if (m->query.s) {
		strbuf_adds(out, " ?");
		heard_slice(out, m->query);
	}
	heard_slice(out, m->type);
	if (m->text.len) {
		strbuf_adds(out, " :");
		heard_slice(out, m->text);
	}
	if (m->packed)
		strbuf_adds(out, " packed");
}

/* Statements with "drop" in them matter. */
static inline bool hear(const struct wire_message *m, void *data)
{
	static const char *const kinds[] = {
		[WIRE_SQL] = "sql",	      [WIRE_COMMAND] = "command",
		[WIRE_DOCUMENT] = "document", [WIRE_REQUEST] = "request",
		[WIRE_NAME] = "name",	      [WIRE_RAW] = "raw",
		[WIRE_BLIND] = "blind",
	};
	struct heard *h = data;

	if ((m->kind == WIRE_RAW && !h->raw) || m->partial)
		return false;
	strbuf_addf(&h->text, "%s%s%s", kinds[m->kind], m->prepared ? " prepared" : "",
		    m->uncertain ? " uncertain" : "");
	if (m->kind == WIRE_REQUEST) {
		heard_request(&h->text, m);
	} else {
		heard_slice(&h->text, m->database);
		heard_slice(&h->text, m->method);
		heard_slice(&h->text, m->target);
		heard_slice(&h->text, m->text);
		heard_slice(&h->text, m->type);
		for (u32 i = 0; i < m->words_count; i++)
			heard_slice(&h->text, m->words[i]);
		strbuf_adds(&h->text, m->everything ? " everything" : "");
	}
	strbuf_addc(&h->text, '\n');
	return m->text.s && memmem(m->text.s, m->text.len, "drop", 4);
}

/* What is told of `data`, written in pieces of `first` bytes and then of `more`. */
static inline void wire_hear(struct wire *w, const char *data, size_t len, size_t first,
			     size_t more, struct heard *h)
{
	for (size_t at = 0, n = first; at < len; at += n, n = more) {
		_cleanup_free_ char *piece = NULL;

		n = MIN(n, len - at);
		piece = malloc(n); /* what is behind it is out of bounds */
		assert_non_null(piece);
		memcpy(piece, data + at, n);
		assert_int_equal(wire_feed(w, piece, n, hear, h), 0);
	}
}

static inline void wire_expect_pieces(u16 port, const char *data, size_t len, size_t first,
				      size_t more, const char *expected)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(port, true);
	struct heard h = { 0 };

	assert_non_null(w);
	wire_hear(w, data, len, first, more, &h);
	if (strcmp(strbuf_str(&h.text), expected) != 0)
		print_error("in pieces of %zu and %zu:\n", first, more);
	assert_string_equal(strbuf_str(&h.text), expected);
	strbuf_free(&h.text);
}

/* However a connection's bytes are cut into writes, the same is told. */
static inline void wire_expect(u16 port, const char *data, size_t len, const char *expected)
{
	wire_expect_pieces(port, data, len, len, len, expected);
	wire_expect_pieces(port, data, len, 1, 1, expected);
	for (size_t i = 1; i < len; i++)
		wire_expect_pieces(port, data, len, i, len, expected);
}

/* One write, told from what was fed before. */
static inline void wire_next(struct wire *w, const char *data, size_t len, const char *expected)
{
	struct heard h = { .raw = true };

	wire_hear(w, data, len, len, len, &h);
	assert_string_equal(strbuf_str(&h.text), expected);
	strbuf_free(&h.text);
}

#endif
