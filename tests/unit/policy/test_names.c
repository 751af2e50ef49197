#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "policy/paths.h"
#include "policy/policy.h"

static void test_round_trip(void **state _unused_)
{
	for (int i = 0; i < VERDICT_COUNT; i++)
		assert_int_equal(verdict_parse(verdict_name((enum verdict)i)), i);
	for (int i = 0; i < SEVERITY_COUNT; i++)
		assert_int_equal(severity_parse(severity_name((enum severity)i)), i);
	for (int i = 0; i < PATH_CLASS_COUNT; i++)
		assert_int_equal(path_class_parse(path_class_name((enum path_class)i)), i);
	assert_int_equal(verdict_parse("Hold"), -EINVAL);
	assert_int_equal(severity_parse(""), -EINVAL);
	assert_int_equal(path_class_parse("nowhere"), -EINVAL);
}

static void test_find(void **state _unused_)
{
	char *path = NULL;

	assert_int_equal(policy_find("some/image", &path), 0);
	assert_string_equal(path, "some/image");
	free(path);
	assert_int_equal(policy_find(NULL, &path), 0);
	assert_int_equal(path[0], '/');
	assert_non_null(strstr(path, "policy.image"));
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
