/* Nonces are taken once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guard/spent.h"

static char dir[128], path[160];

static int set_up(void **state _unused_)
{
	snprintf(dir, sizeof(dir), "%s/backstop-spent-XXXXXX", getenv("TMPDIR") ?: "/tmp");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/decisions", dir);
	return 0;
}

static int tear_down(void **state _unused_)
{
	unlink(path);
	return rmdir(dir);
}

static const char *nonce(unsigned int n)
{
	static char text[40];

	snprintf(text, sizeof(text), "%032x", n);
	return text;
}

static void write_file(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void test_once(void **state _unused_)
{
	struct stat st;

	assert_int_equal(spent_add(path, nonce(1), 2000, 1000), 0);
	assert_int_equal(spent_add(path, nonce(2), 2000, 1000), 0);
	assert_int_equal(spent_add(path, nonce(1), 2000, 1001), -EEXIST);
	assert_int_equal(spent_add(path, nonce(2), 3000, 1001), -EEXIST);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

/* One that has expired is forgotten; a clock that is set back brings it back to no life. */
static void test_clock_is_set_back(void **state _unused_)
{
	assert_int_equal(spent_add(path, nonce(1), 2000, 1000), 0);
	assert_int_equal(spent_add(path, nonce(2), 9000, 5000), 0);
	assert_int_equal(spent_add(path, nonce(1), 2000, 1000), -EEXIST);
	assert_int_equal(spent_add(path, nonce(3), 1999, 1000), -EEXIST);
	assert_int_equal(spent_add(path, nonce(3), 2001, 1000), 0);
	assert_int_equal(spent_add(path, nonce(2), 9000, 1000), -EEXIST);
}

static void test_limit(void **state _unused_)
{
	for (unsigned int i = 0; i < SPENT_MAX; i++)
		assert_int_equal(spent_add(path, nonce(i), 2000, 1000), 0);
	assert_int_equal(spent_add(path, nonce(SPENT_MAX), 2000, 1000), -ENOSPC);
	assert_int_equal(spent_add(path, nonce(SPENT_MAX), 3000, 2000), 0);
}

static void test_damaged(void **state _unused_)
{
	static const char *const texts[] = {
		"",
		"forgotten\n",
		"forgotten 0",
		"forgotten 0\n0123 5\n",
		"forgotten 0\n00000000000000000000000000000001 2000",
		"forgotten 0\n00000000000000000000000000000001 2000 \n",
		"forgotten 0\n0000000000000000000000000000000g 2000\n",
		"remembered 0\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		write_file(texts[i]);
		if (spent_add(path, nonce(7), 2000, 1000) != -EUCLEAN)
			fail_msg("%s", texts[i]);
	}
	write_file("forgotten 0\n");
	assert_int_equal(spent_add(path, nonce(7), 2000, 1000), 0);
}

static void test_no_place(void **state _unused_)
{
	assert_int_equal(spent_add("/proc/none/decisions", nonce(1), 2000, 1000), -ENOENT);
}

int main(void)
{
#define SPENT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		SPENT_TEST(test_once),	   SPENT_TEST(test_clock_is_set_back),
		SPENT_TEST(test_limit),	   SPENT_TEST(test_damaged),
		SPENT_TEST(test_no_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
