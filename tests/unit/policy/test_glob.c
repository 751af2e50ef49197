#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "policy/glob.h"

struct sample {
	const char *pattern, *text;
	bool matches;
};

static void expect(const struct sample *samples, size_t count,
		   bool (*match)(const char *, const char *))
{
	for (size_t i = 0; i < count; i++)
		if (match(samples[i].pattern, samples[i].text) != samples[i].matches)
			fail_msg("%s and %s", samples[i].pattern, samples[i].text);
}

static bool match_plain(const char *pattern, const char *text)
{
	return glob_match(pattern, text, false);
}

static void test_words(void **state _unused_)
{
	static const struct sample samples[] = {
		{ "delete-*", "delete-db", true },
		{ "delete-*", "delete-", true },
		{ "delete-*", "xdelete-", false },
		{ "*", "", true },
		{ "*a*b*c", "xaybzc", true },
		{ "*a*b*c", "xaybz", false },
		{ "?", "", false },
		{ "?", "x", true },
		{ "[a-c]x", "bx", true },
		{ "[!a-c]x", "bx", false },
		{ "[]]", "]", true },
		{ "[", "[", true },
		{ "[abc", "[abc", true },
		{ "a\\*", "a*", true },
		{ "a\\*", "ab", false },
		{ "a\\", "a\\", true },
		{ "", "", true },
		{ "", "x", false },
		{ "a", "A", false },
		{ "a*/b", "a/x/b", true },
		{ "[--/]", ".", true },
	};

	expect(samples, ARRAY_SIZE(samples), match_plain);
	assert_true(glob_match("flush[a-z]*", "FLUSHALL", true));
	assert_false(glob_match("flush", "FLUSHED", true));
}

static void test_paths(void **state _unused_)
{
	static const struct sample samples[] = {
		{ "/a/*", "/a/b", true },
		{ "/a/*", "/a/b/c", false },
		{ "/a/**", "/a/b/c", true },
		{ "/a/**", "/a", true },
		{ "/a/**", "/ab", false },
		{ "/**/x", "/a/b/x", true },
		{ "/**/x", "/a/b/xy", false },
		{ "/*/x", "/a/b/x", false },
		{ "/**/a/*/c", "/a/q/a/b/c", true },
		{ "/a?c", "/a/c", false },
		{ "/a[/]c", "/a/c", false },
	};

	expect(samples, ARRAY_SIZE(samples), glob_match_path);
}

/* Stars in a row cost no exponential time. */
static void test_many_stars(void **state _unused_)
{
	char text[4001];

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = 'a';
	text[sizeof(text) - 1] = '\0';
	assert_false(glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*b", text, false));
	assert_false(glob_match_path("/**a*a**a*a**a*b", text));
}

static void test_has_wildcard(void **state _unused_)
{
	assert_true(glob_has_wildcard("a*"));
	assert_true(glob_has_wildcard("a\\="));
	assert_false(glob_has_wildcard("a-b]"));
}

static void test_prefix(void **state _unused_)
{
	static const struct {
		const char *glob, *prefix;
		bool all;
	} samples[] = {
		{ "claude", "claude", true },
		{ "cursor-*", "cursor-", false },
		{ "a\\*b", "a*b", true },
		{ "*", "", false },
		{ "", "", true },
		{ "abcdefgh", "abcdefgh", true },
		{ "abcdefghi", "abcdefgh", false },
		{ "ab[c]", "ab", false },
		{ "ab[c", "ab[c", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		char prefix[9] = { 0 };
		bool all;

		assert_int_equal(glob_prefix(samples[i].glob, prefix, 8, &all),
				 strlen(samples[i].prefix));
		assert_string_equal(prefix, samples[i].prefix);
		assert_int_equal(all, samples[i].all);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefix),	     cmocka_unit_test(test_words),
		cmocka_unit_test(test_paths),	     cmocka_unit_test(test_many_stars),
		cmocka_unit_test(test_has_wildcard),
	};

	return cmocka_run_group_tests_name("glob", tests, NULL, NULL);
}
