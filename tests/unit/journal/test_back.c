#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "journal/journal.h"
#include "journal/segment.h"

static char dir[64];
static struct strbuf seen;
static int wanted; /* lines */

static int set_up(void **state _unused_)
{
	strcpy(dir, "/tmp/backstop-back-XXXXXX");
	wanted = 1000;
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state _unused_)
{
	char command[128];

	strbuf_free(&seen);
	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	return system(command);
}

static void put(uint64_t index, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, segment_name(index).text);
	assert_int_equal(io_replace_file(path, text, strlen(text), 0640), 0);
}

static bool see(void *data, const char *line, size_t len)
{
	assert_ptr_equal(data, dir);
	strbuf_addf(&seen, "%.*s|", (int)len, line);
	return --wanted > 0;
}

static const char *read_back(uint64_t max)
{
	strbuf_reset(&seen);
	assert_int_equal(journal_read_back(dir, max, see, dir), 0);
	return strbuf_str(&seen);
}

static void test_over_segments(void **state _unused_)
{
	put(2, "one\ntwo\n");
	put(3, "");
	put(7, "three\n\nfour\n");
	assert_string_equal(read_back(1000), "four||three|two|one|");
}

static void test_torn_end(void **state _unused_)
{
	put(1, "one\ntw");
	put(2, "three\nfo");
	assert_string_equal(read_back(1000), "fo|three|tw|one|");
}

static void test_ends_where_it_is_told_to(void **state _unused_)
{
	put(1, "one\ntwo\n");
	put(2, "three\n");
	wanted = 2;
	assert_string_equal(read_back(1000), "three|two|");
}

/* A line that does not fit any more is not told in part. */
static void test_limit(void **state _unused_)
{
	put(1, "one\ntwo\n");
	put(2, "three\n");
	assert_string_equal(read_back(14), "three|two|one|");
	assert_string_equal(read_back(13), "three|two|");
	assert_string_equal(read_back(5), "");
}

static void test_nothing_there(void **state _unused_)
{
	assert_string_equal(read_back(1000), "");
	assert_int_equal(journal_read_back("/nonexistent", 10, see, dir), -ENOENT);
}

int main(void)
{
#define BACK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		BACK_TEST(test_over_segments),
		BACK_TEST(test_torn_end),
		BACK_TEST(test_ends_where_it_is_told_to),
		BACK_TEST(test_limit),
		BACK_TEST(test_nothing_there),
	};

	return cmocka_run_group_tests_name("back", tests, NULL, NULL);
}
