#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "journal/segment.h"

static int dir_fd = -1;
static char dir[64];

static int set_up(void **state _unused_)
{
	strcpy(dir, "/tmp/backstop-segment-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir_fd < 0 ? -1 : 0;
}

static int tear_down(void **state _unused_)
{
	char command[128];

	close(dir_fd);
	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	return system(command);
}

static void touch(const char *name)
{
	int fd = openat(dir_fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static void test_names_sort(void **state _unused_)
{
	assert_string_equal(segment_name(1).text, "journal-0000000000000001.jsonl");
	assert_string_equal(segment_name(UINT64_MAX).text, "journal-18446744073709551615.jsonl");
	assert_true(strcmp(segment_name(9).text, segment_name(10).text) < 0);
	assert_true(strcmp(segment_name(99999).text, segment_name(100000).text) < 0);
}

static void test_find(void **state _unused_)
{
	uint64_t index = 5;

	assert_int_equal(segment_find_newest(dir_fd, &index), 0);
	assert_int_equal(index, 0);
	touch(segment_name(7).text);
	touch(segment_name(2).text);
	touch(segment_name(40).text);
	assert_int_equal(segment_find_newest(dir_fd, &index), 0);
	assert_int_equal(index, 40);
	assert_int_equal(segment_find_next(dir_fd, 0, &index), 0);
	assert_int_equal(index, 2);
	assert_int_equal(segment_find_next(dir_fd, 2, &index), 0);
	assert_int_equal(index, 7);
	assert_int_equal(segment_find_next(dir_fd, 40, &index), 0);
	assert_int_equal(index, 0);
	assert_int_equal(segment_find_before(dir_fd, 40, &index), 0);
	assert_int_equal(index, 7);
	assert_int_equal(segment_find_before(dir_fd, 2, &index), 0);
	assert_int_equal(index, 0);
}

/* Stands before libc's: a listing that began before this file was made does not show it. */
static const char *just_made;

struct dirent *readdir(DIR *d)
{
	struct dirent *(*next)(DIR *) = (struct dirent * (*)(DIR *)) dlsym(RTLD_NEXT, "readdir");
	struct dirent *entry = next(d);

	if (entry && just_made && !strcmp(entry->d_name, just_made))
		entry = next(d);
	if (!entry)
		just_made = NULL;
	return entry;
}

static void test_a_writer_overtakes_the_listing(void **state _unused_)
{
	const struct segment_name second = segment_name(2);
	uint64_t index = 0;

	touch(segment_name(1).text);
	touch(second.text);
	touch(segment_name(3).text);
	just_made = second.text;
	assert_int_equal(segment_find_next(dir_fd, 1, &index), 0);
	assert_null(just_made);
	assert_int_equal(index, 2);
}

static void test_foreign_names_are_no_segments(void **state _unused_)
{
	static const char *const names[] = {
		"journal-1.jsonl",
		"journal-0000000000000001.jsonl~",
		"journal-0000000000000001.json",
		"journal--000000000000001.jsonl",
		"journal-0000000000000000.jsonl",
		"xjournal-0000000000000001.jsonl",
		"journal-99999999999999999999.jsonl",
		"journal-000000000000000a.jsonl",
	};
	uint64_t index = 5;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		touch(names[i]);
	assert_int_equal(segment_find_newest(dir_fd, &index), 0);
	assert_int_equal(index, 0);
}

static void test_failure_leaves_the_output(void **state _unused_)
{
	uint64_t index = 5;

	assert_int_equal(segment_find_newest(-1, &index), -EBADF);
	assert_int_equal(index, 5);
}

int main(void)
{
#define SEGMENT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_sort),
		SEGMENT_TEST(test_find),
		SEGMENT_TEST(test_a_writer_overtakes_the_listing),
		SEGMENT_TEST(test_foreign_names_are_no_segments),
		SEGMENT_TEST(test_failure_leaves_the_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
