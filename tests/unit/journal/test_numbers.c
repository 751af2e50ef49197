#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "journal/numbers.h"

static int set_up(void **state)
{
	static struct numbers set;

	set = NUMBERS_INIT;
	*state = &set;
	return 0;
}

static int tear_down(void **state)
{
	numbers_free(*state);
	return 0;
}

static void test_empty(void **state)
{
	assert_false(numbers_has(*state, 0));
	assert_false(numbers_has(*state, 1));
}

static void test_in_order(void **state)
{
	struct numbers *s = *state;

	for (uint64_t n = 1; n <= 1000; n++)
		assert_int_equal(numbers_add(s, n), 1);
	assert_int_equal(s->count, 1);
	assert_int_equal(numbers_add(s, 1), 0);
	assert_int_equal(numbers_add(s, 1000), 0);
	assert_true(numbers_has(s, 500));
	assert_false(numbers_has(s, 0));
	assert_false(numbers_has(s, 1001));
}

static void test_gaps_and_joins(void **state)
{
	static const uint64_t order[] = { 10, 30, 20, 11, 9, 29, 21, 19, 31 };
	struct numbers *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		assert_int_equal(numbers_add(s, order[i]), 1);
	assert_int_equal(s->count, 3);
	assert_false(numbers_has(s, 12));
	assert_true(numbers_has(s, 19));
	for (uint64_t n = 12; n <= 18; n++)
		assert_int_equal(numbers_add(s, n), 1);
	assert_int_equal(s->count, 2);
	assert_int_equal(s->ranges[0].first, 9);
	assert_int_equal(s->ranges[0].last, 21);
}

/* Against a plain table. */
static void test_any_order(void **state)
{
	enum { RANGE = 512 };
	bool has[RANGE] = { 0 };
	struct numbers *s = *state;
	uint32_t random = 1;

	for (int i = 0; i < 3000; i++) {
		uint32_t n = (random = random * 1664525 + 1013904223) >> 16 & (RANGE - 1);

		assert_int_equal(numbers_add(s, n), !has[n]);
		has[n] = true;
		for (uint32_t k = 0; i % 100 == 0 && k < RANGE; k++)
			assert_int_equal(numbers_has(s, k), has[k]);
	}
	for (size_t i = 1; i < s->count; i++)
		assert_true(s->ranges[i].first > s->ranges[i - 1].last + 1);
}

static void test_lowest_gaps_are_forgotten(void **state)
{
	struct numbers *s = *state;

	for (uint64_t i = 0; i < NUMBERS_RANGES + 2; i++)
		assert_int_equal(numbers_add(s, 2 * i), 1);
	assert_int_equal(s->count, NUMBERS_RANGES);
	assert_true(numbers_has(s, 1));
	assert_true(numbers_has(s, 3));
	assert_false(numbers_has(s, 5));
	assert_true(numbers_has(s, 2 * (NUMBERS_RANGES + 1)));
}

int main(void)
{
#define NUMBERS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		NUMBERS_TEST(test_empty),
		NUMBERS_TEST(test_in_order),
		NUMBERS_TEST(test_gaps_and_joins),
		NUMBERS_TEST(test_any_order),
		NUMBERS_TEST(test_lowest_gaps_are_forgotten),
	};

	return cmocka_run_group_tests_name("numbers", tests, NULL, NULL);
}
