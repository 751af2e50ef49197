#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"

static void test_empty(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	_cleanup_free_ char *s = NULL;

	assert_string_equal(strbuf_str(&sb), "");
	assert_null(sb.data);
	strbuf_add(&sb, NULL, 0);
	assert_non_null(sb.data);
	assert_int_equal(sb.len, 0);
	strbuf_free(&sb);
	s = strbuf_take(&sb);
	assert_string_equal(s, "");
	assert_null(sb.data);
}

static void test_every_length_is_terminated(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	for (size_t i = 0; i < 5000; i++) {
		assert_int_equal(sb.len, i);
		strbuf_addc(&sb, 'a' + i % 26);
		assert_int_equal(sb.data[i + 1], '\0');
		assert_true(sb.cap > sb.len);
	}
	for (size_t i = 0; i < sb.len; i++)
		assert_int_equal(sb.data[i], 'a' + i % 26);
	assert_int_equal(strbuf_error(&sb), 0);
}

static void test_bytes_and_formats(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_add(&sb, "a\0b", 3);
	assert_memory_equal(sb.data, "a\0b", 4);
	strbuf_reset(&sb);
	assert_string_equal(strbuf_str(&sb), "");
	strbuf_adds(&sb, "x=");
	strbuf_addf(&sb, "%d %s", 42, "y");
	assert_string_equal(sb.data, "x=42 y");
	strbuf_reset(&sb);
	strbuf_addf(&sb, "%*s", 1000, "z");
	assert_int_equal(sb.len, 1000);
	assert_int_equal(sb.data[999], 'z');
}

static void test_formats_of_every_length_at_every_place(void **state _unused_)
{
	char text[200] = "", want[400];

	for (size_t before = 0; before < 140; before++) {
		for (size_t len = 0; len < 140; len++) {
			_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

			memset(text, 'b', before);
			text[before] = '\0';
			strbuf_adds(&sb, text);
			strbuf_addf(&sb, "%*s", (int)len, "");
			snprintf(want, sizeof(want), "%s%*s", text, (int)len, "");
			assert_int_equal(sb.len, before + len);
			assert_string_equal(strbuf_str(&sb), want);
		}
	}
}

static void test_truncate(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_truncate(&sb, 0);
	strbuf_adds(&sb, "abcdef");
	strbuf_truncate(&sb, 10);
	assert_string_equal(sb.data, "abcdef");
	strbuf_truncate(&sb, 2);
	assert_string_equal(sb.data, "ab");
	assert_int_equal(sb.len, 2);
}

static void test_out_of_memory_is_sticky(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_adds(&sb, "kept");
	strbuf_add(&sb, "never read", SIZE_MAX / 2);
	assert_int_equal(strbuf_error(&sb), -ENOMEM);
	strbuf_adds(&sb, "lost");
	strbuf_addf(&sb, "%d", 1);
	assert_string_equal(strbuf_str(&sb), "kept");
	assert_null(strbuf_take(&sb));
	assert_int_equal(strbuf_error(&sb), 0);
	strbuf_adds(&sb, "again");
	assert_string_equal(strbuf_str(&sb), "again");
}

static void test_take(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	_cleanup_free_ char *s = NULL;

	strbuf_adds(&sb, "mine");
	s = strbuf_take(&sb);
	assert_string_equal(s, "mine");
	assert_int_equal(sb.len, 0);
	assert_int_equal(sb.cap, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_every_length_is_terminated),
		cmocka_unit_test(test_bytes_and_formats),
		cmocka_unit_test(test_formats_of_every_length_at_every_place),
		cmocka_unit_test(test_truncate),
		cmocka_unit_test(test_out_of_memory_is_sticky),
		cmocka_unit_test(test_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
