#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire_sample.h"

static void add(struct strbuf *out, char type, const char *body, size_t len)
{
	unsigned char size[4] = { 0, (len + 4) >> 16 & 255, (len + 4) >> 8 & 255, (len + 4) & 255 };

	if (type)
		strbuf_addc(out, type);
	strbuf_add(out, size, sizeof(size));
	strbuf_add(out, body, len);
}

/* A statement s1, bound to the portal without a name, which is executed. */
static void add_parse(struct strbuf *out, const char *text)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;

	strbuf_add(&body, BYTES("s1\0"));
	strbuf_add(&body, text, strlen(text) + 1);
	strbuf_add(&body, "\0", 2);
	add(out, 'P', body.data, body.len);
}

static void add_run(struct strbuf *out)
{
	add(out, 'B', BYTES("\0s1\0\0\0\0\0\0\0"));
	add(out, 'E', BYTES("\0\0\0\0\0"));
	add(out, 'S', "", 0);
}

static void add_query(struct strbuf *out, const char *text)
{
	add(out, 'Q', text, strlen(text) + 1);
}

static void add_startup(struct strbuf *out)
{
	add(out, 0, BYTES("\0\3\0\0user\0ann\0database\0shop\0"));
}

static void next(struct wire *w, struct strbuf *bytes, const char *expected)
{
	wire_next(w, bytes->data, bytes->len, expected);
	strbuf_reset(bytes);
}

static struct wire *begin(struct strbuf *bytes)
{
	struct wire *w = wire_new(0, true);

	add_startup(bytes);
	next(w, bytes, "");
	return w;
}

static void queries(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	add(&b, 0, BYTES("\x04\xd2\x16\x2f")); /* TLS is asked for, and refused */
	add_startup(&b);
	add(&b, 'p', BYTES("secret\0"));
	add_query(&b, "select 1");
	add_query(&b, "drop table a");
	add(&b, 'X', "", 0);
	wire_expect(0, b.data, b.len, "sql select 1\nsql drop table a\n");
}

static void who_logs_in(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = begin(&b);

	assert_int_equal(wire_protocol(w), WIRE_POSTGRES);
	assert_string_equal(wire_user(w), "ann");
	assert_string_equal(wire_database(w), "shop");
	assert_false(wire_waits(w));
}

static void statements_run_later(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = begin(&b);

	add_parse(&b, "drop table a");
	next(w, &b, "sql prepared drop table a\n");
	assert_true(wire_waits(w));
	add_run(&b);
	next(w, &b, "sql drop table a\n");
	add_run(&b);
	add(&b, 'E', BYTES("\0\0\0\0\0"));
	next(w, &b, "sql drop table a\nsql drop table a\n");
	/* another statement takes its name, then its portal */
	add_parse(&b, "select 1");
	add(&b, 'E', BYTES("\0\0\0\0\0"));
	next(w, &b, "sql prepared select 1\nsql drop table a\n");
	add_run(&b);
	next(w, &b, "");
	/* but the server has refused the name */
	add_run(&b);
	next(w, &b, "sql uncertain drop table a\n");
}

/* A server skips all behind an error: of another statement, or a close. */
static void what_may_have_been_skipped(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = begin(&b);

	add_parse(&b, "drop table a");
	add(&b, 'S', "", 0);
	next(w, &b, "sql prepared drop table a\n");
	add(&b, 'P', BYTES("e\0no\0\0"));
	add(&b, 'C', BYTES("Ss1\0"));
	add(&b, 'S', "", 0);
	next(w, &b, "sql prepared no\n");
	add_run(&b);
	next(w, &b, "sql uncertain drop table a\n");
	add(&b, 'C', BYTES("Ss1\0"));
	add_run(&b);
	next(w, &b, "");
	assert_false(wire_waits(w));
}

static void the_statement_without_a_name(void **state _unused_)
{
	static const char run[] = "\0\0\0\0\0\0\0\0";
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = begin(&b);

	/* one after the other before a Sync: each runs what came last */
	add(&b, 'P', BYTES("\0drop\0\0"));
	add(&b, 'B', BYTES(run));
	add(&b, 'E', BYTES("\0\0\0\0\0"));
	add(&b, 'P', BYTES("\0select\0\0"));
	add(&b, 'B', BYTES(run));
	add(&b, 'E', BYTES("\0\0\0\0\0"));
	add(&b, 'S', "", 0);
	next(w, &b, "sql prepared drop\nsql drop\nsql prepared select\n");
	/* perhaps the second was skipped */
	add(&b, 'B', BYTES(run));
	add(&b, 'E', BYTES("\0\0\0\0\0"));
	add(&b, 'S', "", 0);
	next(w, &b, "sql uncertain drop\n");
	/* none can be skipped here */
	add(&b, 'P', BYTES("\0select\0\0"));
	add(&b, 'S', "", 0);
	add(&b, 'B', BYTES(run));
	add(&b, 'E', BYTES("\0\0\0\0\0"));
	next(w, &b, "sql prepared select\n");
}

static void what_is_closed_is_forgotten(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = begin(&b);

	add_parse(&b, "drop table a");
	add_run(&b);
	add(&b, 'C', BYTES("Ss1\0"));
	add(&b, 'E', BYTES("\0\0\0\0\0"));
	add(&b, 'C', BYTES("P\0"));
	add_run(&b);
	next(w, &b, "sql prepared drop table a\nsql drop table a\nsql drop table a\n");
	assert_false(wire_waits(w));
}

