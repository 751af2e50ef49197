#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "journal/journal.h"
#include "journal/segment.h"
#include "record/query.h"
#include "record/recorder.h"
#include "record/schema.h"
#include "unit/scratch.h"

#define LINES 100

static char dir[80], path[80];

static int set_up(void **state _unused_)
{
	if (make_root())
		return -1;
	snprintf(dir, sizeof(dir), "%s/journal", root);
	snprintf(path, sizeof(path), "%s/record.db", root);
	return 0;
}

/* Some lines a segment, the first at 1001 ms; all recorded. */
static void write_all(void)
{
	const struct journal_options o = { .dir = dir, .segment_max = 550 };
	struct recorder *r = NULL;
	struct journal *j = NULL;
	char line[64];
	int n;

	assert_int_equal(journal_open(&o, &j), 0);
	for (int i = 1; i <= LINES; i++) {
		n = snprintf(line, sizeof(line),
			     "{\"class_uid\":1007,\"activity_id\":1,\"time\":%d,\"n\":%03d}",
			     1000 + i, i);
		assert_int_equal(journal_append(j, line, (size_t)n), 0);
	}
	journal_close(j);
	assert_int_equal(recorder_open(dir, path, &r), 0);
	while ((n = recorder_step(r)) > 0)
		;
	assert_int_equal(n, 0);
	recorder_close(r);
}

static void remove_segment(uint64_t index)
{
	char file[160];

	snprintf(file, sizeof(file), "%s/%s", dir, segment_name(index).text);
	assert_int_equal(unlink(file), 0);
}

static int count_line(void *data, const char *line, size_t len)
{
	assert_true(len > 20 && line[0] == '{' && line[len - 1] == '}');
	++*(int *)data;
	return 0;
}

static int read_lines(struct query *q, const char *order)
{
	_cleanup_statement_ sqlite3_stmt *rows = NULL;
	char sql[128];
	int count = 0;

	snprintf(sql, sizeof(sql), "SELECT segment, offset, length, id FROM events ORDER BY id %s",
		 order);
	assert_int_equal(query_prepare(q, sql, NULL, 0, &rows), 0);
	assert_int_equal(query_lines(q, rows, count_line, &count), 0);
	return count;
}

static int count_segment(struct query *q, int segment)
{
	int64_t n = 0;
	char sql[96];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM events WHERE segment = %d", segment);
	assert_int_equal(schema_get(query_database(q), sql, &n), 0);
	assert_in_range(n, 1, LINES - 1);
	return (int)n;
}

static void assert_gone(struct query *q, uint64_t count, int64_t from_ms, int64_t to_ms)
{
	struct query_gone gone = { .count = 77 };

	assert_int_equal(query_gone(q, &gone), 0);
	assert_int_equal(gone.count, count);
	assert_int_equal(gone.from_ms, from_ms);
	assert_int_equal(gone.to_ms, to_ms);
	assert_false(gone.more);
}

static void test_what_retention_took(void **state _unused_)
{
	static const char *const orders[] = { "", "DESC" };
	int taken;

	write_all();
	{
		_cleanup_(query_close_ptr) struct query *q = NULL;

		assert_int_equal(query_open(dir, path, false, &q), 0);
		assert_int_equal(read_lines(q, ""), LINES);
		assert_gone(q, 0, 0, 0);
		taken = count_segment(q, 1);
	}
	remove_segment(1);
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		_cleanup_(query_close_ptr) struct query *q = NULL;

		assert_int_equal(query_open(dir, path, false, &q), 0);
		assert_int_equal(read_lines(q, orders[i]), LINES - taken);
		assert_gone(q, (uint64_t)taken, 1001, 1000 + taken);
	}
}

/* While it is being read. */
static void test_taken_meanwhile(void **state _unused_)
{
	_cleanup_(query_close_ptr) struct query *q = NULL;
	int taken;

	write_all();
	assert_int_equal(query_open(dir, path, false, &q), 0);
	taken = count_segment(q, 1);
	remove_segment(1);
	assert_int_equal(read_lines(q, "DESC"), LINES - taken);
	assert_gone(q, (uint64_t)taken, 1001, 1000 + taken);
}

int main(void)
{
#define QUERY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, remove_root)
	const struct CMUnitTest tests[] = {
		QUERY_TEST(test_what_retention_took),
		QUERY_TEST(test_taken_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
