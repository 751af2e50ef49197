#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/map.h"

#define KEYS 512

/* The naive map: an array indexed by the key's number. */
static void *naive[KEYS];

static uint64_t key_of(unsigned int i, unsigned int shape)
{
	static const uint64_t step[] = { 1, 1ULL << 32, 4096, 0x9e3779b97f4a7c15ULL };

	return i * step[shape];
}

static size_t naive_count(void)
{
	size_t n = 0;

	for (int i = 0; i < KEYS; i++)
		n += naive[i] != NULL;
	return n;
}

static void assert_same(const struct map *m, unsigned int shape)
{
	size_t seen = 0;
	void *v;

	for (unsigned int i = 0; i < KEYS; i++)
		assert_ptr_equal(map_get(m, key_of(i, shape)), naive[i]);
	assert_int_equal(m->count, naive_count());
	map_for_each (m, v)
		seen++;
	assert_int_equal(seen, m->count);
}

static void one_random_step(struct map *m, unsigned int shape, unsigned int keys,
			    unsigned int *seed)
{
	unsigned int i = rand_r(seed) % keys;
	uint64_t key = key_of(i, shape);

	switch (rand_r(seed) % 3) {
	case 0:
		naive[i] = &naive[rand_r(seed) % KEYS];
		assert_int_equal(map_set(m, key, naive[i]), 0);
		break;
	case 1:
		assert_ptr_equal(map_remove(m, key), naive[i]);
		naive[i] = NULL;
		break;
	default:
		assert_ptr_equal(map_get(m, key), naive[i]);
	}
}

static void test_random_steps_against_the_naive_map(void **state _unused_)
{
	for (unsigned int seed = 1; seed <= 40; seed++) {
		unsigned int random = seed, shape = seed % 4, keys = seed % 5 ? KEYS : 24;
		struct map m = MAP_INIT;

		for (int i = 0; i < KEYS; i++)
			naive[i] = NULL;
		for (int i = 0; i < 20000; i++) {
			one_random_step(&m, shape, keys, &random);
			if (i % 1000 == 0)
				assert_same(&m, shape);
		}
		assert_same(&m, shape);
		map_free(&m);
	}
}

static void test_growth_keeps_everything(void **state _unused_)
{
	struct map m = MAP_INIT;
	static char values[100000];

	for (uint64_t i = 0; i < sizeof(values); i++)
		assert_int_equal(map_set(&m, i * 0x10001, &values[i]), 0);
	assert_int_equal(m.count, sizeof(values));
	for (uint64_t i = 0; i < sizeof(values); i++)
		assert_ptr_equal(map_remove(&m, i * 0x10001), &values[i]);
	assert_int_equal(m.count, 0);
	map_free(&m);
	assert_null(m.slots);
}

static void test_empty(void **state _unused_)
{
	struct map m = MAP_INIT;
	void *v;

	assert_null(map_get(&m, 0));
	assert_null(map_remove(&m, 0));
	map_for_each (&m, v)
		fail();
	assert_int_equal(map_set(&m, 0, &m), 0);
	assert_ptr_equal(map_get(&m, 0), &m);
	assert_null(map_get(&m, 1));
	map_free(&m);
	map_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_steps_against_the_naive_map),
		cmocka_unit_test(test_growth_keeps_everything),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
