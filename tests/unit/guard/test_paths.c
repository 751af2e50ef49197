#include "fixture.h"
#include "fake_kernel.h"

#include <pwd.h>

static void test_users(void **state _unused_)
{
	struct users *u = users_new();
	FILE *f = fopen("/etc/passwd", "re");
	unsigned int seen = 0;
	struct passwd *pw;

	while (f && (pw = fgetpwent(f))) {
		char name[64];

		snprintf(name, sizeof(name), "%s", pw->pw_name);
		/* several names for one number: the first counts, as it does for getpwuid() */
		if (!strcmp(getpwuid(pw->pw_uid)->pw_name, name)) {
			assert_string_equal(users_name(u, pw->pw_uid), name);
			seen++;
		}
	}
	fclose(f);
	assert_true(seen > 0);
	assert_string_equal(users_name(u, 0), "root");
	assert_null(users_name(u, 3999999999U));
	assert_null(users_name(u, (uid_t)-1));
	users_free(u);
}

static void test_terminals(void **state _unused_)
{
	static const struct {
		u32 dev;
		const char *name;
	} cases[] = {
		{ 0, "" },
		{ 136 << 20 | 3, "pts/3" },
		{ 137 << 20 | 1, "pts/257" },
		{ 136 << 20 | 300, "pts/300" },
		{ 143 << 20 | 255, "pts/2047" },
		{ 4 << 20 | 1, "tty1" },
		{ 4 << 20 | 63, "tty63" },
		{ 4 << 20 | 64, "ttyS0" },
		{ 4 << 20 | 65, "ttyS1" },
		{ 5 << 20 | 1, "5:1" },
		{ 229U << 20, "229:0" },
	};
	char name[32];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		strcpy(name, "unset");
		tty_name(cases[i].dev, name, sizeof(name));
		assert_string_equal(name, cases[i].name);
	}
}

/* ---- cgroups */

static void skip_because(const char *reason)
{
	print_message("skipped: %s\n", reason);
	skip();
}

/* Our own cgroup2 path, as /proc says it. */
static void own_cgroup(char *path, size_t size)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[4096] = "";

	while (f && fgets(line, sizeof(line), f) && strncmp(line, "0::", 3))
		;
	if (f)
		fclose(f);
	if (strncmp(line, "0::", 3))
		skip_because("there is no cgroup2 here");
	line[strcspn(line, "\n")] = '\0';
	snprintf(path, size, "%s", line + 3);
}

static char *cgroup_mount(void)
{
	_cleanup_free_ char *line = NULL, *mount = NULL;
	FILE *f = fopen("/proc/mounts", "re");
	size_t size = 0;

	while (!mount && getline(&line, &size, f) > 0)
		if (strstr(line, " cgroup2 "))
			assert_int_equal(sscanf(line, "%*s %ms", &mount), 1);
	fclose(f);
	if (!mount)
		skip_because("cgroup2 is not mounted");
	return TAKE_PTR(mount);
}

static u64 cgroup_id(const char *mount, const char *path)
{
	struct {
		struct file_handle head;
		u64 id;
	} h = { .head.handle_bytes = sizeof(u64) };
	char full[8192];
	int id;
	u64 ret;

	snprintf(full, sizeof(full), "%s%s", mount, path);
	assert_int_equal(name_to_handle_at(AT_FDCWD, full, &h.head, &id, 0), 0);
	memcpy(&ret, h.head.f_handle, sizeof(ret));
	return ret;
}

static void test_cgroup(void **state _unused_)
{
	_cleanup_free_ char *mount = cgroup_mount();
	char path[4096];
	const char *found;
	u64 id;

	if (geteuid())
		skip_because("only root finds a cgroup by its number");
	own_cgroup(path, sizeof(path));
	id = cgroup_id(mount, path);
	found = paths_cgroup(guard.paths, id);
	assert_non_null(found);
	assert_string_equal(found, path);
	assert_ptr_equal(paths_cgroup(guard.paths, id), found); /* not looked for twice */
	assert_string_equal(paths_cgroup(guard.paths, cgroup_id(mount, "")), "/");
	assert_null(paths_cgroup(guard.paths, 0xffffffffffffULL));
}

/* ---- files */

static void test_files(void **state _unused_)
{
	struct paths *p = guard.paths;

	assert_null(paths_file(p, 3, 11));
	paths_learn(p, 3, 11, "/usr/bin/zap");
	assert_string_equal(paths_file(p, 3, 11), "/usr/bin/zap");
	assert_null(paths_file(p, 4, 11));
	assert_null(paths_file(p, 3, 12));
	paths_learn(p, 3, 11, "/usr/bin/zap");
	assert_string_equal(paths_file(p, 3, 11), "/usr/bin/zap");
	paths_learn(p, 3, 11, "/usr/bin/renamed");
	assert_string_equal(paths_file(p, 3, 11), "/usr/bin/renamed");
}

/* Two files may have one place in the table: then the later one is known, and no name is wrong. */
static void test_files_of_one_place(void **state _unused_)
{
	const u64 factor = 0x9e3779b97f4a7c15ULL;
	u64 inverse = 1, inode;

	for (int i = 0; i < 6; i++)
		inverse *= 2 - factor * inverse;
	inode = (factor ^ 5) * inverse; /* inode * factor ^ 5 == 1 * factor ^ 0 */
	paths_learn(guard.paths, 0, 1, "/one");
	paths_learn(guard.paths, 5, inode, "/two");
	assert_string_equal(paths_file(guard.paths, 5, inode), "/two");
	assert_null(paths_file(guard.paths, 0, 1));
}

#define LIMIT 4096

static void test_files_up_to_the_limit(void **state _unused_)
{
	struct paths *p = guard.paths;

	for (u64 i = 1; i <= LIMIT; i++)
		paths_learn(p, 3, i, "/bin/zap");
	assert_non_null(paths_file(p, 3, 1));
	assert_non_null(paths_file(p, 3, LIMIT));
	paths_learn(p, 3, LIMIT + 1, "/bin/last");
	assert_null(paths_file(p, 3, 1)); /* it starts anew */
	assert_string_equal(paths_file(p, 3, LIMIT + 1), "/bin/last");
	paths_learn(p, 3, 1, "/bin/zap");
	assert_string_equal(paths_file(p, 3, 1), "/bin/zap");
}

static void test_nothing_to_free(void **state _unused_)
{
	users_free(NULL);
	paths_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_terminals),
		GUARD_TEST(test_cgroup),
		GUARD_TEST(test_files),
		GUARD_TEST(test_files_of_one_place),
		GUARD_TEST(test_files_up_to_the_limit),
		cmocka_unit_test(test_nothing_to_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
