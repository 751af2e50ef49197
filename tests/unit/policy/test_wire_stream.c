#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire_sample.h"

#define COMMAND "*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n"
#define LEN	(sizeof(COMMAND) - 1)

static void write_at(struct wire_stream *s, u64 position, const char *data, size_t len,
		     const char *expected)
{
	struct heard h = { .raw = true };

	assert_int_equal(wire_stream_write(s, position, data, len, hear, &h), 0);
	assert_string_equal(strbuf_str(&h.text), expected);
	strbuf_free(&h.text);
}

static void writes_in_order(void **state _unused_)
{
	_cleanup_(wire_stream_free_ptr) struct wire_stream *s = wire_stream_new(0, true, 100);

	write_at(s, 100, BYTES(COMMAND), "command DEL k\n");
	write_at(s, 100 + LEN, COMMAND, 5, "");
	write_at(s, 105 + LEN, COMMAND + 5, LEN - 5, "command DEL k\n");
	assert_int_equal(wire_protocol(wire_stream_wire(s)), WIRE_REDIS);
}

/* Refused: none of it left. */
static void writes_that_come_again(void **state _unused_)
{
	_cleanup_(wire_stream_free_ptr) struct wire_stream *s = wire_stream_new(0, true, 0);

	write_at(s, 0, BYTES(COMMAND), "command DEL k\n");
	write_at(s, LEN, COMMAND, 10, "");
	write_at(s, LEN, COMMAND, 10, "");
	write_at(s, LEN + 10, COMMAND + 10, LEN - 10, "command DEL k\n");
	write_at(s, LEN + 10, COMMAND + 10, LEN - 10, "command DEL k\n");
}

/* Less of it left than was given: at every place. */
static void writes_cut_short(void **state _unused_)
{
	for (size_t n = 1; n < LEN; n++) {
		_cleanup_(wire_stream_free_ptr) struct wire_stream *s = wire_stream_new(0, true, 0);

		write_at(s, 0, BYTES(COMMAND), "command DEL k\n");
		write_at(s, LEN, BYTES(COMMAND COMMAND), "command DEL k\ncommand DEL k\n");
		write_at(s, LEN + n, COMMAND COMMAND + n, 2 * LEN - n,
			 "command DEL k\ncommand DEL k\n");
	}
}

static void writes_that_nobody_saw(void **state _unused_)
{
	_cleanup_(wire_stream_free_ptr) struct wire_stream *s = wire_stream_new(0, true, 0);

	write_at(s, 0, BYTES(COMMAND), "command DEL k\n");
	write_at(s, 5000, BYTES("xyz"), "raw uncertain xyz\n");
	write_at(s, 5003, BYTES(COMMAND), "command DEL k\n");
	/* further back than is remembered */
	write_at(s, 3, BYTES("xyz"), "raw uncertain xyz\n");
}

/* The rest of a value is nothing that matters, and what is behind may be anything. */
static void the_rest_of_a_write(void **state _unused_)
{
	static const char set[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2000000\r\n";
	_cleanup_(wire_stream_free_ptr) struct wire_stream *s = wire_stream_new(0, true, 0);
	static char value[1500000];
	const u64 end = sizeof(set) - 1 + 2000002;

	write_at(s, 0, BYTES(COMMAND), "command DEL k\n");
	write_at(s, LEN, set, sizeof(set) - 1, "");
	write_at(s, LEN + sizeof(set) - 1, value, sizeof(value), "command uncertain SET k ");
	assert_false(wire_stream_lost(s, 2000002 - sizeof(value) - 10));
	assert_int_equal(wire_stream_position(s), LEN + end - 10);
	assert_true(wire_stream_lost(s, 11));
	assert_int_equal(wire_stream_position(s), LEN + end + 1);
	assert_int_equal(wire_protocol(wire_stream_wire(s)), WIRE_UNKNOWN);
	assert_int_equal(wire_likely(wire_stream_wire(s)), WIRE_REDIS);
	/* it comes again from its middle: so far back nothing is kept */
	write_at(s, LEN + end - 5, BYTES("FLUSHALL\r\n"), "raw uncertain FLUSHALL\r\n\n");
}

/* A refused statement is no statement that was prepared. */
static void refused_statements(void **state _unused_)
{
	static const char startup[] = "\0\0\0\x10\0\3\0\0user\0a\0",
			  parse[] = "P\0\0\0\x0d"
				    "s\0drop\0\0",
			  run[] = "B\0\0\0\x0d\0s\0\0\0\0\0\0\0"
				  "E\0\0\0\x09\0\0\0\0\0";
	_cleanup_(wire_stream_free_ptr) struct wire_stream *s = wire_stream_new(0, true, 0);

	write_at(s, 0, startup, 16, "");
	write_at(s, 16, parse, 14, "sql prepared drop\n");
	write_at(s, 16, run, 24, "");
	write_at(s, 16, parse, 14, "sql prepared drop\n");
	write_at(s, 30, run, 24, "sql drop\n");
	/* the second half again */
	write_at(s, 30 + 14, run + 14, 10, "sql drop\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_in_order),    cmocka_unit_test(writes_that_come_again),
		cmocka_unit_test(writes_cut_short),   cmocka_unit_test(writes_that_nobody_saw),
		cmocka_unit_test(refused_statements), cmocka_unit_test(the_rest_of_a_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
