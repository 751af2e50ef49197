#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire_sample.h"

static void requests(void **state _unused_)
{
	wire_expect(
		0,
		BYTES("DELETE /v1/volumes/7?force=1 HTTP/1.1\r\nHost: api.example.com:8443\r\n\r\n"
		      "GET / HTTP/1.0\n\n"),
		"request DELETE api.example.com /v1/volumes/7 ? force=1\nrequest GET /\n");
	wire_expect(0, BYTES("DELETE http://api.example.com/v1/x HTTP/1.1\r\nHost: other\r\n\r\n"),
		    "request DELETE api.example.com /v1/x\n");
	wire_expect(0, BYTES("\r\nGET http://a HTTP/1.1\r\nhost: [fd00::1]\r\n\r\n"),
		    "request GET a /\n");
	wire_expect(0, BYTES("GET /x HTTP/1.1\r\nhost: [fd00::1]\r\n\r\n"),
		    "request GET [fd00::1] /x\n");
}

static void bodies(void **state _unused_)
{
	wire_expect(0,
		    BYTES("POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\n"
			  "Content-Length: 7\r\n\r\n{\"a\":1}DELETE /x HTTP/1.1\r\n\r\n"),
		    "request POST /graphql application/json : {\"a\":1}\nrequest DELETE /x\n");
	wire_expect(0,
		    BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
			  "4;x=y\r\nvolu\r\nA\r\nmeDelete 1\r\n0\r\nT: 1\r\n\r\n"
			  "GET / HTTP/1.1\r\n\r\n"),
		    "request POST / : volumeDelete 1\nrequest GET /\n");
	wire_expect(
		0, BYTES("PUT / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxy"),
		"request PUT / : xy packed\n");
	wire_expect(0, BYTES("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"), "request GET /\n");
}

/* Which of two lengths a server follows nobody knows: all behind the head may be requests. */
static void bodies_of_two_lengths(void **state _unused_)
{
	static const char *const heads[] = {
		"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
		"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
		"Content-Length: 4\r\nTransfer-Encoding: xchunked\r\n",
		"Content-Length: 4\r\nContent-Length: 40\r\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);
		_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

		strbuf_addf(&b, "POST / HTTP/1.1\r\n%s\r\n19\r\nDELETE /x HTTP/1.1\r\n\r\n",
			    heads[i]);
		wire_next(w, b.data, b.len,
			  "request uncertain POST /\n"
			  "raw uncertain 19\r\nDELETE /x HTTP/1.1\r\n\r\n\n");
		wire_next(w, BYTES("GET / HTTP/1.1\r\n\r\n"),
			  "raw uncertain 19\r\nDELETE /x HTTP/1.1\r\n\r\n"
			  "GET / HTTP/1.1\r\n\r\n\n");
	}
	wire_expect(0, BYTES("POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab"),
		    "request POST / : ab\n");
}

static void other_blanks(void **state _unused_)
{
	wire_expect(0, BYTES("DELETE\t/v1/x\tHTTP/1.1\r\n\r\nGET \v /y \f HTTP/1.1\r\n\r\n"),
		    "request DELETE /v1/x\nrequest GET /y\n");
}

/* So many empty lines may be before anything. */
static void empty_lines(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	struct heard h = { .raw = true };

	for (int i = 0; i < 35000; i++)
		strbuf_adds(&b, "\r\n");
	strbuf_adds(&b, "DELETE /x HTTP/1.1\r\n\r\n");
	wire_hear(w, b.data, b.len, 1000, 1000, &h);
	assert_non_null(strstr(h.text.data, "raw uncertain \r\n"));
	assert_non_null(strstr(h.text.data, "DELETE /x"));
	strbuf_free(&h.text);
}

static void other_methods(void **state _unused_)
{
	wire_expect(0, BYTES("POST /v1/x HTTP/1.1\r\nX-HTTP-Method-Override: DELETE\r\n\r\n"),
		    "request POST as DELETE /v1/x\n");
	wire_expect(0,
		    BYTES("POST /x HTTP/1.1\r\nX-HTTP-Method-Override: DELETE\r\n"
			  "X-Method-Override: GET\r\n\r\n"),
		    "request POST as DELETE GET /x\n");
	wire_expect(0, BYTES("M-SEARCH /x HTTP/1.1\r\n\r\n"), "request M-SEARCH /x\n");
}

