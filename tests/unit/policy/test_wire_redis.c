#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire_sample.h"

static void commands(void **state _unused_)
{
	wire_expect(0,
		    BYTES("*1\r\n$8\r\nFLUSHALL\r\n*3\r\n$3\r\nset\r\n$1\r\nk\r\n$8\r\nFLUSHALL\r\n"
			  "*0\r\n*2\r\n$6\r\nSCRIPT\r\n$5\r\nFLUSH\r\n"),
		    "command FLUSHALL\ncommand set k FLUSHALL\ncommand SCRIPT FLUSH\n");
	wire_expect(0, BYTES("PING\r\nFLUSHALL\0x\r\n"), "command PING\ncommand FLUSHALL\n");
	wire_expect(0, BYTES("*2\r\n$3\r\nGET\r\n$0\r\n\r\n*1\r\n$4\r\nEXEC\r\n"),
		    "command GET \ncommand EXEC\n");
}

static void lines(void **state _unused_)
{
	wire_expect(0, BYTES("PING\r\nflushall async\nset k \"a \\x41\\n\" 'it\\'s'\r\n"),
		    "command PING\ncommand flushall async\ncommand set k a A\n it's\n");
	/* the same word begins a request */
	wire_expect(6379, BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "request GET a /\n");
	wire_expect(0, BYTES("GET /\r\n*1\r\n$8\r\nFLUSHALL\r\n"),
		    "command GET /\ncommand FLUSHALL\n");
}

static void passwords(void **state _unused_)
{
	wire_expect(0, BYTES("*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n*1\r\n$4\r\nPING\r\n"),
		    "command AUTH\ncommand PING\n");
	wire_expect(0, BYTES("auth secret\r\nHELLO 3 AUTH a secret\r\n"),
		    "command auth\ncommand HELLO\n");
	wire_expect(0,
		    BYTES("config set appendonly no requirepass secret\r\n"
			  "SENTINEL SET m auth-pass secret\r\n"
			  "CONFIG SET dir /a\r\n"
			  "ACL SETUSER ann on >secret ~* #0123 +@all\r\n"),
		    "command config set appendonly no requirepass ***\n"
		    "command SENTINEL SET m auth-pass ***\n"
		    "command CONFIG SET dir /a\n"
		    "command ACL SETUSER ann on *** ~* *** +@all\n");
}

/* As a server takes it, line by line; on its port what looks like another protocol may be this. */
static void what_is_before_a_command(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(6379, true), *v = wire_new(6379, true);

	wire_expect(0, BYTES("\r\n \"FLUSHALL\"\r\n"), "command FLUSHALL\n");
	wire_next(w, BYTES("no command\r\n"), "raw uncertain no command\r\n\n");
	wire_next(v, BYTES("GET / HTTP/1.1\r\n\r\n"),
		  "request GET /\nraw uncertain GET / HTTP/1.1\r\n\r\n\n");
	wire_next(v, BYTES("FLUSHALL\r\n"), "raw uncertain GET / HTTP/1.1\r\n\r\nFLUSHALL\r\n\n");
}

/* … which it takes on any port, and behind what looks like a request. */
static void what_is_before_it_elsewhere(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(7777, true), *v = wire_new(6379, true);

	wire_next(w, BYTES("foo\r\nFLUSHALL\r\nx FLUSHALL\r\nflush"),
		  "raw foo\r\nFLUSHALL\r\nx FLUSHALL\r\nflush\nraw uncertain FLUSHALL\r\n\n");
	wire_next(w, BYTES("all async\r\n"),
		  "raw foo\r\nFLUSHALL\r\nx FLUSHALL\r\nflushall async\r\n\n"
		  "raw uncertain flushall async\r\n\n");
	wire_next(v, BYTES("PUT / HTTP/1.1\r\nFLUSHALL\r\n\r\n"),
		  "request PUT /\nraw uncertain PUT / HTTP/1.1\r\nFLUSHALL\r\n\r\n\n");
}

static void long_commands(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);
	struct heard h = { 0 };

	strbuf_adds(&b, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$200000\r\n");
	for (int i = 0; i < 200000; i++)
		strbuf_addc(&b, 'x');
	strbuf_adds(&b, "\r\n*100\r\n$3\r\nDEL\r\n");
	for (int i = 0; i < 99; i++)
		strbuf_adds(&b, "$1\r\nk\r\n");
	strbuf_adds(&b, "*1\r\n$7\r\nFLUSHDB\r\n");
	wire_hear(w, b.data, b.len, 1000, 5000, &h);
	assert_in_range(h.text.len, 65536, 66000);
	assert_memory_equal(h.text.data, "command uncertain SET k xxx", 27);
	assert_non_null(strstr(h.text.data, "\ncommand uncertain DEL k k"));
	assert_non_null(strstr(h.text.data, "\ncommand FLUSHDB\n"));
	strbuf_free(&h.text);
}

static void listening_from_the_middle(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, false);

	wire_next(w, BYTES("SHALL\r\n"), "raw uncertain SHALL\r\n\n");
	wire_next(w, BYTES("*1\r\n$8\r\nFLUSHALL\r\n"), "command FLUSHALL\n");
	wire_lost(w, 3);
	wire_next(w, BYTES("*1\r\n$7\r\nFLUSHDB\r\n"), "command FLUSHDB\n");
}

static void what_is_no_command(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);

	wire_next(w, BYTES("*1\r\n$4\r\nPING\r\n"), "command PING\n");
	wire_next(w, BYTES("*1\r\nFLUSHALL\r\n"), "raw uncertain FLUSHALL\r\n\n");
	wire_next(w, BYTES("*2000000\r\n"), "raw uncertain FLUSHALL\r\n*2000000\r\n\n");
}

/* A server takes two bytes for the end of a number's line, of which it looks at the first. */
static void half_an_end_of_line(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);

	wire_next(w, BYTES("*1\r\n$4\r\nPING\r\n"), "command PING\n");
	wire_next(w, BYTES("*1\r\n$8\rxFLUSHALL\r\n*1\r\n$4\r\nPING\r\n"),
		  "raw uncertain $8\rxFLUSHALL\r\n*1\r\n$4\r\nPING\r\n\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands),
		cmocka_unit_test(lines),
		cmocka_unit_test(passwords),
		cmocka_unit_test(what_is_before_a_command),
		cmocka_unit_test(what_is_before_it_elsewhere),
		cmocka_unit_test(long_commands),
		cmocka_unit_test(listening_from_the_middle),
		cmocka_unit_test(what_is_no_command),
		cmocka_unit_test(half_an_end_of_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
