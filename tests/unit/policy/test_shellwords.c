#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/strbuf.h"
#include "policy/shellwords.h"

/* The words with | between them; NULL where they cannot be split. */
static const char *split(const char *line)
{
	static char text[256];
	char **words, *end = text;
	size_t count, n = 0;

	if (shellwords_split(line, &words, &count))
		return NULL;
	*end = '\0';
	for (; words[n]; n++)
		end = stpcpy(stpcpy(end, n ? "|" : ""), words[n]);
	assert_int_equal(n, count);
	shellwords_free(words);
	return text;
}

static void test_words(void **state _unused_)
{
	assert_string_equal(split("rm -rf /"), "rm|-rf|/");
	assert_string_equal(split("  a\t b\n"), "a|b");
	assert_string_equal(split(""), "");
	assert_string_equal(split("git commit -m 'a \"b\" c'"), "git|commit|-m|a \"b\" c");
	assert_string_equal(split("a\"b 'c'\"d"), "ab 'c'd");
	assert_string_equal(split("a\\ b \"\\\"\\x\\$\""), "a b|\"\\x$");
	assert_string_equal(split("'' \"\" x"), "||x");
	assert_string_equal(split("$HOME *"), "$HOME|*");
	assert_string_equal(split("a\\"), "a\\");
}

static void test_open_quotes(void **state _unused_)
{
	assert_null(split("a 'b"));
	assert_null(split("a \"b"));
	assert_null(split("a \"b\\\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_open_quotes),
	};

	return cmocka_run_group_tests_name("shellwords", tests, NULL, NULL);
}