static void statements_in_pieces(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	add_startup(&b);
	add_parse(&b, "drop table a");
	add_run(&b);
	add_query(&b, "select 2");
	wire_expect(0, b.data, b.len,
		    "sql prepared drop table a\nsql drop table a\nsql select 2\n");
}

static void names_are_cut_as_servers_cut_them(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = begin(&b);
	char parse[71 + 5 + 2] = "", bind[1 + 65 + 6] = "";

	memset(parse, 'n', 70);
	memcpy(parse + 71, "drop", 5);
	memset(bind + 1, 'n', 64);
	add(&b, 'P', parse, sizeof(parse));
	add(&b, 'B', bind, sizeof(bind));
	add(&b, 'E', BYTES("\0\0\0\0\0"));
	next(w, &b, "sql prepared drop\nsql drop\n");
}

static void the_name_behind_a_long_name(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	char bind[1000] = "", execute[998 + 4] = "";

	memset(bind, 'p', 990);
	memcpy(bind + 991, "s1", 3);
	memset(execute, 'p', 990);
	add_startup(&b);
	add_parse(&b, "drop table a");
	add(&b, 'B', bind, sizeof(bind));
	add(&b, 'E', execute, sizeof(execute));
	wire_expect(0, b.data, b.len, "sql prepared drop table a\nsql drop table a\n");
}

static void copied_data_is_no_statement(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	add_startup(&b);
	add_query(&b, "copy a from stdin");
	add(&b, 'd', BYTES("drop table a\n"));
	add(&b, 'c', "", 0);
	wire_expect(0, b.data, b.len, "sql copy a from stdin\n");
}

static void function_calls(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	add_startup(&b);
	add(&b, 'F', BYTES("\0\0\x03\xc4\0\0\0\0\0\0"));
	add(&b, 'F', BYTES("\0\0\x03\xc5\0\0\0\0\0\0"));
	add(&b, 'F', BYTES("\0\0\x03\xba\0\0\0\0\0\0"));
	wire_expect(0, b.data, b.len, "sql DROP LARGE OBJECT\nsql uncertain\n");
}

static void listening_from_the_middle(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(5432, false);

	wire_next(w, BYTES("ble x; drop table"), "raw uncertain ble x; drop table\n");
	add_run(&b);
	next(w, &b, "");
	assert_int_equal(wire_protocol(w), WIRE_POSTGRES);
	add_query(&b, "drop table a");
	next(w, &b, "sql drop table a\n");
}

static void statements_nobody_knows(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(5432, false);

	wire_doubt(w);
	add_run(&b);
	next(w, &b, "sql uncertain\n");
	add_parse(&b, "select 1");
	add_run(&b);
	next(w, &b, "sql prepared select 1\n");
}

static void more_statements_than_are_remembered(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = begin(&b);
	char parse[] = "n\0drop\0\0", bind[] = "\0N\0\0\0\0\0\0";
	struct heard h = { 0 };

	for (int i = 0; i < 40; i++) {
		parse[0] = (char)('!' + i);
		add(&b, 'P', parse, sizeof(parse));
	}
	wire_hear(w, b.data, b.len, b.len, b.len, &h);
	strbuf_free(&h.text);
	strbuf_reset(&b);
	bind[1] = '!' + 39;
	add(&b, 'B', bind, sizeof(bind));
	add(&b, 'E', BYTES("\0\0\0\0\0"));
	next(w, &b, "sql uncertain\n");
}

static void a_long_statement_is_cut(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = begin(&b);
	size_t len = 3 << 20;
	char *text = calloc(1, len);
	struct heard h = { 0 };

	memset(text, ' ', len - 1);
	memcpy(text, "drop table a", 12);
	add(&b, 'Q', text, len);
	free(text);
	wire_hear(w, b.data, b.len, 60000, 60000, &h);
	assert_in_range(h.text.len, 1 << 20, 1200000);
	assert_memory_equal(h.text.data, "sql uncertain drop table a", 26);
	strbuf_free(&h.text);
	strbuf_reset(&b);
	add_query(&b, "drop table b");
	next(w, &b, "sql drop table b\n");
}

static void what_was_lost(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = begin(&b);

	/* inside of a message that says nothing, nothing is lost */
	add(&b, 'd', BYTES("0123456789"));
	b.len -= 8;
	next(w, &b, "");
	wire_lost(w, 8);
	add_query(&b, "drop table a");
	next(w, &b, "sql drop table a\n");
	wire_lost(w, 100);
	wire_next(w, BYTES("drop"), "raw uncertain drop\n");
	add_query(&b, "drop table b");
	next(w, &b, "sql drop table b\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queries),
		cmocka_unit_test(who_logs_in),
		cmocka_unit_test(statements_run_later),
		cmocka_unit_test(what_may_have_been_skipped),
		cmocka_unit_test(the_statement_without_a_name),
		cmocka_unit_test(what_is_closed_is_forgotten),
		cmocka_unit_test(statements_in_pieces),
		cmocka_unit_test(names_are_cut_as_servers_cut_them),
		cmocka_unit_test(the_name_behind_a_long_name),
		cmocka_unit_test(copied_data_is_no_statement),
		cmocka_unit_test(function_calls),
		cmocka_unit_test(listening_from_the_middle),
		cmocka_unit_test(statements_nobody_knows),
		cmocka_unit_test(more_statements_than_are_remembered),
		cmocka_unit_test(a_long_statement_is_cut),
		cmocka_unit_test(what_was_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
