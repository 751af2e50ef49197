#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire_sample.h"

/* The preface, settings, and a window. */
static const char opening[] =
	"PRI * HTTP/2.0\015\012\015\012SM\015\012\015\012\000\000\006\004\000\000\000\000"
	"\000\000\003\000\000\000d\000\000\004\010\000\000\000\000\000\000\000\377\377";
/* DELETE https://api.example.com/v1/volumes/7?force=1 */
static const char first[] =
	"B\206\277\203>\015\370\077\207A\213\035f\134\276GMt\025r\036\237D\220c\270X\356z"
	"-\244\250a\337\362S\330B\300\037z\201\363";
/* POST https://api.example.com/graphql, of JSON */
static const char second[] = "\203\207\300D\206bk\007\134\375\250_\213\035u\320b\015&=LtA\352\300";
/* The first again: it refers to what was before. */
static const char third[] = "\303\207\302\301\300";

/* The same without the second between. */
static const char again[] = "\xc1\x87\xc0\xbf\xbe";

#define DELETES	 " DELETE api.example.com /v1/volumes/7 ? force=1\n"
#define DELETION "request" DELETES

enum { DATA, HEADERS, RESET = 3, CONTINUATION = 9 };
enum { END_STREAM = 1, END_HEADERS = 4, PADDED = 8, PRIORITY = 32 };

static void add(struct strbuf *out, int type, int flags, int id, const char *body, size_t len)
{
	unsigned char head[9] = { len >> 16 & 255,
				  len >> 8 & 255,
				  len & 255,
				  (unsigned char)type,
				  (unsigned char)flags,
				  0,
				  0,
				  0,
				  (unsigned char)id };

	strbuf_add(out, head, sizeof(head));
	strbuf_add(out, body, len);
}

static void next(struct wire *w, struct strbuf *bytes, const char *expected)
{
	wire_next(w, bytes->data, bytes->len, expected);
	strbuf_reset(bytes);
}

static void requests(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	strbuf_add(&b, BYTES(opening));
	add(&b, HEADERS, END_STREAM | END_HEADERS, 1, BYTES(first));
	add(&b, 4, 1, 0, "", 0);
	add(&b, HEADERS, 0, 3, second, 5);
	add(&b, CONTINUATION, END_HEADERS, 3, second + 5, sizeof(second) - 6);
	add(&b, DATA, 0, 3, BYTES("{\"query\":"));
	add(&b, HEADERS, END_STREAM | END_HEADERS, 5, BYTES(third));
	add(&b, DATA, END_STREAM | PADDED, 3, BYTES("\2\"volumeDelete\"}xx"));
	wire_expect(0, b.data, b.len,
		    DELETION DELETION "request POST api.example.com /graphql application/json : "
				      "{\"query\":\"volumeDelete\"}\n");
}

static void what_stands_before_the_headers(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT, block = STRBUF_INIT;

	strbuf_add(&block, BYTES("\3\0\0\0\0\x0f"));
	strbuf_add(&block, BYTES(first));
	strbuf_add(&block, BYTES("xxx"));
	strbuf_add(&b, BYTES(opening));
	add(&b, HEADERS, END_STREAM | END_HEADERS | PADDED | PRIORITY, 1, block.data, block.len);
	wire_expect(0, b.data, b.len, DELETION);
}

static void after_an_upgrade(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	strbuf_adds(&b, "GET /x HTTP/1.1\r\nUpgrade: h2c\r\n\r\n");
	strbuf_add(&b, BYTES(opening));
	add(&b, HEADERS, END_STREAM | END_HEADERS, 3, BYTES(first));
	wire_expect(0, b.data, b.len, "request GET /x\n" DELETION);
}

static void trailers_and_resets(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	strbuf_add(&b, BYTES(opening));
	add(&b, HEADERS, END_HEADERS, 1, BYTES(first));
	add(&b, DATA, 0, 1, BYTES("body"));
	add(&b, HEADERS, END_HEADERS | END_STREAM, 1, BYTES("\x87"));
	add(&b, HEADERS, END_HEADERS, 3, BYTES(again));
	add(&b, RESET, 0, 3, BYTES("\0\0\0\x08"));
	wire_expect(0, b.data, b.len,
		    "request DELETE api.example.com /v1/volumes/7 ? force=1 : body\n");
}

