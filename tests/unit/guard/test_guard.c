#include "fixture.h"

static void test_modes(void **state _unused_)
{
	static const char *const names[] = { "enforce", "shadow", "record" };

	assert_int_equal(ARRAY_SIZE(names), MODE_COUNT);
	for (int i = 0; i < MODE_COUNT; i++) {
		assert_string_equal(mode_name(i), names[i]);
		assert_int_equal(mode_parse(names[i]), i);
	}
}

static void test_words_that_are_no_mode(void **state _unused_)
{
	static const char *const words[] = { "", "Enforce", "enforce ", "enforc", "shadows", "0" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		assert_int_equal(mode_parse(words[i]), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_words_that_are_no_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
