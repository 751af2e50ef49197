#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/library.h"
#include "base/util.h"

static struct {
	LIBRARY_MEMBER(floor)
	LIBRARY_MEMBER(hypot)
} api;

static void test_calls(void **state _unused_)
{
	const struct library_call calls[] = { { "floor", (void **)&api.floor },
					      { "hypot", (void **)&api.hypot } };
	char *why = NULL;

	assert_int_equal(library_load("libm.so.6", calls, 2, &why), 0);
	assert_null(why);
	assert_true(api.floor(3.5) == 3);
	assert_true(api.hypot(3, 4) == 5);
}

static void test_what_is_missing(void **state _unused_)
{
	void *one = &api, *two = &api;
	const struct library_call calls[] = { { "floor", &one }, { "no_such_call", &two } };
	_cleanup_free_ char *why = NULL, *other = NULL;

	assert_int_equal(library_load("libno-such.so.1", calls, 1, &why), -ELIBACC);
	assert_non_null(strstr(why, "libno-such.so.1"));
	assert_int_equal(library_load("libm.so.6", calls, 2, &other), -ELIBACC);
	assert_non_null(strstr(other, "no_such_call"));
	assert_ptr_equal(one, &api);
	assert_ptr_equal(two, &api);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_what_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
