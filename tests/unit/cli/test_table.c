#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cli/client.h"
#include "cli/table.h"

static void durations_read_well(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} cases[] = {
		{ 0, "0 s" },
		{ 59999, "59 s" },
		{ 60000, "1 min 0 s" },
		{ 3599999, "59 min 59 s" },
		{ 3600000, "1 h 0 min" },
		{ 86399999, "23 h 59 min" },
		{ 86400000, "1 d 0 h" },
		{ 1000 * 86400000ULL, "1000 d 0 h" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

		add_duration(&out, cases[i].ms);
		assert_string_equal(out.data, cases[i].text);
	}
}

static void members_of_any_kind_are_shown(void **state)
{
	static const struct {
		const char *key, *text;
	} cases[] = {
		{ "n", "-7" },	 { "s", "a\\nb" }, { "yes", "yes" }, { "no", "no" },
		{ "null", "-" }, { "empty", "-" }, { "list", "-" },  { "absent", "-" },
	};
	_cleanup_json_ json_t *o =
		json_loads("{\"n\":-7,\"s\":\"a\\nb\",\"yes\":true,\"no\":false,\"null\":null,"
			   "\"empty\":\"\",\"list\":[1],\"big\":4294967296}",
			   0, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

		add_member(&out, o, cases[i].key);
		assert_string_equal(out.data, cases[i].text);
	}
	assert_true(member_uint(o, "big") == 4294967296ULL);
	assert_int_equal(member_uint(o, "n"), 0);
	assert_int_equal(member_uint(o, "s"), 0);
	assert_int_equal(member_uint(NULL, "s"), 0);
}

static void words_are_quoted_as_a_shell_needs_them(void **state)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	_cleanup_json_ json_t *words = json_loads("[\"rm\",\"-rf\",\"a b\",\"\",7]", 0, NULL);

	(void)state;
	add_words(&out, words);
	assert_string_equal(out.data, "rm -rf 'a b' '' ''");
	strbuf_reset(&out);
	add_words(&out, NULL);
	assert_string_equal(strbuf_str(&out), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_read_well),
		cmocka_unit_test(members_of_any_kind_are_shown),
		cmocka_unit_test(words_are_quoted_as_a_shell_needs_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
