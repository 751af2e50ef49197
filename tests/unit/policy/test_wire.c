#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire_sample.h"

static void protocols_have_names(void **state _unused_)
{
	for (int i = 0; i < WIRE_PROTOCOLS; i++)
		assert_non_null(wire_protocol_name((enum wire_protocol)i));
	assert_string_equal(wire_protocol_name(WIRE_POSTGRES), "postgres");
}

/* By its first bytes, on any port. */
static void first_bytes(void **state _unused_)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum wire_protocol protocol;
	} cases[] = {
		{ BYTES("\0\0\0\x10\0\3\0\0user\0a\0\0"), WIRE_POSTGRES },
		{ BYTES("*1\r\n$4\r\nPING\r\n"), WIRE_REDIS },
		{ BYTES("GET / HTTP/1.1\r\n"), WIRE_HTTP },
		{ BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), WIRE_HTTP2 },
		{ BYTES("\x16\3\1\2\0\1\0\1\xfc"), WIRE_TLS },
		{ BYTES("\5\1\0\5"), WIRE_SOCKS },
		{ BYTES("\x16\0\0\0\1\0\0\0\0\0\0\0\xdd\7\0\0\0\0\0\0"), WIRE_MONGO },
		{ BYTES("EHLO a.test\r\n"), WIRE_UNKNOWN },
		{ BYTES("PRI * HTTP"), WIRE_UNDECIDED },
		{ BYTES("\0\0"), WIRE_UNDECIDED },
	};
	static const u16 ports[] = { 0, 3306, 5432, 6379, 80 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t k = 0; k < ARRAY_SIZE(ports); k++) {
			_cleanup_(wire_free_ptr) struct wire *w = wire_new(ports[k], true);
			struct heard h = { 0 };

			wire_hear(w, cases[i].bytes, cases[i].len, cases[i].len, 1, &h);
			assert_int_equal(wire_protocol(w), cases[i].protocol);
			strbuf_free(&h.text);
		}
}

/* Its first bytes are a TLS record's as well: however few come at once, all are waited for. */
static void what_two_protocols_begin_with(void **state _unused_)
{
	static const char head[] = "\x16\3\0\0\0\1\0\0\0\0\0\0\xdd\7\0\0\0\0\0\0\0"
				   "\1\3\0\0\2drop\0\6\0\0\0users";
	char message[0x316] = "";

	memcpy(message, head, sizeof(head));
	wire_expect(0, message, sizeof(message), "document drop users\n");
}

static void unknown_protocols(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);

	wire_next(w, BYTES("EHLO a.test\r\n"), "raw EHLO a.test\r\n\n");
	assert_false(wire_waits(w));
	/* what is split over two writes is seen in the second */
	wire_next(w, BYTES("erase vol"), "raw EHLO a.test\r\nerase vol\n");
	wire_next(w, BYTES("ume 7\n"), "raw EHLO a.test\r\nerase volume 7\n\n");
}

static void what_may_become_another_is_told(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);

	wire_next(w, BYTES("ERASE vol"), "raw ERASE vol\n");
	assert_int_equal(wire_protocol(w), WIRE_UNDECIDED);
	wire_next(w, BYTES("ume 7\n"), "raw ERASE volume 7\n\n");
	assert_int_equal(wire_protocol(w), WIRE_UNKNOWN);
}

static void tails_are_short(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);
	struct heard h = { .raw = true };
	char text[1000];

	memset(text, '-', sizeof(text));
	wire_hear(w, text, sizeof(text), sizeof(text), 1, &h);
	strbuf_reset(&h.text);
	wire_hear(w, "x", 1, 1, 1, &h);
	assert_int_equal(h.text.len, strlen("raw \n") + 256 + 1);
	strbuf_reset(&h.text);
	wire_hear(w, "yz", 2, 2, 1, &h);
	assert_int_equal(h.text.len, strlen("raw \n") + 256 + 2);
	assert_string_equal(h.text.data + h.text.len - 5, "-xyz\n");
	strbuf_free(&h.text);
}

