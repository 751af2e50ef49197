#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "fleet/spool.h"
#include "unit/scratch.h"

static char dir[80];

static int set_up(void **state _unused_)
{
	if (make_root())
		return -1;
	snprintf(dir, sizeof(dir), "%s/a/journal", root);
	return 0;
}

static bool open_and_close(void)
{
	struct journal *j = NULL;
	bool empty = false;

	assert_int_equal(spool_open(dir, &j, &empty), 0);
	journal_close(j);
	return empty;
}

static const char *segment(int index)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/journal-%016d.jsonl", dir, index);
	return path;
}

static void put(int index, const char *text, size_t len)
{
	assert_int_equal(io_replace_file(segment(index), text, len, 0640), 0);
}

static void test_made(void **state _unused_)
{
	struct journal *j = NULL, *other = NULL;
	bool empty = false;

	assert_int_equal(spool_open(dir, &j, &empty), 0);
	assert_true(empty);
	assert_int_equal(spool_open(dir, &other, &empty), -EBUSY);
	assert_null(other);
	assert_int_equal(journal_append(j, "{}", 2), 0);
	journal_close(j);
	assert_false(open_and_close());
}

/* Of the newest segment whole lines are left, however long the rest is. */
static void test_cut(void **state _unused_)
{
	static const struct {
		const char *before, *after;
	} texts[] = {
		{ "{}\n{\"a\":1}\n", "{}\n{\"a\":1}\n" },
		{ "{}\n{\"a\":1}", "{}\n" },
		{ "{}\n{\"a", "{}\n" },
		{ "{\"a", "" },
	};

	(void)open_and_close();
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_strbuf_ struct strbuf left = STRBUF_INIT;

		put(1, texts[i].before, strlen(texts[i].before));
		assert_int_equal(open_and_close(), !texts[i].after[0]);
		assert_int_equal(io_read_file(-1, segment(1), 100, &left), 0);
		assert_string_equal(strbuf_str(&left), texts[i].after);
	}
}

static void test_long_rest(void **state _unused_)
{
	static char text[300000];
	struct stat st;

	(void)open_and_close();
	memset(text, 'x', sizeof(text));
	text[10] = '\n';
	put(1, text, sizeof(text));
	assert_false(open_and_close());
	assert_int_equal(stat(segment(1), &st), 0);
	assert_int_equal(st.st_size, 11);
	text[10] = 'x';
	put(2, text, sizeof(text));
	assert_false(open_and_close());
	assert_int_equal(stat(segment(2), &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(stat(segment(1), &st), 0);
	assert_int_equal(st.st_size, 11);
}

int main(void)
{
#define SPOOL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, remove_root)
	const struct CMUnitTest tests[] = {
		SPOOL_TEST(test_made),
		SPOOL_TEST(test_cut),
		SPOOL_TEST(test_long_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
