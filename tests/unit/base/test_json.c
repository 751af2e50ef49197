#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

static json_t *parse(const struct strbuf *sb)
{
	json_error_t error;
	json_t *root =
		json_loadb(strbuf_str(sb), sb->len,
			   JSON_ALLOW_NUL | JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);

	if (!root)
		print_error("%s at %d: %s\n", error.text, error.position, strbuf_str(sb));
	assert_non_null(root);
	return root;
}

static void test_exact_text(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct json j = JSON_INIT(&sb);
	static char rm[] = "rm", rf[] = "-rf", empty[] = "";
	char *argv[] = { rm, rf, empty, NULL }, *none[] = { NULL };

	json_open_object(&j, NULL);
	json_put_string(&j, "a", "x\"\\\n\x01\x7f");
	json_put_string(&j, "nil", NULL);
	json_put_int(&j, "min", INT64_MIN);
	json_put_uint(&j, "max", UINT64_MAX);
	json_put_bool(&j, "yes", true);
	json_put_argv(&j, "argv", argv);
	json_put_argv(&j, "none", none);
	json_open_object(&j, "in");
	json_close_object(&j);
	json_open_array(&j, "list");
	json_open_array(&j, NULL);
	json_put_int(&j, NULL, 1);
	json_put_int(&j, NULL, 2);
	json_close_array(&j);
	json_put_bool(&j, NULL, false);
	json_close_array(&j);
	json_close_object(&j);
	assert_string_equal(strbuf_str(&sb),
			    "{\"a\":\"x\\\"\\\\\\n\\u0001\\u007f\",\"nil\":null,"
			    "\"min\":-9223372036854775808,\"max\":18446744073709551615,"
			    "\"yes\":true,\"argv\":[\"rm\",\"-rf\",\"\"],\"none\":[],\"in\":{},"
			    "\"list\":[[1,2],false]}");
}

/* The string that a parser reads back from our output of these bytes. */
static json_t *round_trip(const char *s, size_t len)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct json j = JSON_INIT(&sb);

	json_put_string_n(&j, NULL, s, len);
	return parse(&sb);
}

static void test_every_byte(void **state _unused_)
{
	for (int b = 0; b < 256; b++) {
		char c = b;
		json_t *s = round_trip(&c, 1);

		if (b < 0x80) {
			assert_int_equal(json_string_length(s), 1);
			assert_int_equal(json_string_value(s)[0], b);
		} else {
			assert_string_equal(json_string_value(s), "\xef\xbf\xbd");
		}
		json_decref(s);
	}
}

static void test_every_pair_of_bytes_is_valid_json(void **state _unused_)
{
	for (int b = 0; b < 65536; b++) {
		char pair[2] = { b >> 8, b };
		json_t *s = round_trip(pair, 2);

		assert_true(json_string_length(s) >= 1);
		json_decref(s);
	}
}

static void test_hostile_bytes(void **state _unused_)
{
	unsigned int seed = 5;
	char bytes[64];

	for (int i = 0; i < 50000; i++) {
		size_t len = rand_r(&seed) % sizeof(bytes);

		for (size_t k = 0; k < len; k++)
			bytes[k] = rand_r(&seed) >> 9 | (i & 1 ? 0x80 : 0);
		json_decref(round_trip(bytes, len));
	}
}

static void assert_reads_back(const char *in, const char *want)
{
	json_t *s = round_trip(in, strlen(in));

	assert_string_equal(json_string_value(s), want);
	json_decref(s);
}

static void test_utf8(void **state _unused_)
{
	assert_reads_back("größe 漢字 🙂 \u2028", "größe 漢字 🙂 \u2028");
	assert_reads_back("a\xc3", "a\xef\xbf\xbd");
	assert_reads_back("\xed\xa0\x80z", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
	assert_reads_back("\xc2\x9b", "\xc2\x9b");
	assert_reads_back("\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

static void test_terminal_controls_are_escaped(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct json j = JSON_INIT(&sb);

	json_put_string(&j, NULL, "\033[2J\xc2\x9b\x7f\u202e\u2066\u2028");
	assert_string_equal(strbuf_str(&sb), "\"\\u001b[2J\\u009b\\u007f\\u202e\\u2066\\u2028\"");
}

static void test_deep_nesting(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct json j = JSON_INIT(&sb);
	json_t *root, *at;

	for (int i = 0; i < 62; i++) {
		json_open_array(&j, NULL);
		json_put_int(&j, NULL, i);
	}
	for (int i = 0; i < 62; i++) {
		json_put_int(&j, NULL, i);
		json_close_array(&j);
	}
	at = root = parse(&sb);
	for (int i = 0; i < 62; i++) {
		assert_int_equal(json_array_size(at), i < 61 ? 3 : 2);
		assert_int_equal(json_integer_value(json_array_get(at, 0)), i);
		at = json_array_get(at, 1);
	}
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact_text),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_every_pair_of_bytes_is_valid_json),
		cmocka_unit_test(test_hostile_bytes),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_terminal_controls_are_escaped),
		cmocka_unit_test(test_deep_nesting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
