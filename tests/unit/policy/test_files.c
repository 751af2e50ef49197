#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/paths.h"

/* A link's target is looked for in the root of the command, not in that of the guard. */
static void test_files(void **state _unused_)
{
	char dir[] = "/tmp/backstop-paths-XXXXXX", command[128];
	struct paths p;
	int root;

	assert_non_null(mkdtemp(dir));
	root = open(dir, O_PATH | O_DIRECTORY);
	assert_true(root >= 0);
	assert_int_equal(mkdirat(root, "w", 0700), 0);
	assert_int_equal(mkdirat(root, "w/sub", 0700), 0);
	assert_int_equal(mkdirat(root, "h", 0700), 0);
	assert_int_equal(symlinkat("/w/sub", root, "w/there"), 0);
	assert_int_equal(symlinkat("/etc/passwd", root, "w/gone"), 0);
	paths_init(&p, "/w", "/h", NULL, root);
	assert_true(paths_has_file(&p, ".", "sub", true, false));
	assert_false(paths_has_file(&p, ".", "sub", false, true));
	assert_true(paths_has_file(&p, "/", "w/sub", true, false));
	assert_true(paths_has_file(&p, "sub", ".", true, false));
	assert_true(paths_has_file(&p, "x", "/w/there", true, false));
	assert_true(paths_has_file(&p, "x", "~/", true, false));
	assert_false(paths_has_file(&p, ".", "gone", true, true));
	assert_true(paths_has_file(&p, ".", "none", false, false));
	assert_true(paths_has_file(&p, "none", "none", false, false));
	close(root);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

/* What cannot be looked at is as the caller says; elsewhere there is nothing to say. */
static void test_unknown_files(void **state _unused_)
{
	static const char *const files[] = { "a/b", "/x", NULL };
	struct paths p;

	paths_init(&p, "/w", NULL, NULL, -1);
	assert_true(paths_has_file(&p, ".", "a", true, true));
	assert_false(paths_has_file(&p, ".", "a", false, false));
	assert_true(paths_has_file(&p, ".", "~/a", false, true));
	p.files = files;
	assert_true(paths_has_file(&p, ".", "a", true, false));
	assert_true(paths_has_file(&p, "a", "../a/b", true, false));
	assert_true(paths_has_file(&p, ".", "/x", true, false));
	assert_true(paths_has_file(&p, ".", "/a", false, false));
	p.remote = true;
	assert_false(paths_has_file(&p, ".", "a", true, true));
	assert_false(paths_has_file(&p, ".", "c", false, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_unknown_files),
	};

	return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
