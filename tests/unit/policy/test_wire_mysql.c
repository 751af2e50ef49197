#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire_sample.h"

#define PROTOCOL_41 0x200
#define DATABASE    8
#define ATTRIBUTES  (1U << 27)

static void add(struct strbuf *out, unsigned int sequence, const char *body, size_t len)
{
	unsigned char head[4] = { len & 255, len >> 8 & 255, len >> 16 & 255,
				  (unsigned char)sequence };

	strbuf_add(out, head, sizeof(head));
	strbuf_add(out, body, len);
}

/* What a client answers to the server's handshake. */
static void add_response(struct strbuf *out, unsigned int can)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	char fixed[32] = {
		(char)can, (char)(can >> 8), (char)(can >> 16), (char)(can >> 24), 0, 0, 0, 1, 45
	};

	strbuf_add(&body, fixed, sizeof(fixed));
	strbuf_add(&body, BYTES("ann\0\3abcshop\0"));
	add(out, 1, body.data, body.len);
}

static void next(struct wire *w, struct strbuf *bytes, const char *expected)
{
	wire_next(w, bytes->data, bytes->len, expected);
	strbuf_reset(bytes);
}

static struct wire *begin(struct strbuf *bytes, unsigned int can)
{
	struct wire *w = wire_new(0, true);

	add_response(bytes, can);
	next(w, bytes, "");
	return w;
}

static void queries(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	add_response(&b, PROTOCOL_41 | DATABASE);
	add(&b, 3, BYTES("drop: a password"));
	add(&b, 0, BYTES("\3select 1"));
	add(&b, 0, BYTES("\x0e"));
	add(&b, 0, BYTES("\3drop table a"));
	add(&b, 1, BYTES("drop: a file's data"));
	add(&b, 1, "", 0);
	add(&b, 0,
	    BYTES("\x16"
		  "drop table b"));
	add(&b, 0, BYTES("\x17\1\0\0\0\0\1\0\0\0"));
	add(&b, 0, BYTES("\6shop"));
	add(&b, 0, BYTES("\1"));
	wire_expect(0, b.data, b.len,
		    "sql select 1\nsql drop table a\nsql drop table b\nsql DROP DATABASE `shop`\n");
}

static void who_logs_in(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = begin(&b, PROTOCOL_41 | DATABASE);

	assert_int_equal(wire_protocol(w), WIRE_MYSQL);
	assert_string_equal(wire_user(w), "ann");
	assert_string_equal(wire_database(w), "shop");
	add(&b, 0, BYTES("\2other"));
	next(w, &b, "");
	assert_string_equal(wire_database(w), "other");
	add(&b, 0,
	    BYTES("\x11"
		  "bob\0\2abthird\0"));
	next(w, &b, "");
	assert_string_equal(wire_user(w), "bob");
	assert_string_equal(wire_database(w), "third");
}

static void attributes_of_queries(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	add_response(&b, PROTOCOL_41 | ATTRIBUTES);
	add(&b, 0, BYTES("\3\0\1drop table a"));
	wire_expect(0, b.data, b.len, "sql drop table a\n");
	strbuf_reset(&b);
	/* two, a string and a number; a server that knows none takes all of it for text */
	add_response(&b, PROTOCOL_41 | ATTRIBUTES);
	add(&b, 0, BYTES("\3\2\1\4\1\xfe\1\4name\3\1\1n\5value\7\1\1\1drop table b"));
	wire_expect(0, b.data, b.len,
		    "sql \2\1\4\1\xfe\1\4name\3\1\1n\5value\7\1\1\1drop table b\n"
		    "sql drop table b\n");
	strbuf_reset(&b);
	/* the first is NULL */
	add_response(&b, PROTOCOL_41 | ATTRIBUTES);
	add(&b, 0, BYTES("\3\2\1\5\1\xfe\1\4name\3\1\1n\7\1\1\1drop table c"));
	wire_expect(0, b.data, b.len,
		    "sql \2\1\5\1\xfe\1\4name\3\1\1n\7\1\1\1drop table c\nsql drop table c\n");
}

static void attributes_that_make_no_sense(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = begin(&b, PROTOCOL_41 | ATTRIBUTES);

	add(&b, 0, BYTES("\3\3drop table a"));
	next(w, &b, "sql uncertain \3drop table a\n");
}

static void tls_is_asked_for(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);
	const char request[32] = { 0, 0x0a, 0, 0, 0, 0, 0, 1, 45 };

	add(&b, 1, request, sizeof(request));
	next(w, &b, "");
	assert_int_equal(wire_protocol(w), WIRE_UNDECIDED);
	wire_next(w, BYTES("\x16\3\1\0\5\1\0\0\1x"), "name \nblind the connection is encrypted\n");
}

static void inside_of_tls(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	add_response(&b, PROTOCOL_41);
	b.data[3] = 2;
	add(&b, 0, BYTES("\3drop table a"));
	wire_expect(0, b.data, b.len, "sql drop table a\n");
}

static void compressed(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);

	add_response(&b, PROTOCOL_41 | 32);
	next(w, &b, "blind the MySQL connection is compressed\n");
	add(&b, 0, BYTES("\3drop table a"));
	next(w, &b, "sql drop table a\n"); /* the server did not agree */
	wire_next(w, BYTES("\x0b\0\0\0\0\0\0\7\0\0\0\3update"), "");
	wire_next(w, BYTES("\x20\0\0\0\x60\0\0\x78\x9c update"), "");
}

static void listening_from_the_middle(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, false);

	wire_next(w, BYTES("drop"), "raw uncertain drop\n");
	add(&b, 0, BYTES("\3drop table a"));
	next(w, &b, "sql drop table a\n");
	add(&b, 0, BYTES("\3\0\1drop table b"));
	next(w, &b, "sql drop table b\n");
}

static void many_packets(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = begin(&b, PROTOCOL_41);
	char *text = calloc(1, 0xffffff);
	struct heard h = { 0 };

	memset(text, ' ', 0xffffff);
	memcpy(text, "\3drop table a", 13);
	add(&b, 0, text, 0xffffff);
	add(&b, 1, BYTES("drop: what is left"));
	free(text);
	wire_hear(w, b.data, b.len, 60000, 60000, &h);
	assert_memory_equal(h.text.data, "sql uncertain drop table a", 26);
	assert_in_range(h.text.len, 1 << 20, 1200000);
	strbuf_free(&h.text);
	strbuf_reset(&b);
	add(&b, 0, BYTES("\3drop table b"));
	next(w, &b, "sql drop table b\n");
}

/* A message of another protocol, of a like frame, which begins as one. */
static void what_is_no_shutdown(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, false);

	wire_next(w, BYTES("\3\0\0\0\x08\1\2"), "");
	wire_next(w, BYTES("\1\0\0\0\x08"), "sql SHUTDOWN\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queries),
		cmocka_unit_test(who_logs_in),
		cmocka_unit_test(attributes_of_queries),
		cmocka_unit_test(attributes_that_make_no_sense),
		cmocka_unit_test(tls_is_asked_for),
		cmocka_unit_test(inside_of_tls),
		cmocka_unit_test(compressed),
		cmocka_unit_test(listening_from_the_middle),
		cmocka_unit_test(many_packets),
		cmocka_unit_test(what_is_no_shutdown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
