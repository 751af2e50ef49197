#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "policy/paths.h"

#define NAMES 2000 /* more than there is room for */

static char dir[] = "/tmp/backstop-looks-XXXXXX", target[PATHS_MAX];
static int root;

static int set_up(void **state _unused_)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	root = open(dir, O_PATH | O_DIRECTORY);
	return root < 0 || mkdirat(root, "tmp", 0700) || mkdirat(root, "tmp/d", 0700) ||
	       mkdirat(root, "etc", 0700) || symlinkat("/etc", root, "tmp/link");
}

static int tear_down(void **state _unused_)
{
	char command[128];

	close(root);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void test_caches(void **state _unused_)
{
	struct looks l = { 0 };

	assert_int_equal(looks_recall(root, "tmp/d"), LOOK_FILE);
	assert_int_equal(looks_recall(root, "tmp/link"), LOOK_SILENT);
	assert_int_equal(looks_find(&l, root, "tmp/d", target), LOOK_FILE);
	assert_false(l.silent || l.pending);
	assert_int_equal(looks_find(&l, root, "tmp/link", target), LOOK_SILENT);
	assert_true(l.silent && l.pending);
	l = (struct looks) { .over = true };
	assert_int_equal(looks_find(&l, root, "tmp/link", target), LOOK_SILENT);
	assert_true(l.silent && !l.pending);
}

/* Below our own root the kernel tells where a link leads. */
static void test_links(void **state _unused_)
{
	_cleanup_close_ int own = open("/", O_PATH | O_DIRECTORY);
	struct looks l = { 0 };
	char name[64], end[64];

	snprintf(end, sizeof(end), "%s/tmp/d", dir);
	snprintf(name, sizeof(name), "%s/tmp/far", dir);
	assert_int_equal(symlink(end, name), 0);
	assert_int_equal(symlinkat("far", root, "tmp/near"), 0);
	assert_int_equal(symlinkat("none", root, "tmp/nowhere"), 0);
	assert_int_equal(symlinkat("/", root, "tmp/top"), 0);
	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%s/tmp/%s", dir + 1, i ? "far" : "near");
		assert_int_equal(looks_find(&l, own, name, target), LOOK_LINK);
		assert_string_equal(target, end);
	}
	snprintf(name, sizeof(name), "%s/tmp/top", dir + 1);
	assert_int_equal(looks_find(&l, own, name, target), LOOK_LINK);
	assert_string_equal(target, "/");
	assert_false(l.silent || l.pending);
	snprintf(name, sizeof(name), "%s/tmp/nowhere", dir + 1);
	assert_int_equal(looks_find(&l, own, name, target), LOOK_SILENT);
}

static void test_waiting(void **state _unused_)
{
	struct looks l = { .waits = true };

	for (int i = 0; i < 2; i++) {
		assert_int_equal(looks_find(i ? &l : NULL, root, "tmp/link", target), LOOK_LINK);
		assert_string_equal(target, "/etc");
		assert_int_equal(looks_find(i ? &l : NULL, root, "tmp/d", target), LOOK_FILE);
		assert_int_equal(looks_find(i ? &l : NULL, root, "tmp/no", target), LOOK_NOTHING);
		assert_int_equal(looks_find(i ? &l : NULL, root, "tmp/no/x", target), LOOK_NOTHING);
	}
	assert_false(l.silent || l.pending);
}

/* A child waits for all of them. */
static void look_aside(struct looks *l, u32 count)
{
	char name[32];
	pid_t pid;
	int status;

	assert_int_equal(looks_share(l), 0);
	pid = fork();
	if (!pid) {
		l->waits = true;
		for (u32 i = 0; i < count; i++) {
			snprintf(name, sizeof(name), i ? "tmp/link/%027u" : "tmp/link", i);
			looks_find(l, root, name, target);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_child(void **state _unused_)
{
	struct looks l = { 0 };

	look_aside(&l, 1);
	assert_int_equal(looks_find(&l, root, "tmp/link", target), LOOK_LINK);
	assert_string_equal(target, "/etc");
	assert_int_equal(looks_find(&l, root, "tmp/lin", target), LOOK_SILENT);
	looks_free(&l);
}

/* What finds no room is not known. */
static void test_room(void **state _unused_)
{
	struct looks l = { 0 };
	char name[64];

	look_aside(&l, NAMES);
	assert_int_equal(looks_find(&l, root, "tmp/link", target), LOOK_LINK);
	assert_false(l.silent);
	snprintf(name, sizeof(name), "tmp/link/%027u", NAMES - 1);
	assert_int_equal(looks_find(&l, root, name, target), LOOK_SILENT);
	assert_true(l.silent);
	looks_free(&l);
}

/* A path on which nobody answers counts as whatever is asked for; else it is resolved. */
static void test_paths(void **state _unused_)
{
	struct looks l = { 0 };
	struct paths p;

	paths_init(&p, "/tmp", NULL, NULL, root);
	p.looks = &l;
	for (int otherwise = 0; otherwise < 2; otherwise++) {
		p.otherwise = otherwise;
		for (int c = 0; c < PATH_CLASS_COUNT; c++)
			assert_int_equal(paths_has_class(&p, "link/x", (enum path_class)c),
					 otherwise);
		assert_int_equal(paths_match_glob(&p, "link/x", "/none"), otherwise);
		assert_int_equal(l.guessed, otherwise);
		assert_int_equal(paths_has_file(&p, "link", "x", true, otherwise), otherwise);
		assert_int_equal(paths_has_file(&p, "link", "x", false, otherwise), otherwise);
		assert_true(paths_has_class(&p, "d/../d/x", PATH_SCRATCH));
	}
	look_aside(&l, 1);
	assert_true(paths_has_class(&p, "link/x", PATH_SYSTEM));
	assert_false(paths_has_class(&p, "link/x", PATH_SCRATCH));
	looks_free(&l);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_caches), TEST(test_links), TEST(test_waiting),
		TEST(test_child),  TEST(test_room),  TEST(test_paths),
	};

	return cmocka_run_group_tests_name("looks", tests, NULL, NULL);
}
