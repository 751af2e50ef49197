#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/paths.h"
#include "policy/policy.h"

static struct paths paths;

static int set_up(void **state _unused_)
{
	paths_init(&paths, "/home/dev/app/web", "/home/dev", "/home/dev/app", -1);
	return 0;
}

static void expect(enum path_class c, bool wanted, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (paths_has_class(&paths, list[i], c) != wanted)
			fail_msg("%s %s %s", list[i], wanted ? "is not" : "is", path_class_name(c));
}

#define EXPECT(class, wanted, ...)                                                                 \
	do {                                                                                       \
		static const char *const list[] = { __VA_ARGS__ };                                 \
		expect(class, wanted, list, ARRAY_SIZE(list));                                     \
	} while (0)

static void test_precious(void **state _unused_)
{
	EXPECT(PATH_PRECIOUS, true, "/", "/etc", "/home", "/home/dev", "/home/dev/app", "..", "../",
	       "../../x", "/home/dev/app/.git", "../.git/objects", "a.tfstate",
	       "x/a.tfstate.backup", "prod.db", ".env", ".env.local", "backups/x", "../backup",
	       "dump.sql", "k.pem", "/home/dev/Documents", "/home/dev/.ssh", "/srv/data",
	       "/tmp/../etc", "/var/lib/x", "backups/build/x", "/home/dev/*", "/dev/sda");
	EXPECT(PATH_PRECIOUS, false, "src", "../src/main.c", "node_modules", "node_modules/x/.env",
	       "dist", "a.log", "/tmp", "/tmp/x", "/var/tmp/x.db", "/dev/null", "/dev/shm/x",
	       "/home/dev/.cache/pip", "/home/dev/other/node_modules", "../.git/index.lock",
	       "build/backups", "", "{}", ";", "-", "tmp/x", "/home/dev/.cargo/registry/x",
	       "/var/cache/apt", "/dev/tty1");
}

static void test_others(void **state _unused_)
{
	EXPECT(PATH_SOURCE, true, "src", "x/*", "/home/dev/app/README");
	EXPECT(PATH_SOURCE, false, "..", "/etc/passwd", "dist/x", ".env", "/tmp/x", "/home/dev/x");
	EXPECT(PATH_SCRATCH, true, "/tmp", "/tmp/x/y", "/dev/null", "/root/.cache/x");
	EXPECT(PATH_SCRATCH, false, "/tmpx", "src", "/dev/sda", "/home/dev/.cachex");
	EXPECT(PATH_DATA, true, "a.db", "../.env", "/srv/x.sql", "/home/dev/.ssh/id_rsa",
	       "~/a.key");
	EXPECT(PATH_DATA, false, "backups/x", "/tmp/a.db", "dist/a.db", "a.dbx", "$X/a.db", "/");
	EXPECT(PATH_OUTPUT, true, "dist", "x/target/y", "/home/dev/p/__pycache__", "a.o");
	EXPECT(PATH_OUTPUT, false, "src", "/opt/dist", "/home/dev/tmp");
	EXPECT(PATH_HOME, true, "/home/dev", "/home/dev/", "/home", "/", "/root", "/home/dev/*",
	       "/home/eve");
	EXPECT(PATH_HOME, false, "/home/dev/x", "..", "/etc", "/home/dev/*/x");
	EXPECT(PATH_ROOT, true, "/", "/etc", "/*", "/etc/*", "/usr/", "/var", "//");
	EXPECT(PATH_ROOT, false, "/etc/x", "/tmp", "/home/dev", "etc");
	EXPECT(PATH_DEVICE, true, "/dev/sda", "/dev/nvme0n1p1", "/dev/mapper/x", "/dev/vg0/data");
	EXPECT(PATH_DEVICE, false, "/dev", "/dev/null", "/dev/pts/1", "/dev/ttyS0", "/devx", "sda");
	EXPECT(PATH_SYSTEM, true, "/etc/x", "/usr/lib/x", "/boot", "/var/lib/x", "/lib64/x");
	EXPECT(PATH_SYSTEM, false, "/tmp/x", "/home/dev", "/var/tmp/x", "/library", "/var/cache/x");
}

