#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "record/hosts.h"

static struct slice slice(const char *text)
{
	return (struct slice) { text, strlen(text) };
}

static int take(struct hosts *h, const char *machine, int64_t line, const char *key,
		struct host **ret)
{
	const struct event e = { .machine = slice(machine), .line = line, .key = slice(key) };

	return hosts_take(h, &e, ret);
}

static void test_twice(void **state _unused_)
{
	struct hosts h = { 0 };
	struct host *a = NULL, *b = NULL, *none = NULL;

	assert_int_equal(take(&h, "a", 1, "", &a), 1);
	assert_int_equal(take(&h, "b", 1, "", &b), 1);
	assert_int_equal(take(&h, "a", 1, "", &a), 0);
	assert_int_equal(take(&h, "a", 2, "", &a), 1);
	assert_ptr_not_equal(a, b);
	assert_int_equal(a->id, 1);
	assert_int_equal(b->id, 2);
	assert_string_equal(a->known, "a");
	assert_int_equal(take(&h, "a", 0, "", &a), 1);
	assert_int_equal(take(&h, "a", 0, "", &a), 1);
	assert_int_equal(take(&h, "a", -3, "", &a), 1);
	assert_int_equal(a->lines.count, 1);
	assert_int_equal(take(&h, "", 1, "", &none), 1);
	assert_null(none);
	assert_int_equal(h.count, 2);
	hosts_free(&h);
}

static void test_gaps(void **state _unused_)
{
	struct number_range gap = { 0 };
	struct hosts h = { 0 };
	struct host *n = NULL;

	assert_int_equal(take(&h, "a", 5, "", &n), 1);
	assert_false(host_last_gap(n, &gap));
	assert_int_equal(n->changed_from, 5);
	assert_int_equal(take(&h, "a", 9, "", &n), 1);
	assert_true(host_last_gap(n, &gap));
	assert_int_equal(gap.first, 6);
	assert_int_equal(gap.last, 8);
	for (int i = 6; i < 9; i++)
		assert_int_equal(take(&h, "a", i, "", &n), 1);
	assert_false(host_last_gap(n, &gap));
	assert_int_equal(n->changed_from, 5);
	hosts_free(&h);
}

/* A name stands for it where a host has no machine id. */
static void test_named(void **state _unused_)
{
	const struct event e = { .host = slice("web"), .line = 1 },
			   other = { .host = slice("web"), .machine = slice("4f2c"), .line = 1 };
	struct hosts h = { 0 };
	struct host *n = NULL, *m = NULL;

	assert_null(hosts_find(&h, &e));
	assert_int_equal(hosts_take(&h, &e, &n), 1);
	assert_int_equal(hosts_take(&h, &other, &m), 1);
	assert_ptr_equal(hosts_find(&h, &e), n);
	assert_ptr_equal(hosts_find(&h, &other), m);
	hosts_free(&h);
}

static void test_another_key(void **state _unused_)
{
	char one[2 * CHAIN_PUBLIC + 1], two[2 * CHAIN_PUBLIC + 1];
	struct hosts h = { 0 };
	struct host *n = NULL;

	memset(one, '1', sizeof(one) - 1);
	memset(two, '2', sizeof(two) - 1);
	one[sizeof(one) - 1] = two[sizeof(two) - 1] = '\0';
	assert_int_equal(take(&h, "a", 1, "", &n), 1);
	assert_int_equal(take(&h, "a", 2, one, &n), 1);
	assert_int_equal(take(&h, "a", 3, "", &n), 1);
	assert_int_equal(take(&h, "a", 2, one, &n), 0);
	assert_string_equal(n->key, one);
	assert_true(host_begins_anew(n, &(struct event) { .key = slice(two) }));
	assert_false(host_begins_anew(n, &(struct event) { .key = slice("22") }));
	assert_false(host_begins_anew(n, &(struct event) { .key = slice(one) }));
	assert_int_equal(take(&h, "a", 1, two, &n), 1);
	assert_int_equal(n->changed_from, 0);
	assert_int_equal(take(&h, "a", 2, "", &n), 1);
	assert_int_equal(n->lines.ranges[0].last, 2);
	hosts_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_another_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
