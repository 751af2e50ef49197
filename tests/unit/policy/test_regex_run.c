#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "backstop/class.h"
#include "policy/regex_run.h"

static void test_runs(void **state _unused_)
{
	static const struct {
		const char *re, *run;
	} samples[] = {
		{ "drop_all\\(", "drop_all" },
		{ "^rm-rf$", "rm-rf" },
		{ "a.bcd", "bcd" },
		{ "abc?", "ab" },
		{ "abc+de", "abc" },
		{ "abc{2}x", "ab" },
		{ "abc*", "ab" },
		{ "a|bcd", "" },
		{ "(a|bcd)efg", "efg" },
		{ "(?:a|b)efg", "efg" },
		{ "(?i)shutil", "shutil" },
		{ "(?x)a b", "" },
		{ "(?!no)yes", "yes" },
		{ "[]abc]def", "def" },
		{ "[^]abc]def", "def" },
		{ "[[:alpha:]]def", "" },
		{ "[a\\]b]def", "def" },
		{ "ab\\.cd", "ab.cd" },
		{ "\\bword\\b", "word" },
		{ "\\x41bc", "" },
		{ "\\Qa|b\\E", "" },
		{ "a{b|c}d", "" },
		{ "ab cd", "ab" },
		{ "", "" },
		{ "a/bcd", "bcd" },
		{ "(", "" },
		{ "[abc", "" },
		{ "\\", "" },
		{ "x{2,3}yz", "yz" },
		{ "(*UTF)abc", "" },
		{ "a\\d{3}bcd", "bcd" },
		{ "(a(?i)b)cde", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		_cleanup_arena_ struct arena a = ARENA_INIT;
		const char *run = regex_run(&a, samples[i].re);

		if (strcmp(run, samples[i].run) != 0)
			fail_msg("%s: '%s'", samples[i].re, run);
	}
}

/* --- any expression: whatever matches has the run */

static u64 seed = 11;

static unsigned int draw(unsigned int below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned int)(seed >> 33) % below;
}

static void draw_from(char *out, size_t count, const char *const *parts, size_t parts_count)
{
	char *end = out;

	*out = '\0';
	while (count--)
		end = stpcpy(end, parts[draw((unsigned int)parts_count)]);
}

static bool has(const char *text, const char *run)
{
	size_t len = strlen(run);

	for (size_t at = 0; at + len <= strlen(text); at++) {
		size_t i = 0;

		while (i < len && bs_class[(u8)text[at + i]] == bs_class[(u8)run[i]])
			i++;
		if (i == len)
			return true;
	}
	return len == 0;
}

static void test_matches(void **state _unused_)
{
	static const char *const pieces[] = {
		"a", "b", "ab",	 "-", ".", "?",	 "*",	"+",   "|",    "(",   ")",     "[", "]",
		"^", "$", "{2}", "{", "}", "\\", "\\.", "(?:", "(?i)", "\\d", "{0,1}", " ", ","
	};
	static const char *const letters[] = { "a", "b", "B", "-", ".", "1",
					       " ", "{", "}", ",", "ab" };
	unsigned int matches = 0;

	for (int i = 0; i < 60000; i++) {
		_cleanup_arena_ struct arena a = ARENA_INIT;
		char re[64], text[64];
		pcre2_match_data *data;
		PCRE2_SIZE offset;
		pcre2_code *code;
		int error;

		draw_from(re, 1 + draw(8), pieces, ARRAY_SIZE(pieces));
		code = pcre2_compile((PCRE2_SPTR)re, PCRE2_ZERO_TERMINATED, 0, &error, &offset,
				     NULL);
		if (!code)
			continue;
		data = pcre2_match_data_create_from_pattern(code, NULL);
		for (int k = 0; k < 20; k++) {
			draw_from(text, 1 + draw(8), letters, ARRAY_SIZE(letters));
			if (pcre2_match(code, (PCRE2_SPTR)text, strlen(text), 0, 0, data, NULL) < 0)
				continue;
			matches += *regex_run(&a, re) != '\0';
			if (!has(text, regex_run(&a, re)))
				fail_msg("%s matches '%s', not '%s'", re, text, regex_run(&a, re));
		}
		pcre2_match_data_free(data);
		pcre2_code_free(code);
	}
	assert_true(matches > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_matches),
	};

	return cmocka_run_group_tests_name("regex_run", tests, NULL, NULL);
}