static void what_is_lost_before_anything_came(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);

	wire_lost(w, ~0ULL);
	wire_next(w, BYTES("*1\r\n$4\r\nEXEC\r\n"), "command EXEC\n");
	wire_next(w, BYTES("*1\r\n$4\r\nEX"), "");
	assert_true(wire_waits(w));
	wire_lost(w, 2);
	assert_false(wire_waits(w));
	wire_next(w, BYTES("EC\r\n"), "raw uncertain EC\r\n\n");
}

#define QUERY                                                                                      \
	"Q\0\0\0\x0e"                                                                              \
	"drop user\0"

/* Whoever inherits a connection goes on with it. */
static void what_may_be_of_the_middle(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true), *sure = wire_new(0, true),
					     *begins = wire_new(0, true);

	wire_doubt_begin(w);
	wire_doubt_begin(begins);
	wire_next(w, BYTES(QUERY), "sql drop user\n");
	assert_int_equal(wire_protocol(w), WIRE_POSTGRES);
	wire_next(sure, BYTES(QUERY), "raw Q"); /* and more, behind a zero */
	assert_int_equal(wire_protocol(sure), WIRE_UNKNOWN);
	wire_next(begins, BYTES("*1\r\n$4\r\nEXEC\r\n"), "command EXEC\n");
}

static bool keep_protocol(const struct wire_message *m, void *data)
{
	*(enum wire_protocol *)data = m->protocol;
	return false;
}

/* What cannot be understood is of the protocol before, or of that of the port. */
static void what_may_be_of_a_protocol(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(3306, false), *lost = wire_new(0, true);
	enum wire_protocol p = WIRE_UNDECIDED;

	wire_feed(w, BYTES("x; drop"), keep_protocol, &p);
	assert_int_equal(p, WIRE_MYSQL);
	wire_feed(lost, BYTES("GET / HTTP/1.1\r\n\r\n"), keep_protocol, &p);
	wire_feed(lost, BYTES("\x81\5drop\n\n"), keep_protocol, &p);
	assert_int_equal(p, WIRE_HTTP);
	wire_lost(lost, 100);
	wire_feed(lost, BYTES("drop"), keep_protocol, &p);
	assert_int_equal(p, WIRE_HTTP);
}

/* Of either, where what was spoken is not what its port says. */
static void what_may_be_of_two(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(6379, true);
	enum wire_protocol p = WIRE_UNDECIDED;

	wire_feed(w, BYTES("GET / HTTP/1.1\r\n\r\n"), keep_protocol, &p);
	assert_int_equal(p, WIRE_REDIS); /* the request, and then its text */
	wire_feed(w, BYTES("FLUSHALL\r\n"), keep_protocol, &p);
	assert_int_equal(p, WIRE_UNKNOWN);
}

static void a_clone_goes_its_own_way(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true), *c = NULL;

	wire_next(w, BYTES("*2\r\n$3\r\nDEL\r\n$1\r"), "");
	c = wire_clone(w);
	wire_next(w, BYTES("\na\r\n"), "command DEL a\n");
	wire_next(c, BYTES("\nb\r\n"), "command DEL b\n");
	wire_next(w, BYTES("POST"), "");
	wire_next(c, BYTES("*1\r\n$4\r\nEXEC\r\n"), "command EXEC\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(protocols_have_names),
		cmocka_unit_test(first_bytes),
		cmocka_unit_test(what_two_protocols_begin_with),
		cmocka_unit_test(unknown_protocols),
		cmocka_unit_test(what_may_become_another_is_told),
		cmocka_unit_test(tails_are_short),
		cmocka_unit_test(what_is_lost_before_anything_came),
		cmocka_unit_test(what_may_be_of_the_middle),
		cmocka_unit_test(what_may_be_of_a_protocol),
		cmocka_unit_test(what_may_be_of_two),
		cmocka_unit_test(a_clone_goes_its_own_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
