#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/path.h"

static void assert_joined(const char *dir, const char *path, const char *want)
{
	_cleanup_free_ char *got = path_join(dir, path);

	assert_string_equal(got, want);
}

static void test_join(void **state _unused_)
{
	assert_joined("/srv/app", "x", "/srv/app/x");
	assert_joined("/srv/app/", "./a//b/", "/srv/app/a/b");
	assert_joined("/srv/app", "../../x", "/x");
	assert_joined("/srv/app", "../../../..", "/");
	assert_joined("/", "", "/");
	assert_joined("/srv", "/etc/../tmp/x", "/tmp/x");
	assert_joined("/srv", "...", "/srv/...");
	assert_joined("/srv", ".git/..x", "/srv/.git/..x");
}

static void test_base(void **state _unused_)
{
	assert_string_equal(path_base("/usr/bin/rm"), "rm");
	assert_string_equal(path_base("rm"), "rm");
	assert_string_equal(path_base("/usr/"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_base),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
