/* Which files are named to the kernel, and how. */
#include "fixture.h"
#include "fake_kernel.h"

#include <limits.h>
#include <sys/stat.h>

#include "base/io.h"
#include "guard/protect_files.h"

static char watched[64][PATH_MAX];
static int watched_count;

static void watch(void *data _unused_, const char *directory)
{
	if (watched_count < (int)ARRAY_SIZE(watched))
		snprintf(watched[watched_count++], PATH_MAX, "%s", directory);
}

/* The flags that it was named with, all together; 0: it was not. */
static u32 flags_of(const char *path)
{
	u32 flags = 0;

	for (int i = 0; i < fake.protected_count; i++)
		if (!strcmp(fake.protected[i].path, path))
			flags |= fake.protected[i].flags;
	return flags;
}

static const char *below(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", state_dir, name);
	return path;
}

static void make_file(const char *name)
{
	int fd = open(below(name), O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static void fill(void)
{
	fake.protected_count = watched_count = 0;
	guard.options.socket = "/nonexistent/guard.sock";
	guard.pins = state_dir;
	protect_files(&guard, watch, NULL);
}

static void test_state(void **state _unused_)
{
	char above[PATH_MAX];

	assert_int_equal(mkdir(below("journal"), 0700), 0);
	assert_int_equal(mkdir(below("journal/deep"), 0700), 0);
	fill();
	assert_int_equal(flags_of(state_dir), BS_PROTECT_INSIDE | BS_PROTECT_NAME);
	assert_true(flags_of(below("journal")) & BS_PROTECT_INSIDE);
	assert_int_equal(flags_of(below("journal/deep")), BS_PROTECT_INSIDE);
	snprintf(above, sizeof(above), "%s", state_dir);
	*strrchr(above, '/') = '\0';
	assert_int_equal(flags_of(above), BS_PROTECT_NAME);
	assert_int_equal(flags_of("/"), 0);
}

static void test_settings(void **state _unused_)
{
	char settings[PATH_MAX];

	make_file("own.yaml");
	snprintf(settings, sizeof(settings), "%s", below("own.yaml"));
	guard.options.settings = settings;
	fill();
	assert_int_equal(flags_of(settings), BS_PROTECT_FILE);
	assert_int_equal(unlink(settings), 0);
	fill();
	assert_int_equal(flags_of(settings), 0);
	for (int i = 0; i < watched_count; i++)
		if (!strcmp(watched[i], state_dir))
			return;
	fail_msg("where it may come into being is not watched");
}

static void test_program(void **state _unused_)
{
	_cleanup_free_ char *exe = proc_readlink(getpid(), "exe");

	fill();
	assert_true(flags_of(exe) & BS_PROTECT_FILE);
}

static void test_reader(void **state _unused_)
{
	_cleanup_free_ char *dir = io_exe_dir(), *path = NULL;
	int fd;

	assert_true(asprintf(&path, "%s/backstop-context", dir) > 0);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_true(fd >= 0);
	close(fd);
	fill();
	assert_int_equal(unlink(path), 0);
	assert_true(flags_of(path) & BS_PROTECT_FILE);
}

/* The real one is protected, and what is above it. */
static void test_link(void **state _unused_)
{
	char link[PATH_MAX];

	make_file("real");
	snprintf(link, sizeof(link), "%s", below("link"));
	assert_int_equal(symlink("real", link), 0);
	guard.options.settings = link;
	fill();
	assert_int_equal(flags_of(below("real")), BS_PROTECT_FILE);
}

static void test_cgroup(void **state _unused_)
{
	fill();
	for (int i = 0; i < fake.protected_count; i++)
		if (fake.protected[i].flags & BS_PROTECT_CGROUP)
			assert_string_not_equal(fake.protected[i].path,
						paths_cgroup_root(guard.paths));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GUARD_TEST(test_state),	 GUARD_TEST(test_settings), GUARD_TEST(test_program),
		GUARD_TEST(test_reader), GUARD_TEST(test_link),	    GUARD_TEST(test_cgroup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
