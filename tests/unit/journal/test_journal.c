#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/io.h"
#include "journal/journal.h"
#include "journal/segment.h"
#include "unit/scratch.h"

static char dir[80];

static void describe_loss(void *data, uint64_t lost, int err, struct strbuf *line)
{
	strbuf_addf(line, "%s %" PRIu64 " %d", (const char *)data, lost, err);
}

static struct journal *open_journal(uint64_t segment_max)
{
	static char word[] = "lost";
	const struct journal_options o = {
		.dir = dir, .segment_max = segment_max, .describe_loss = describe_loss, .data = word
	};
	struct journal *j = NULL;

	assert_int_equal(journal_open(&o, &j), 0);
	return j;
}

static int add(struct journal *j, const char *line)
{
	return journal_append(j, line, strlen(line));
}

static int append(struct journal *j, const char *line)
{
	return add(j, line) ?: journal_flush(j);
}

static const char *path_of(uint64_t index)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, segment_name(index).text);
	return path;
}

static void assert_segment(uint64_t index, const char *want)
{
	_cleanup_strbuf_ struct strbuf got = STRBUF_INIT;

	assert_int_equal(io_read_file(AT_FDCWD, path_of(index), 1 << 20, &got), 0);
	assert_string_equal(strbuf_str(&got), want);
}

static int set_up(void **state _unused_)
{
	if (make_root())
		return -1;
	snprintf(dir, sizeof(dir), "%s/state/journal", root);
	return 0;
}