static void listening_from_the_middle(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, false);

	wire_next(w, BYTES("drop"), "raw uncertain drop\n");
	/* refers to what nobody knows: the method does not */
	add(&b, HEADERS, END_STREAM | END_HEADERS, 7, BYTES(again));
	next(w, &b, "request uncertain\n");
	assert_int_equal(wire_protocol(w), WIRE_HTTP2);
	add(&b, HEADERS, END_STREAM | END_HEADERS, 9, BYTES(first));
	add(&b, HEADERS, END_STREAM | END_HEADERS, 11, BYTES(again));
	add(&b, DATA, END_STREAM, 5, BYTES("body"));
	next(w, &b, DELETION DELETION "raw uncertain body\n");
}

static void many_at_once(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT, expected = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);
	struct heard h = { .raw = true };

	strbuf_add(&b, BYTES(opening));
	for (int i = 0; i < 40; i++)
		add(&b, HEADERS, END_HEADERS, 1 + 2 * i, BYTES(first));
	/* those of before have no place any more, and of none the body is known */
	add(&b, DATA, END_STREAM, 1, BYTES("old"));
	add(&b, DATA, END_STREAM, 79, BYTES("new"));
	wire_hear(w, b.data, b.len, b.len, b.len, &h);
	for (int i = 0; i < 24; i++)
		strbuf_adds(&expected, "request uncertain" DELETES);
	strbuf_adds(&expected, "raw uncertain old\n"
			       "request DELETE api.example.com /v1/volumes/7 ? force=1 : new\n");
	assert_string_equal(strbuf_str(&h.text), strbuf_str(&expected));
	strbuf_free(&h.text);
}

static void what_servers_ignore(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;

	strbuf_add(&b, BYTES(opening));
	add(&b, 0xee, 0, 0, BYTES("of no known type"));
	add(&b, HEADERS, END_STREAM | END_HEADERS, 1, BYTES(first));
	b.data[b.len - (sizeof(first) - 1) - 4] |= 0x80; /* reserved */
	wire_expect(0, b.data, b.len, DELETION);
}

static void damaged_headers(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);

	strbuf_add(&b, BYTES(opening));
	add(&b, HEADERS, END_STREAM | END_HEADERS, 1, first, 10);
	next(w, &b, "request uncertain DELETE\n");
	/* what refers to headers of before is not known any more */
	add(&b, HEADERS, END_STREAM | END_HEADERS, 3, BYTES(first));
	add(&b, HEADERS, END_STREAM | END_HEADERS, 5, BYTES(again));
	next(w, &b, DELETION DELETION);
}

/* Headers beyond what is kept: the request is told with those that came. */
static void endless_headers(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);
	static char zeros[60000];
	struct heard h = { 0 };

	strbuf_add(&b, BYTES(opening));
	add(&b, HEADERS, END_STREAM, 1, BYTES(first));
	for (int i = 0; i < 18; i++)
		add(&b, CONTINUATION, 0, 1, zeros, sizeof(zeros));
	add(&b, CONTINUATION, END_HEADERS, 1, zeros, sizeof(zeros));
	add(&b, HEADERS, END_STREAM | END_HEADERS, 3, BYTES(first));
	wire_hear(w, b.data, b.len, 1000, 70000, &h);
	assert_string_equal(strbuf_str(&h.text),
			    "request uncertain DELETE api.example.com\n" DELETION);
	strbuf_free(&h.text);
}

static void clones(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true), *c = NULL;

	strbuf_add(&b, BYTES(opening));
	add(&b, HEADERS, END_STREAM | END_HEADERS, 1, BYTES(first));
	add(&b, HEADERS, END_HEADERS, 3, BYTES(again));
	add(&b, DATA, 0, 3, BYTES("bo"));
	next(w, &b, DELETION);
	c = wire_clone(w);
	add(&b, DATA, END_STREAM, 3, BYTES("dy"));
	add(&b, HEADERS, END_STREAM | END_HEADERS, 5, BYTES(again));
	wire_next(w, b.data, b.len,
		  "request DELETE api.example.com /v1/volumes/7 ? force=1 : body\n" DELETION);
	next(c, &b, "request DELETE api.example.com /v1/volumes/7 ? force=1 : body\n" DELETION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(what_stands_before_the_headers),
		cmocka_unit_test(after_an_upgrade),
		cmocka_unit_test(trailers_and_resets),
		cmocka_unit_test(listening_from_the_middle),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(what_servers_ignore),
		cmocka_unit_test(damaged_headers),
		cmocka_unit_test(endless_headers),
		cmocka_unit_test(clones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
