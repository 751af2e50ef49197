#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "export/sink.h"
#include "unit/scratch.h"

static char path[80], moved[80];

static int set_up(void **state _unused_)
{
	if (make_root())
		return -1;
	snprintf(path, sizeof(path), "%s/events", root);
	snprintf(moved, sizeof(moved), "%s/events.1", root);
	return 0;
}

static struct sink *open_sink(void)
{
	struct sink *s = NULL;
	char spec[100];

	snprintf(spec, sizeof(spec), "file:%s", path);
	assert_int_equal(sink_new(spec, &s), 0);
	return s;
}

static void assert_holds(const char *file, const char *want)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	assert_int_equal(io_read_file(AT_FDCWD, file, 4096, &text), 0);
	assert_string_equal(strbuf_str(&text), want);
}

static void test_moved_and_removed(void **state _unused_)
{
	_cleanup_(sink_free_ptr) struct sink *s = open_sink();

	assert_int_equal(sink_send(s, "1\n", 2), 0);
	assert_int_equal(sink_send(s, "2\n", 2), 0);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(sink_send(s, "3\n", 2), 0);
	assert_holds(moved, "1\n2\n");
	assert_holds(path, "3\n");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sink_send(s, "4\n", 2), 0);
	assert_holds(path, "4\n");
}

static void test_half_a_line(void **state _unused_)
{
	_cleanup_(sink_free_ptr) struct sink *s = NULL;

	assert_int_equal(io_replace_file(path, "1\n{\"a", 5, 0600), 0);
	s = open_sink();
	assert_int_equal(sink_send(s, "2\n", 2), 0);
	assert_int_equal(sink_send(s, "3\n", 2), 0);
	assert_holds(path, "1\n{\"a\n2\n3\n");
}

/* A pipe has no end that could be looked at. */
static void test_pipe(void **state _unused_)
{
	_cleanup_(sink_free_ptr) struct sink *s = open_sink();
	_cleanup_close_ int fd = -1;
	char got[8] = "";

	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(sink_send(s, "1\n", 2), 0);
	assert_int_equal(sink_send(s, "2\n", 2), 0);
	assert_int_equal(read(fd, got, sizeof(got) - 1), 4);
	assert_string_equal(got, "1\n2\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_moved_and_removed, set_up, remove_root),
		cmocka_unit_test_setup_teardown(test_half_a_line, set_up, remove_root),
		cmocka_unit_test_setup_teardown(test_pipe, set_up, remove_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
