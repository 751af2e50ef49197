#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "export/cursor.h"

static char dir[64], path[80];

static int set_up(void **state _unused_)
{
	strcpy(dir, "/tmp/backstop-cursor-XXXXXX");
	snprintf(path, sizeof(path), "%s/c", mkdtemp(dir) ? dir : "");
	return 0;
}

static int tear_down(void **state _unused_)
{
	unlink(path);
	return rmdir(dir);
}

static void test_written_and_read(void **state _unused_)
{
	struct cursor c = { 7, 7 };

	assert_int_equal(cursor_read(path, &c), 0);
	assert_int_equal(c.segment, 0);
	assert_int_equal(cursor_write(path, &(struct cursor) { 3, 12345678901 }), 0);
	assert_int_equal(cursor_write(path, &(struct cursor) { 4, 5 }), 0);
	assert_int_equal(cursor_read(path, &c), 0);
	assert_int_equal(c.segment, 4);
	assert_int_equal(c.offset, 5);
}

static void test_what_is_none(void **state _unused_)
{
	static const char *const bad[] = { "", "segment 1", "segment 1 offset 2",
					   "segment 1 offset 2\n\n", "segment x offset 2\n" };
	struct cursor c = { 7, 7 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(io_replace_file(path, bad[i], strlen(bad[i]), 0600), 0);
		assert_int_equal(cursor_read(path, &c), -EBADMSG);
	}
	assert_int_equal(truncate(path, 4096), 0);
	assert_int_equal(cursor_read(path, &c), -EBADMSG);
	assert_int_equal(c.offset, 7);
	assert_int_equal(cursor_write("/nonexistent/c", &c), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_written_and_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_none, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
