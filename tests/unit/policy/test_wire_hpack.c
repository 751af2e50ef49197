#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/strbuf.h"
#include "policy/wire_hpack.h"

#define BYTES(text) text, sizeof(text) - 1

static void hear(struct wire_slice name, struct wire_slice value, void *arg)
{
	strbuf_addf(arg, "%.*s=%.*s\n", (int)(name.s ? name.len : 1), name.s ?: "?",
		    (int)(value.s ? value.len : 1), value.s ?: "?");
}

static void expect(struct hpack *h, const char *block, size_t len, const char *expected)
{
	_cleanup_strbuf_ struct strbuf told = STRBUF_INIT;
	_cleanup_free_ u8 *bytes = malloc(len + !len);

	memcpy(bytes, block, len);
	assert_true(hpack_decode(h, bytes, len, hear, &told));
	assert_string_equal(strbuf_str(&told), expected);
}

/* The examples of RFC 7541, C.2 to C.4. */
static void plain_headers(void **state _unused_)
{
	struct hpack h = { 0 };

	expect(&h,
	       BYTES("\x40\x0a"
		     "custom-key\x0d"
		     "custom-header"),
	       "custom-key=custom-header\n");
	expect(&h, BYTES("\x04\x0c/sample/path"), ":path=/sample/path\n");
	expect(&h, BYTES("\x10\x08password\x06secret"), "password=secret\n");
	expect(&h, BYTES("\x82\xbe"), ":method=GET\ncustom-key=custom-header\n");
	hpack_free(&h);
}

static void coded_headers(void **state _unused_)
{
	struct hpack h = { 0 };

	expect(&h, BYTES("\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"),
	       ":method=GET\n:scheme=http\n:path=/\n:authority=www.example.com\n");
	expect(&h, BYTES("\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf"),
	       ":method=GET\n:scheme=http\n:path=/\n:authority=www.example.com\n"
	       "cache-control=no-cache\n");
	expect(&h,
	       BYTES("\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49"
		     "\xe9\x5b\xb8\xe8\xb4\xbf"),
	       ":method=GET\n:scheme=https\n:path=/index.html\n:authority=www.example.com\n"
	       "custom-key=custom-value\n");
	hpack_free(&h);
}

static void headers_of_before(void **state _unused_)
{
	struct hpack h = { 0 };

	expect(&h, BYTES("\x82\xbe\x3f\xe1\x1f"), ":method=GET\n?=?\n");
	/* a known name with a value of its own, kept; an unknown name likewise */
	expect(&h, BYTES("\x44\x02/a\x7e\x01v\xbe\xbf"), ":path=/a\n:path=v\n:path=v\n:path=/a\n");
	expect(&h, BYTES("\xff\xff\x03"), "?=?\n");
	hpack_free(&h);
}

static void more_than_are_kept(void **state _unused_)
{
	struct hpack h = { 0 };
	char block[] = "\x44\x02/a";

	for (int i = 0; i < 300; i++) {
		block[3] = (char)('a' + i % 26);
		expect(&h, block, 4,
		       (char[]) { ':', 'p', 'a', 't', 'h', '=', '/', block[3], '\n', 0 });
	}
	expect(&h, BYTES("\xbe"), ":path=/n\n");	 /* 299 % 26 */
	expect(&h, BYTES("\xff\xbe\x01"), ":path=/s\n"); /* 256 ago: 44 % 26 */
	expect(&h, BYTES("\xff\xbf\x01"), "?=?\n");
	hpack_free(&h);
}

static void damaged(void **state _unused_)
{
	static const struct {
		const char *block;
		size_t len;
	} blocks[] = {
		{ BYTES("\x40\x0a"
			"short") },
		{ BYTES("\x04") },
		{ BYTES("\xff\xff\xff\xff\xff\xff") },
		{ BYTES("\x04\x84\xff\xff\xff\xff") },
		{ BYTES("\x04\xff\xff\xff\xff\x7f") },
	};
	_cleanup_strbuf_ struct strbuf told = STRBUF_INIT;
	struct hpack h = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		assert_false(
			hpack_decode(&h, (const u8 *)blocks[i].block, blocks[i].len, hear, &told));
	assert_int_equal(told.len, 0);
	hpack_free(&h);
}

static void clones(void **state _unused_)
{
	struct hpack h = { 0 }, c;

	expect(&h, BYTES("\x44\x02/a"), ":path=/a\n");
	assert_int_equal(hpack_clone(&c, &h), 0);
	expect(&h, BYTES("\x44\x02/b"), ":path=/b\n");
	expect(&c, BYTES("\xbe\xbf"), ":path=/a\n?=?\n");
	expect(&h, BYTES("\xbe\xbf"), ":path=/b\n:path=/a\n");
	hpack_free(&h);
	hpack_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_headers),     cmocka_unit_test(coded_headers),
		cmocka_unit_test(headers_of_before), cmocka_unit_test(more_than_are_kept),
		cmocka_unit_test(damaged),	     cmocka_unit_test(clones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
