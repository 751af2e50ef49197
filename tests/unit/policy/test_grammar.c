#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/grammar.h"

#define W(s) ((char *)(s))

static void test_lists(void **state _unused_)
{
	assert_true(grammar_lists("a bc d", "bc", 2));
	assert_true(grammar_lists("a bc d", "d", 1));
	assert_false(grammar_lists("a bc d", "b", 1));
	assert_false(grammar_lists("", "", 1));
	assert_false(grammar_lists(NULL, "a", 1));
}

static void test_values(void **state _unused_)
{
	static const struct grammar g = { "fo", "--file -jar", false };

	assert_true(grammar_takes_next(&g, "-f"));
	assert_true(grammar_takes_next(&g, "-xf"));
	assert_true(grammar_takes_next(&g, "--file"));
	assert_true(grammar_takes_next(&g, "-jar"));
	assert_false(grammar_takes_next(&g, "-fx"));
	assert_false(grammar_takes_next(&g, "-x"));
	assert_false(grammar_takes_next(&g, "--file=x"));
	assert_false(grammar_takes_next(&g, "--other"));
}

static void test_flags(void **state _unused_)
{
	static const struct grammar g = { "it", "--rm", true };

	assert_false(grammar_takes_next(&g, "-it"));
	assert_false(grammar_takes_next(&g, "--rm"));
	assert_false(grammar_takes_next(&g, "--name=x"));
	assert_false(grammar_takes_next(&g, "-vx"));
	assert_true(grammar_takes_next(&g, "--name"));
	assert_true(grammar_takes_next(&g, "-itv"));
}

static void test_skip(void **state _unused_)
{
	static const struct grammar g = { "f", NULL, false };
	char *words[] = { W("-f"), W("x"), W("-a"), W("--"), W("-b"), W("-"), W("-f"), NULL };

	assert_int_equal(grammar_skip_options(&g, words, 7, 0), 4);
	assert_int_equal(grammar_skip_options(&g, words, 7, 4), 5);
	assert_int_equal(grammar_skip_options(&g, words, 7, 6), 7);
	assert_int_equal(grammar_skip_options(&g, words, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_skip),
	};

	return cmocka_run_group_tests_name("grammar", tests, NULL, NULL);
}
