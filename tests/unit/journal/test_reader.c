#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <signal.h>

#include "base/io.h"
#include "journal/journal.h"
#include "journal/segment.h"

static char dir[64];

static int set_up(void **state _unused_)
{
	strcpy(dir, "/tmp/backstop-reader-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state _unused_)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	return system(command);
}

static void put_file(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(io_replace_file(path, text, strlen(text), 0640), 0);
}

static void put_segment(uint64_t index, const char *text)
{
	put_file(segment_name(index).text, text);
}

/* In place: a reader may have the file open. */
static void rewrite_segment(uint64_t index, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, segment_name(index).text);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(io_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static struct journal_reader *open_reader(void)
{
	struct journal_reader *r = NULL;

	assert_int_equal(journal_reader_open(dir, &r), 0);
	return r;
}

static void assert_next(struct journal_reader *r, const char *want)
{
	const char *line = NULL;
	size_t len = 0;

	assert_int_equal(journal_reader_next(r, &line, &len), 1);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(line, want, len);
}

static void assert_end(struct journal_reader *r)
{
	const char *line = "kept";
	size_t len = 7;

	assert_int_equal(journal_reader_next(r, &line, &len), 0);
	assert_string_equal(line, "kept");
	assert_int_equal(len, 7);
}

static void assert_place(const struct journal_reader *r, uint64_t segment, uint64_t line)
{
	const char *name;
	uint64_t number;

	journal_reader_place(r, &name, &number);
	assert_string_equal(name, segment_name(segment).text);
	assert_int_equal(number, line);
}

static void test_segments_in_order_with_gaps(void **state _unused_)
{
	_cleanup_(journal_reader_close_ptr) struct journal_reader *r = open_reader();

	put_segment(12, "e\n");
	put_segment(3, "a\nb\n");
	put_segment(9, "\nc\n");
	put_file("journal-4.jsonl", "foreign\n");
	put_file("journal-0000000000000005.jsonl.old", "foreign\n");
	put_file("lock", "foreign\n");
	assert_next(r, "a");
	assert_place(r, 3, 1);
	assert_next(r, "b");
	assert_place(r, 3, 2);
	assert_next(r, "");
	assert_next(r, "c");
	assert_place(r, 9, 2);
	assert_next(r, "e");
	assert_place(r, 12, 1);
	assert_end(r);
	assert_end(r);
}

static void test_missing_and_empty_directory(void **state _unused_)
{
	struct journal_reader *r = NULL;

	assert_int_equal(journal_reader_open("/nonexistent", &r), -ENOENT);
	assert_null(r);
	journal_reader_close(NULL);
	r = open_reader();
	assert_end(r);
	put_segment(1, "first\n");
	assert_next(r, "first");
	assert_end(r);
	journal_reader_close(r);
}

static void test_half_a_line_waits_for_the_rest(void **state _unused_)
{
	_cleanup_(journal_reader_close_ptr) struct journal_reader *r = open_reader();

	put_segment(1, "one\ntw");
	assert_next(r, "one");
	assert_end(r);
	rewrite_segment(1, "one\ntwo\nthr");
	assert_next(r, "two");
	assert_end(r);
}

/* What a writer took back was never a line, even though it had been seen in part. */
static void test_taken_back_half_is_forgotten(void **state _unused_)
{
	_cleanup_(journal_reader_close_ptr) struct journal_reader *r = open_reader();

	put_segment(1, "one\nhalf of a l");
	assert_next(r, "one");
	assert_end(r);
	rewrite_segment(1, "one\nother\n");
	assert_next(r, "other");
	assert_end(r);
}

static void test_torn_end_of_an_old_segment_comes_as_a_line(void **state _unused_)
{
	_cleanup_(journal_reader_close_ptr) struct journal_reader *r = open_reader();

	put_segment(1, "one\n{\"to");
	assert_next(r, "one");
	assert_end(r);
	put_segment(2, "two\n");
	assert_next(r, "{\"to");
	assert_place(r, 1, 2);
	assert_next(r, "two");
	assert_end(r);
}

/* Stands before libc's, to let a writer in at the moment when the reader has met the end. */
static void (*at_end)(void);

ssize_t pread(int fd, void *buf, size_t count, off_t offset)
{
	ssize_t n = syscall(SYS_pread64, fd, buf, count, offset);
	void (*fn)(void) = at_end;

	if (n == 0 && fn) {
		at_end = NULL;
		fn();
	}
	return n;
}

static void append_and_rotate(void)
{
	rewrite_segment(1, "one\ntwo\n");
	put_segment(2, "three\n");
}

static void test_lines_that_come_just_before_a_rotation(void **state _unused_)
{
	_cleanup_(journal_reader_close_ptr) struct journal_reader *r = open_reader();

	put_segment(1, "one\n");
	assert_next(r, "one");
	at_end = append_and_rotate;
	assert_next(r, "two");
	assert_null(at_end);
	assert_next(r, "three");
	assert_end(r);
}

static void test_lines_of_every_size(void **state _unused_)
{
	static const size_t sizes[] = { 0,     1,  65534,  65535,  65536,  65537,
					70000, 10, 131071, 131072, 300000, 5 };
	const struct journal_options o = { .dir = dir, .segment_max = 400000 };
	_cleanup_(journal_reader_close_ptr) struct journal_reader *r = open_reader();
	_cleanup_(journal_close_ptr) struct journal *j = NULL;
	static char text[300001];

	assert_int_equal(journal_open(&o, &j), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(text, 'a' + i, sizes[i]);
		assert_int_equal(journal_append(j, text, sizes[i]), 0);
		assert_int_equal(journal_flush(j), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(text, 'a' + i, sizes[i]);
		text[sizes[i]] = '\0';
		assert_next(r, text);
	}
	assert_end(r);
}

#define LINES 8000

static size_t make_line(char *text, int i)
{
	return sprintf(
		text, "%d %.*s", i, i * 7 % 300,
		"........................................"
		"................................................................................"
		"................................................................................"
		"................................................................................"
		"....................");
}

static void write_lines(void)
{
	const struct journal_options o = { .dir = dir, .segment_max = 600 };
	struct journal *j;
	char text[400];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (journal_open(&o, &j))
		_exit(1);
	for (int i = 0; i < LINES; i++)
		if (journal_append(j, text, make_line(text, i)) || journal_flush(j))
			_exit(2);
	_exit(0);
}

/* A process writes and rotates at every few lines while this one waits at the end. */
static void test_following_a_writer(void **state _unused_)
{
	_cleanup_(journal_reader_close_ptr) struct journal_reader *r = open_reader();
	const char *line;
	char want[400];
	size_t len;
	int got, status;
	pid_t pid = fork();

	if (!pid)
		write_lines();
	for (int i = 0; i < LINES; i += got) {
		got = journal_reader_next(r, &line, &len);
		assert_true(got >= 0);
		if (got) {
			assert_int_equal(len, make_line(want, i));
			assert_memory_equal(line, want, len);
		}
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_end(r);
}

int main(void)
{
#define READER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		READER_TEST(test_segments_in_order_with_gaps),
		READER_TEST(test_missing_and_empty_directory),
		READER_TEST(test_half_a_line_waits_for_the_rest),
		READER_TEST(test_taken_back_half_is_forgotten),
		READER_TEST(test_torn_end_of_an_old_segment_comes_as_a_line),
		READER_TEST(test_lines_that_come_just_before_a_rotation),
		READER_TEST(test_lines_of_every_size),
		READER_TEST(test_following_a_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