static void test_globs(void **state _unused_)
{
	assert_true(paths_match_glob(&paths, "../.ssh/x", "/home/dev/app/.ssh/*"));
	assert_true(paths_match_glob(&paths, "/home/dev/.ssh/x", "~/.ssh/*"));
	assert_true(paths_match_glob(&paths, "/home/dev/.ssh", "~/.ssh/**"));
	assert_true(paths_match_glob(&paths, "db/migrate/1", "migrate/*"));
	assert_false(paths_match_glob(&paths, "db/migrated/1", "migrate/*"));
	assert_false(paths_match_glob(&paths, "/x", "~/.ssh/*"));
}

static void test_nothing_known(void **state _unused_)
{
	struct paths p;

	paths_init(&p, NULL, NULL, NULL, -1);
	assert_true(paths_has_class(&p, "x", PATH_PRECIOUS));
	assert_false(paths_has_class(&p, "x", PATH_SOURCE));
	assert_true(paths_has_class(&p, "/x", PATH_PRECIOUS));
	assert_false(paths_has_class(&p, "/tmp/x", PATH_PRECIOUS));
	p.remote = true;
	assert_false(paths_has_class(&p, "web/node_modules", PATH_PRECIOUS));
	assert_true(paths_has_class(&p, "$X/y", PATH_PRECIOUS));
	assert_true(paths_has_class(&p, "~", PATH_HOME));
	assert_true(paths_has_class(&p, "~/*", PATH_HOME));
	assert_true(paths_has_class(&p, "~eve", PATH_HOME));
}

/* A path that is too long for anyone to resolve is precious. */
static void test_long_paths(void **state _unused_)
{
	static char path[3 * PATHS_MAX];

	memset(path, 'a', sizeof(path) - 1);
	assert_true(paths_has_class(&paths, path, PATH_PRECIOUS));
	path[0] = '/';
	assert_true(paths_has_class(&paths, path, PATH_PRECIOUS));
	assert_false(paths_has_class(&paths, path, PATH_SCRATCH));
	paths_match_glob(&paths, path, "~/x");
}

static void test_links(void **state _unused_)
{
	char dir[] = "/tmp/backstop-paths-XXXXXX", path[128];
	struct paths p;
	int root;

	assert_non_null(mkdtemp(dir));
	root = open(dir, O_PATH | O_DIRECTORY);
	assert_true(root >= 0);
	assert_int_equal(mkdirat(root, "tmp", 0700) | mkdirat(root, "etc", 0700), 0);
	assert_int_equal(symlinkat("/etc", root, "tmp/absolute"), 0);
	assert_int_equal(symlinkat("../etc", root, "tmp/relative"), 0);
	assert_int_equal(symlinkat("loop", root, "tmp/loop"), 0);
	assert_int_equal(symlinkat("../../../../tmp", root, "etc/back"), 0);
	paths_init(&p, "/tmp", NULL, NULL, root);
	assert_true(paths_has_class(&p, "absolute/x", PATH_SYSTEM));
	assert_true(paths_has_class(&p, "relative/x", PATH_SYSTEM));
	assert_true(paths_has_class(&p, "absolute/", PATH_SYSTEM));
	assert_true(paths_has_class(&p, "absolute", PATH_SCRATCH));
	assert_true(paths_has_class(&p, "/etc/back/x", PATH_SCRATCH));
	assert_true(paths_has_class(&p, "loop/x", PATH_PRECIOUS));
	assert_true(paths_has_class(&p, "absolute/../x", PATH_PRECIOUS));
	assert_true(paths_has_class(&p, "none/../x", PATH_SCRATCH));
	close(root);
	snprintf(path, sizeof(path), "rm -r %s", dir);
	assert_int_equal(system(path), 0);
}

static void test_workspace(void **state _unused_)
{
	assert_string_equal(policy_workspace("/home/dev/app", "/home/dev"), "/home/dev/app");
	assert_string_equal(policy_workspace("/srv/x", NULL), "/srv/x");
	assert_null(policy_workspace("/home/dev", "/home/dev"));
	assert_null(policy_workspace("/home/dev/", "/home/dev"));
	assert_null(policy_workspace("/home", "/home/dev"));
	assert_null(policy_workspace("/", "/home/dev"));
	assert_null(policy_workspace("/tmp/x", "/home/dev"));
	assert_null(policy_workspace(NULL, NULL));
	assert_null(policy_workspace("relative", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_precious, set_up),
		cmocka_unit_test_setup(test_others, set_up),
		cmocka_unit_test_setup(test_globs, set_up),
		cmocka_unit_test(test_nothing_known),
		cmocka_unit_test_setup(test_long_paths, set_up),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_workspace),
	};

	return cmocka_run_group_tests_name("paths", tests, NULL, NULL);
}
