#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "chained.h"

static void test_segments_begin_and_end_signed(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct journal *j = open_journal(4096);
	struct verify_report r;

	fill(j, 100);
	journal_close(j);
	assert_string_equal(verified(&r), "");
	assert_true(r.segments > 2);
	assert_int_equal(r.first, 1);
	assert_int_equal(r.last, r.lines);
	assert_int_equal(r.lines, 100 + 2 * r.segments);
	assert_int_equal(r.signed_lines, 2 * r.segments);
	read_segment(2, &text);
	assert_true(text.len <= 4096 + 512);
	assert_non_null(strstr(text.data, "{\"message\":\"a segment begins\""));
	assert_non_null(strstr(text.data, "{\"message\":\"the segment ends\""));
}

static void test_opened_again(void **state _unused_)
{
	struct verify_report r;

	for (int i = 0; i < 3; i++) {
		struct journal *j = open_journal(1 << 20);

		fill(j, 2);
		journal_close(j);
	}
	journal_close(open_journal(1 << 20));
	assert_string_equal(verified(&r), "");
	assert_int_equal(r.segments, 1);
	assert_int_equal(r.lines, 1 + 3 * 3);
}

static void test_batches_are_chained(void **state _unused_)
{
	struct journal *j = open_journal(1 << 16);
	struct verify_report r;

	for (int i = 0; i < 5000; i++)
		assert_int_equal(add(j, i), 0);
	assert_int_equal(journal_sync(j), 0);
	assert_string_equal(verified(&r), "");
	assert_int_equal(r.lines, 5000 + 2 * r.segments - 1);
	journal_close(j);
}

static void test_signed_as_lines_come(void **state _unused_)
{
	struct journal *j = open_journal(1 << 30);
	struct verify_report r;

	for (int i = 0; i < 40000; i++)
		assert_int_equal(add(j, i), 0);
	journal_close(j);
	assert_string_equal(verified(&r), "");
	assert_int_equal(r.signed_lines, 1 + 2 + 1);
}

static void limit_file_size(rlim_t size)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_full_disk_leaves_the_chain_whole(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct journal *j = open_journal(1 << 20);
	struct verify_report r;

	signal(SIGXFSZ, SIG_IGN);
	fill(j, 10);
	limit_file_size(2000);
	for (int i = 0; i < 20; i++)
		add(j, i);
	assert_int_equal(journal_flush(j), -EFBIG);
	assert_int_equal(add(j, 7) ?: journal_flush(j), -EFBIG);
	limit_file_size(RLIM_INFINITY);
	fill(j, 1);
	assert_string_equal(verified(&r), "");
	journal_close(j);
	assert_string_equal(verified(&r), "");
	read_segment(1, &text);
	assert_non_null(strstr(text.data, "\"lost "));
	assert_int_equal(r.segments, 1);
}

/* The opening of a segment cannot be written either: no line is, until there is room. */
static void test_full_disk_at_a_segments_begin(void **state _unused_)
{
	struct journal *j = open_journal(1 << 20);
	struct verify_report r;

	signal(SIGXFSZ, SIG_IGN);
	limit_file_size(100);
	assert_int_equal(add(j, 1), -EFBIG);
	assert_int_equal(add(j, 2), -EFBIG);
	limit_file_size(RLIM_INFINITY);
	assert_int_equal(journal_get_counts(j).lost, 2);
	assert_int_equal(journal_get_counts(j).written, 0);
	fill(j, 1);
	journal_close(j);
	assert_string_equal(verified(&r), "");
	assert_int_equal(r.lines, 1 + 1 + 1 + 1);
}

static void test_retention(void **state _unused_)
{
	struct journal_options o = options_of(4096);
	struct journal *j = NULL;
	struct verify_report r;

	o.keep_max = 3 * 4096;
	assert_int_equal(journal_open(&o, &j), 0);
	fill(j, 200);
	journal_close(j);
	assert_string_equal(verified(&r), "");
	assert_in_range(r.segments, 2, 3);
	assert_true(r.first > 100);
	assert_int_equal(r.last - r.first + 1, r.lines);
}

static void test_older_than_the_chain(void **state _unused_)
{
	struct journal_options o = options_of(1 << 20);
	struct verify_report r;
	struct journal *j = NULL;

	o.keys = NULL;
	assert_int_equal(journal_open(&o, &j), 0);
	fill(j, 3);
	journal_close(j);
	j = open_journal(1 << 20);
	fill(j, 3);
	journal_close(j);
	assert_string_equal(verified(&r), "");
	assert_int_equal(r.unchained, 1);
	assert_int_equal(r.unkeyed, 3);
	assert_int_equal(r.first, 1);
	assert_int_equal(r.lines, 5);
}

/* Nobody can say who wrote them; how many they are is told. */
static void test_a_stretch_without_keys(void **state _unused_)
{
	struct journal_options o = options_of(1 << 20);
	struct verify_report r;
	struct journal *j = open_journal(1 << 20);

	fill(j, 3);
	journal_close(j);
	o.keys = NULL;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(journal_open(&o, &j), 0);
		fill(j, 4);
		journal_close(j);
	}
	j = open_journal(1 << 20);
	fill(j, 3);
	journal_close(j);
	assert_non_null(strstr(verified(&r), "bad "));
	assert_int_equal(r.unkeyed, 8);
	assert_int_equal(r.unchained, 0);
}

static void test_keys_of_no_use(void **state _unused_)
{
	const struct journal_options o = options_of(100);
	struct journal *j = NULL;
	char path[128];

	journal_close(open_journal(100));
	snprintf(path, sizeof(path), "%s/chain.key", keys);
	assert_int_equal(truncate(path, 3), 0);
	assert_int_equal(journal_open(&o, &j), -EKEYREJECTED);
	assert_null(j);
}

static void test_line_without_an_end_is_lost(void **state _unused_)
{
	_cleanup_(journal_close_ptr) struct journal *j = open_journal(1 << 20);

	assert_int_equal(journal_append(j, "{}", 2), -EINVAL);
	assert_int_equal(journal_get_counts(j).lost, 1);
}

int main(void)
{
#define LINKER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		LINKER_TEST(test_segments_begin_and_end_signed),
		LINKER_TEST(test_opened_again),
		LINKER_TEST(test_batches_are_chained),
		LINKER_TEST(test_signed_as_lines_come),
		LINKER_TEST(test_full_disk_leaves_the_chain_whole),
		LINKER_TEST(test_full_disk_at_a_segments_begin),
		LINKER_TEST(test_retention),
		LINKER_TEST(test_older_than_the_chain),
		LINKER_TEST(test_a_stretch_without_keys),
		LINKER_TEST(test_keys_of_no_use),
		LINKER_TEST(test_line_without_an_end_is_lost),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
