#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static size_t encode(uint32_t c, char *p)
{
	if (c < 0x80) {
		p[0] = c;
		return 1;
	}
	if (c < 0x800) {
		p[0] = 0xc0 | c >> 6;
		p[1] = 0x80 | (c & 0x3f);
		return 2;
	}
	if (c < 0x10000) {
		p[0] = 0xe0 | c >> 12;
		p[1] = 0x80 | (c >> 6 & 0x3f);
		p[2] = 0x80 | (c & 0x3f);
		return 3;
	}
	p[0] = 0xf0 | c >> 18;
	p[1] = 0x80 | (c >> 12 & 0x3f);
	p[2] = 0x80 | (c >> 6 & 0x3f);
	p[3] = 0x80 | (c & 0x3f);
	return 4;
}

static void test_every_code_point(void **state _unused_)
{
	char bytes[5] = "";
	uint32_t code;

	for (uint32_t c = 0; c <= 0x110000; c++) {
		size_t len = encode(c, bytes);
		bool scalar = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);

		code = ~c;
		assert_int_equal(utf8_decode(bytes, len, &code), scalar ? len : 0);
		assert_int_equal(code, scalar ? c : ~c);
		assert_int_equal(utf8_decode(bytes, len - 1, &code), 0);
	}
}

/* Whatever is accepted is the one encoding of its code point: nothing overlong gets through. */
static void test_random_bytes_are_accepted_only_as_encoded(void **state _unused_)
{
	unsigned int seed = 7, accepted = 0;

	for (int i = 0; i < 3000000; i++) {
		unsigned char in[4];
		char again[4];
		uint32_t code;
		size_t n;

		for (int k = 0; k < 4; k++)
			in[k] = rand_r(&seed) >> 8 | (k || i & 1 ? 0x80 : 0);
		for (int k = 1; k < 4; k++)
			in[k] &= i & 2 ? 0xbf : 0xff;
		n = utf8_decode((char *)in, sizeof(in), &code);
		if (!n)
			continue;
		assert_int_equal(encode(code, again), n);
		assert_memory_equal(again, in, n);
		accepted++;
	}
	assert_true(accepted > 100000);
}

static void test_broken_sequences(void **state _unused_)
{
	static const char *const broken[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xe0\x80\xaf",
		"\xf0\x80\x80\xaf",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff",
		"\xfe",
		"\xc3(",
		"\xe2\x82(",
		"\xf0\x9f\x98",
		"\xf8\x88\x80\x80\x80",
	};
	uint32_t code = 1;

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
		assert_int_equal(utf8_decode(broken[i], strlen(broken[i]), &code), 0);
	assert_int_equal(utf8_decode("", 0, &code), 0);
	assert_int_equal(code, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_code_point),
		cmocka_unit_test(test_random_bytes_are_accepted_only_as_encoded),
		cmocka_unit_test(test_broken_sequences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