static void test_lines_and_modes(void **state _unused_)
{
	_cleanup_(journal_close_ptr) struct journal *j = open_journal(4096);
	struct journal_counts counts;
	struct stat st;

	assert_int_equal(append(j, "{\"a\":1}"), 0);
	assert_int_equal(append(j, ""), 0);
	assert_int_equal(append(j, "{\"b\":2}"), 0);
	assert_int_equal(journal_sync(j), 0);
	assert_segment(1, "{\"a\":1}\n\n{\"b\":2}\n");
	counts = journal_get_counts(j);
	assert_int_equal(counts.written, 3);
	assert_int_equal(counts.lost, 0);
	assert_int_equal(counts.last_error, 0);
	assert_int_equal(stat(path_of(1), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
}

static void test_rotation(void **state _unused_)
{
	_cleanup_(journal_close_ptr) struct journal *j = open_journal(10);

	assert_int_equal(append(j, "1234"), 0);
	assert_int_equal(append(j, "5678"), 0); /* fills it to the byte */
	assert_int_equal(append(j, "9"), 0);
	assert_int_equal(append(j, "longer than a segment"), 0);
	assert_int_equal(append(j, "x"), 0);
	assert_int_equal(journal_sync(j), 0);
	assert_segment(1, "1234\n5678\n");
	assert_segment(2, "9\n");
	assert_segment(3, "longer than a segment\n");
	assert_segment(4, "x\n");
	assert_int_equal(access(path_of(5), F_OK), -1);
}

static void test_lines_wait_for_the_flush(void **state _unused_)
{
	struct journal *j = open_journal(100);

	assert_int_equal(add(j, "one"), 0);
	assert_int_equal(add(j, "two"), 0);
	assert_segment(1, "");
	assert_int_equal(journal_get_counts(j).written, 0);
	assert_int_equal(journal_flush(j), 0);
	assert_segment(1, "one\ntwo\n");
	assert_int_equal(journal_get_counts(j).written, 2);
	assert_int_equal(add(j, "three"), 0);
	assert_int_equal(journal_sync(j), 0);
	assert_segment(1, "one\ntwo\nthree\n");
	assert_int_equal(add(j, "four"), 0);
	journal_close(j);
	assert_segment(1, "one\ntwo\nthree\nfour\n");
}

static void test_not_too_much_waits(void **state _unused_)
{
	_cleanup_(journal_close_ptr) struct journal *j = open_journal(1 << 30);
	char line[1001] = "";
	struct stat st;

	memset(line, 'x', 1000);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(add(j, line), 0);
	assert_int_equal(stat(path_of(1), &st), 0);
	assert_in_range(st.st_size, 2000 * 1001 - 300 * 1024, 2000 * 1001);
	assert_int_equal(st.st_size, journal_get_counts(j).written * 1001);
}

static void test_a_batch_over_segments(void **state _unused_)
{
	_cleanup_(journal_close_ptr) struct journal *j = open_journal(10);

	assert_int_equal(append(j, "123456"), 0);
	assert_int_equal(add(j, "9"), 0);
	assert_int_equal(add(j, "1234"), 0);
	assert_int_equal(add(j, "5678"), 0);
	assert_int_equal(add(j, "longer than a segment"), 0);
	assert_int_equal(add(j, "x"), 0);
	assert_int_equal(journal_flush(j), 0);
	assert_segment(1, "123456\n9\n");
	assert_segment(2, "1234\n5678\n");
	assert_segment(3, "longer than a segment\n");
	assert_segment(4, "x\n");
	assert_int_equal(journal_get_counts(j).written, 6);
}

static void test_opened_again(void **state _unused_)
{
	struct journal *j = open_journal(10);

	assert_int_equal(append(j, "12345678"), 0);
	assert_int_equal(append(j, "9"), 0);
	journal_close(j);
	j = open_journal(10);
	assert_int_equal(append(j, "10"), 0);
	assert_int_equal(journal_get_counts(j).written, 1);
	journal_close(j);
	j = open_journal(4);
	assert_int_equal(append(j, "11"), 0);
	journal_close(j);
	assert_segment(2, "9\n10\n");
	assert_segment(3, "11\n");
}

static void test_torn_last_line_is_ended(void **state _unused_)
{
	struct journal *j = open_journal(100);

	assert_int_equal(append(j, "whole"), 0);
	journal_close(j);
	assert_int_equal(io_replace_file(path_of(1), "whole\n{\"tor", 11, 0640), 0);
	j = open_journal(100);
	assert_int_equal(append(j, "next"), 0);
	assert_int_equal(append(j, "last"), 0);
	journal_close(j);
	assert_segment(1, "whole\n{\"tor\nnext\nlast\n");
}

static void test_second_writer_is_refused(void **state _unused_)
{
	const struct journal_options o = { .dir = dir, .segment_max = 100 };
	struct journal *j = open_journal(100), *second = NULL;

	assert_int_equal(journal_open(&o, &second), -EBUSY);
	assert_null(second);
	journal_close(j);
	assert_int_equal(journal_open(&o, &second), 0);
	journal_close(second);
	journal_close(NULL);
}

static void test_readers_cannot_take_the_lock(void **state _unused_)
{
	char lock[128];
	struct stat st;

	snprintf(lock, sizeof(lock), "%s/lock", dir);
	journal_close(open_journal(100));
	assert_int_equal(chmod(lock, 0640), 0);
	journal_close(open_journal(100));
	assert_int_equal(stat(lock, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_directory_that_cannot_be(void **state _unused_)
{
	const struct journal_options o = { .dir = "/proc/self/stat/journal", .segment_max = 1 };
	struct journal *j = NULL;

	assert_int_equal(journal_open(&o, &j), -ENOTDIR);
	assert_null(j);
}

/* With a limit on the size of a file the kernel writes a part and then refuses, as a full disk
 * does. */
static void limit_file_size(rlim_t size)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_part_of_a_line_is_taken_back(void **state _unused_)
{
	_cleanup_(journal_close_ptr) struct journal *j = open_journal(1000);
	struct journal_counts counts;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(append(j, "before"), 0);
	limit_file_size(12);
	assert_int_equal(append(j, "too long for it"), -EFBIG);
	assert_segment(1, "before\n");
	assert_int_equal(append(j, "again too long"), -EFBIG);
	counts = journal_get_counts(j);
	assert_int_equal(counts.lost, 2);
	assert_int_equal(counts.written, 1);
	assert_int_equal(counts.last_error, -EFBIG);
	limit_file_size(RLIM_INFINITY);
	assert_int_equal(append(j, "after"), 0);
	assert_int_equal(append(j, "and on"), 0);
	assert_segment(1, "before\nlost 2 -27\nafter\nand on\n");
	counts = journal_get_counts(j);
	assert_int_equal(counts.lost, 2);
	assert_int_equal(counts.written, 4);
	assert_int_equal(counts.last_error, 0);
}

/* The line that states the loss is written, the one after it is not: only that one is lost anew. */
static void test_loss_is_stated_once(void **state _unused_)
{
	_cleanup_(journal_close_ptr) struct journal *j = open_journal(1000);

	signal(SIGXFSZ, SIG_IGN);
	limit_file_size(12);
	assert_int_equal(append(j, "more than twelve"), -EFBIG);
	assert_int_equal(append(j, "more than twelve"), -EFBIG);
	assert_segment(1, "lost 1 -27\n");
	limit_file_size(RLIM_INFINITY);
	assert_int_equal(append(j, "x"), 0);
	assert_segment(1, "lost 1 -27\nlost 1 -27\nx\n");
	assert_int_equal(journal_get_counts(j).lost, 2);
}

static void test_loss_that_nobody_words(void **state _unused_)
{
	const struct journal_options o = { .dir = dir, .segment_max = 100 };
	_cleanup_(journal_close_ptr) struct journal *j = NULL;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(journal_open(&o, &j), 0);
	limit_file_size(2);
	assert_int_equal(append(j, "long"), -EFBIG);
	limit_file_size(RLIM_INFINITY);
	assert_int_equal(append(j, "x"), 0);
	assert_segment(1, "x\n");
	assert_int_equal(journal_get_counts(j).lost, 1);
}

static void note_lost(void *data, const char *line, size_t len)
{
	strbuf_addf(data, "%.*s|", (int)len, line);
}

/* What was written whole stays, what comes behind is lost line by line. */
static void test_part_of_a_batch_is_lost(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf lost = STRBUF_INIT;
	const struct journal_options o = {
		.dir = dir, .segment_max = 100, .on_lost = note_lost, .data = &lost
	};
	_cleanup_(journal_close_ptr) struct journal *j = NULL;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(journal_open(&o, &j), 0);
	limit_file_size(15);
	assert_int_equal(add(j, "one"), 0);
	assert_int_equal(add(j, "two"), 0);
	assert_int_equal(add(j, "three and more"), 0);
	assert_int_equal(add(j, "four"), 0);
	assert_int_equal(journal_flush(j), -EFBIG);
	limit_file_size(RLIM_INFINITY);
	assert_segment(1, "one\ntwo\n");
	assert_string_equal(strbuf_str(&lost), "three and more|four|");
	assert_int_equal(journal_get_counts(j).lost, 2);
	assert_int_equal(journal_get_counts(j).written, 2);
	assert_int_equal(journal_flush(j), 0);
	assert_int_equal(append(j, "five"), 0);
	assert_segment(1, "one\ntwo\nfive\n");
}

#define SKIP_EXIT 77

static void fill_disk(struct journal *j)
{
	static char line[5000];
	struct stat st;

	memset(line, 'x', sizeof(line) - 1);
	for (int i = 0; i < 100; i++)
		if (append(j, line))
			break;
	assert_int_equal(journal_get_counts(j).last_error, -ENOSPC);
	assert_int_equal(journal_get_counts(j).lost, 1);
	assert_int_equal(stat(path_of(1), &st), 0);
	assert_int_equal(st.st_size, journal_get_counts(j).written * sizeof(line));
}

/* On a full disk the journal loses lines, counts them, opens all the same, and recovers. */
static void run_on_full_disk(void)
{
	char ballast[128];
	struct journal *j = open_journal(1 << 20);
	int fd;

	snprintf(ballast, sizeof(ballast), "%s/state/ballast", root);
	fd = open(ballast, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(posix_fallocate(fd, 0, 32768), 0);
	close(fd);
	fill_disk(j);
	journal_close(j);
	j = open_journal(1 << 20);
	while (append(j, "small") == 0)
		;
	assert_int_equal(journal_get_counts(j).last_error, -ENOSPC);
	assert_int_equal(append(j, "small too"), -ENOSPC);
	assert_int_equal(unlink(ballast), 0);
	assert_int_equal(append(j, "room again"), 0);
	assert_int_equal(journal_sync(j), 0);
	assert_int_equal(journal_get_counts(j).lost, 2);
	journal_close(j);
}

static void assert_ends_with(const char *want)
{
	_cleanup_strbuf_ struct strbuf got = STRBUF_INIT;

	assert_int_equal(io_read_file(AT_FDCWD, path_of(1), 1 << 20, &got), 0);
	assert_true(got.len > strlen(want));
	assert_string_equal(got.data + got.len - strlen(want), want);
}

/* In a mount namespace of its own, so that nothing stays mounted however the test ends. */
static void test_full_disk(void **state _unused_)
{
	char state_dir[80];
	int status;
	pid_t pid = fork();

	if (!pid) {
		snprintf(state_dir, sizeof(state_dir), "%s/state", root);
		if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mkdir(state_dir, 0700) ||
		    mount("none", state_dir, "tmpfs", 0, "size=128k,mode=700"))
			_exit(SKIP_EXIT);
		run_on_full_disk();
		assert_ends_with("small\nlost 2 -28\nroom again\n");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIP_EXIT) {
		print_message("skipped: no tmpfs can be mounted here (needs root)\n");
		skip();
	}
	assert_int_equal(status, 0);
}

int main(void)
{
#define JOURNAL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, remove_root)
	const struct CMUnitTest tests[] = {
		JOURNAL_TEST(test_lines_and_modes),
		JOURNAL_TEST(test_rotation),
		JOURNAL_TEST(test_lines_wait_for_the_flush),
		JOURNAL_TEST(test_not_too_much_waits),
		JOURNAL_TEST(test_a_batch_over_segments),
		JOURNAL_TEST(test_opened_again),
		JOURNAL_TEST(test_torn_last_line_is_ended),
		JOURNAL_TEST(test_second_writer_is_refused),
		JOURNAL_TEST(test_readers_cannot_take_the_lock),
		cmocka_unit_test(test_directory_that_cannot_be),
		JOURNAL_TEST(test_part_of_a_line_is_taken_back),
		JOURNAL_TEST(test_loss_is_stated_once),
		JOURNAL_TEST(test_loss_that_nobody_words),
		JOURNAL_TEST(test_part_of_a_batch_is_lost),
		JOURNAL_TEST(test_full_disk),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
