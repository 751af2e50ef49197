/* A copy of this very program replaces itself: see main(). */
#include "fixture.h"

#include "base/io.h"
#include "guard/upgrade.h"

static void copy_self(const char *to)
{
	char command[256];

	snprintf(command, sizeof(command), "cp /proc/%d/exe '%s'", getpid(), to);
	assert_int_equal(system(command), 0);
}

/* Exits with 10 times whether an upgrade is due before, and once after its file was replaced. */
static int replace_self(const char *path)
{
	char other[256];
	int before = upgrade_is_due();

	snprintf(other, sizeof(other), "%s.new", path);
	copy_self(other);
	if (rename(other, path))
		return 99;
	return 10 * before + upgrade_is_due();
}

static void test_not_due(void **state _unused_)
{
	assert_false(upgrade_is_due());
}

static void test_due_once_replaced(void **state _unused_)
{
	char dir[] = "/tmp/backstop-upgrade-XXXXXX", path[64];
	int status;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/program", dir);
	copy_self(path);
	if (!fork()) {
		execl(path, path, path, NULL);
		_exit(98);
	}
	assert_true(wait(&status) > 0);
	unlink(path);
	rmdir(dir);
	assert_int_equal(WEXITSTATUS(status), 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_due),
		cmocka_unit_test(test_due_once_replaced),
	};

	if (argc > 1)
		return replace_self(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