static void long_chunk_lines(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	strbuf_adds(&b, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;");
	for (int i = 0; i < 4000; i++)
		strbuf_addc(&b, 'x');
	strbuf_adds(&b, "\r\na\r\n0\r\n\r\nDELETE /x HTTP/1.1\r\n\r\n");
	wire_expect_pieces(0, b.data, b.len, b.len, b.len,
			   "request POST / : a\nrequest DELETE /x\n");
}

static void proxies(void **state _unused_)
{
	wire_expect(
		0,
		BYTES("CONNECT db.example.com:6379 HTTP/1.1\r\nHost: db.example.com:6379\r\n\r\n"
		      "*1\r\n$8\r\nFLUSHALL\r\n"),
		"request CONNECT db.example.com db.example.com:6379\ncommand FLUSHALL\n");
}

/* Told before the body has come, and again with it. */
static bool count(const struct wire_message *m, void *data)
{
	unsigned int *counts = data;

	counts[m->partial ? 0 : m->again ? 1 : 2]++;
	assert_true(m->path.len == 1);
	return false;
}

static void bodies_that_come_later(void **state _unused_)
{
	static const char head[] = "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n";
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);
	unsigned int counts[3] = { 0 };

	wire_feed(w, BYTES(head), count, counts);
	assert_true(wire_waits(w));
	wire_feed(w, BYTES("ab"), count, counts);
	assert_int_equal(counts[0], 1);
	assert_int_equal(counts[1] + counts[2], 0);
	wire_feed(w, BYTES("cd"), count, counts);
	assert_int_equal(counts[0], 1);
	assert_int_equal(counts[1], 1);
	assert_false(wire_waits(w));
	wire_feed(w, BYTES("GET / HTTP/1.1\r\n\r\n"), count, counts);
	assert_int_equal(counts[2], 1);
}

static void long_bodies(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);
	struct heard h = { 0 };

	strbuf_adds(&b, "PUT /a HTTP/1.1\r\nContent-Length: 300000\r\n\r\n");
	for (int i = 0; i < 300000; i++)
		strbuf_addc(&b, 'x');
	strbuf_adds(&b, "DELETE /b HTTP/1.1\r\n\r\n");
	wire_hear(w, b.data, b.len, 10000, 50000, &h);
	assert_memory_equal(h.text.data, "request uncertain PUT /a : xxx", 30);
	assert_in_range(h.text.len, 65536, 65636);
	assert_string_equal(strchr(h.text.data, '\n'), "\nrequest DELETE /b\n");
	strbuf_free(&h.text);
}

static void what_is_no_request(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);

	wire_next(w, BYTES("GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"), "request GET /\n");
	wire_next(w, BYTES("\x81\4drop\n\n"), "raw uncertain \x81\4drop\n\n\n");
	wire_next(w, BYTES("GET /b HTTP/1.1\r\n\r\n"), "request GET /b\n");
	wire_next(w, BYTES("POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nno size\n"),
		  "request uncertain POST /c\nraw uncertain no size\n\n");
}

/* Its end is not waited for: perhaps a server of another protocol takes it line by line. */
static void a_line_that_is_no_request(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);

	wire_next(w, BYTES("GET / HTTP/1.1\r\n\r\nFLUSH"), "request GET /\n");
	wire_next(w, BYTES("ALL\r\n"), "raw uncertain FLUSHALL\r\n\n");
}

static void a_body_that_is_broken_off(void **state _unused_)
{
	wire_expect(0,
		    BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
			  "5\r\nhello\r\nno size\n"),
		    "request uncertain POST / : hello\n");
}

static void long_first_lines(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	struct heard whole = { 0 }, cut = { 0 };

	strbuf_adds(&b, "DELETE /v1/volumes?");
	for (int i = 0; i < 20000; i++)
		strbuf_addc(&b, 'x');
	strbuf_adds(&b, " HTTP/1.1\r\n\r\n");
	for (size_t piece = 7777; piece <= b.len; piece += b.len - 7777) {
		_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);
		struct heard *h = piece == b.len ? &whole : &cut;

		wire_hear(w, b.data, b.len, piece, piece, h);
		assert_memory_equal(h->text.data, "request DELETE /v1/volumes ? xxx", 32);
	}
	assert_string_equal(whole.text.data, cut.text.data);
	strbuf_free(&whole.text);
	strbuf_free(&cut.text);
}

/* Of one without an end what is kept is told. */
static void endless_first_lines(void **state _unused_)
{
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	struct heard h = { 0 };

	strbuf_adds(&b, "DELETE /v1/volumes?");
	for (int i = 0; i < 70000; i++)
		strbuf_addc(&b, 'x');
	wire_hear(w, b.data, b.len, 1000, 1000, &h);
	assert_memory_equal(h.text.data, "request uncertain DELETE /v1/volumes ? xxx", 42);
	strbuf_free(&h.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(bodies),
		cmocka_unit_test(bodies_of_two_lengths),
		cmocka_unit_test(other_blanks),
		cmocka_unit_test(empty_lines),
		cmocka_unit_test(other_methods),
		cmocka_unit_test(long_chunk_lines),
		cmocka_unit_test(proxies),
		cmocka_unit_test(bodies_that_come_later),
		cmocka_unit_test(long_bodies),
		cmocka_unit_test(what_is_no_request),
		cmocka_unit_test(a_line_that_is_no_request),
		cmocka_unit_test(a_body_that_is_broken_off),
		cmocka_unit_test(long_first_lines),
		cmocka_unit_test(endless_first_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
