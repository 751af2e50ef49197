#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "chained.h"
#include "journal/head.h"

/* A writer that ends without a word after `lines` lines and `torn` bytes of one more; what came
 * before `synced` of them is on disk. */
static void write_and_die(int synced, int lines, const char *torn)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct journal *j = open_journal(1 << 20);
		int fd;

		fill(j, synced);
		if (journal_sync(j))
			_exit(1);
		fill(j, lines - synced);
		fd = open(path_of(1), O_WRONLY | O_APPEND | O_CLOEXEC);
		_exit(fd < 0 || io_write_all(fd, torn, strlen(torn)));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void go_on(void)
{
	struct journal *j = open_journal(1 << 20);

	fill(j, 3);
	journal_close(j);
}

static void test_killed_between_lines(void **state _unused_)
{
	struct verify_report r;

	write_and_die(5, 20, "");
	go_on();
	assert_string_equal(verified(&r), "");
	assert_int_equal(r.segments, 1);
	assert_int_equal(r.lines, 1 + 20 + 3 + 1);
}

static void test_killed_in_a_line(void **state _unused_)
{
	struct verify_report r;

	write_and_die(5, 20, "{\"class_ui");
	go_on();
	assert_string_equal(verified(&r), "stated 2.jsonl:1: 10 bytes behind line 21 are no line, "
					  "as this line says: the writer was killed\n");
	assert_int_equal(r.bad, 0);
	assert_int_equal(r.lines, r.last);
	go_on();
	assert_int_equal((verified(&r), r.bad), 0);
}

/* Nobody who is killed writes whole lines that do not belong here. */
static void test_lines_of_others(void **state _unused_)
{
	struct verify_report r;

	write_and_die(5, 20, "{\"class_uid\":1007}\n");
	go_on();
	assert_non_null(strstr(verified(&r), "this line says: unexplained"));
	assert_non_null(strstr(verified(&r), "1.jsonl:22: is no line of this journal"));
}

/* What was written after the head is no less good. */
static void test_killed_before_the_head(void **state _unused_)
{
	struct verify_report r;
	char command[256];

	write_and_die(5, 10, "");
	snprintf(command, sizeof(command), "cp %s/head %s/", keys, root);
	assert_int_equal(system(command), 0);
	write_and_die(0, 10, "");
	snprintf(command, sizeof(command), "cp %s/head %s/", root, keys);
	assert_int_equal(system(command), 0);
	go_on();
	assert_string_equal(verified(&r), "");
	assert_int_equal(r.lines, 1 + 10 + 10 + 3 + 1);
}

/* The head as another boot left it. */
static void change_boot(void)
{
	struct chain_keys *k = NULL;
	struct head h;
	int fd = head_open(keys);

	assert_true(fd >= 0);
	assert_int_equal(chain_keys_open(keys, false, &k), 0);
	assert_int_equal(head_read(keys, k, &h), 0);
	strcpy(h.boot, "another");
	assert_int_equal(head_write(fd, k, &h), 0);
	chain_keys_free(k);
	close(fd);
}

static void cut_power(int keep_lines)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	change_boot();
	read_segment(1, &text);
	write_segment(1, text.data, line_at(&text, 1 + keep_lines));
}

static void test_power_cut_takes_what_was_not_synced(void **state _unused_)
{
	struct verify_report r;

	write_and_die(5, 20, "");
	cut_power(1 + 8);
	go_on();
	assert_string_equal(verified(&r), "stated 2.jsonl:1: lines 10 to 21 are gone before it, as "
					  "this line says: power cut\n");
	assert_int_equal(r.last, 22 + 3 + 1);
}

/* Blocks reach the disk in any order: one is missing before others that are there. */
static void test_power_cut_in_another_order(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct verify_report r;

	write_and_die(5, 20, "");
	change_boot();
	read_segment(1, &text);
	memset(text.data + line_at(&text, 10) + 20, 0, 300);
	write_segment(1, text.data, text.len);
	go_on();
	assert_string_equal(verified(&r), "stated 2.jsonl:1: lines 10 to 21 are gone before it, as "
					  "this line says: power cut\n");
}

static void test_power_cut_takes_no_synced_line(void **state _unused_)
{
	struct verify_report r;

	write_and_die(5, 20, "");
	cut_power(1 + 3);
	go_on();
	assert_non_null(strstr(verified(&r), "lines 5 to 21 are gone before it, as this line says: "
					     "unexplained"));
	assert_int_equal(r.bad, 1);
}

static void test_all_is_gone(void **state _unused_)
{
	struct verify_report r;

	write_and_die(5, 20, "");
	assert_int_equal(unlink(path_of(1)), 0);
	go_on();
	verified(&r);
	assert_int_equal(r.first, 22);
	assert_true(r.bad > 0);
}

static void test_head_is_gone(void **state _unused_)
{
	struct verify_report r;
	char path[128];

	write_and_die(5, 20, "");
	snprintf(path, sizeof(path), "%s/head", keys);
	assert_int_equal(unlink(path), 0);
	go_on();
	assert_string_equal(verified(&r), "");
	assert_int_equal(r.lines, 1 + 20 + 3 + 1);
}

/* Every byte at which a write may have ended. */
static void test_torn_anywhere(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct verify_report r;
	size_t from;

	write_and_die(3, 6, "");
	read_segment(1, &text);
	from = line_at(&text, 5);
	for (size_t len = from; len <= text.len; len += 7) {
		char command[256];

		snprintf(command, sizeof(command), "rm -f %s/*", dir);
		assert_int_equal(system(command), 0);
		write_segment(1, text.data, len);
		snprintf(command, sizeof(command), "rm -f %s/head", keys);
		assert_int_equal(system(command), 0);
		go_on();
		verified(&r);
		assert_int_equal(r.lines, r.last);
	}
}

int main(void)
{
#define RECOVER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		RECOVER_TEST(test_killed_between_lines),
		RECOVER_TEST(test_killed_in_a_line),
		RECOVER_TEST(test_lines_of_others),
		RECOVER_TEST(test_killed_before_the_head),
		RECOVER_TEST(test_power_cut_takes_what_was_not_synced),
		RECOVER_TEST(test_power_cut_in_another_order),
		RECOVER_TEST(test_power_cut_takes_no_synced_line),
		RECOVER_TEST(test_all_is_gone),
		RECOVER_TEST(test_head_is_gone),
		RECOVER_TEST(test_torn_anywhere),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
