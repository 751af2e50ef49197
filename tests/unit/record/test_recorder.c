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
#include <sys/wait.h>

#include "base/io.h"
#include "journal/journal.h"
#include "journal/segment.h"
#include "record/recorder.h"
#include "record/schema.h"
#include "record/store.h"
#include "unit/scratch.h"

static char dir[80], path[80];

static int set_up(void **state _unused_)
{
	if (make_root())
		return -1;
	snprintf(dir, sizeof(dir), "%s/journal", root);
	snprintf(path, sizeof(path), "%s/record.db", root);
	return 0;
}

/* Lines `from` up to and without `to`: execs and exits of processes of one session in ten each. */
static void write_lines(int from, int to)
{
	const struct journal_options o = { .dir = dir, .segment_max = 64 << 10 };
	struct journal *j = NULL;
	char line[512];

	assert_int_equal(journal_open(&o, &j), 0);
	for (int i = from; i < to; i++) {
		int n = snprintf(
			line, sizeof(line),
			"{\"class_uid\":1007,\"activity_id\":%d,\"time\":%d,\"disposition_id\":1,"
			"\"exit_code\":3,\"process\":{\"pid\":%d,\"uid\":\"b:%d:1\",\"cmd_line\":"
			"\"run %d\"},"
			"\"unmapped\":{\"backstop\":{\"session\":\"s%d\",\"agent\":\"a\"}}}",
			1 + i % 2, 1000 + i, i / 2, i / 2, i, i / 10);

		assert_int_equal(journal_append(j, line, (size_t)n), 0);
	}
	journal_close(j);
}

static struct recorder *open_recorder(void)
{
	struct recorder *r = NULL;

	assert_int_equal(recorder_open(dir, path, &r), 0);
	return r;
}

static void catch_up(void)
{
	struct recorder *r = open_recorder();
	int n;

	while ((n = recorder_step(r)) > 0)
		;
	assert_int_equal(n, 0);
	recorder_close(r);
}

static int64_t get(const char *sql)
{
	_cleanup_(schema_close_ptr) sqlite3 *db = NULL;
	int64_t n = -1;

	assert_int_equal(schema_open_read(path, &db), 0);
	assert_int_equal(schema_get(db, sql, &n), 0);
	return n;
}

static void assert_lines(int count)
{
	assert_int_equal(get("SELECT count(*) FROM events"), count);
	assert_int_equal(get("SELECT count(DISTINCT time_ms) FROM events"), count);
	assert_int_equal(get("SELECT max(id) FROM events"), count);
	assert_int_equal(get("SELECT sum(events) FROM sessions"), count);
	assert_int_equal(get("SELECT count(*) FROM sessions"), (count + 9) / 10);
	assert_int_equal(get("SELECT count(*) FROM processes"), (count + 1) / 2);
	assert_int_equal(get("SELECT lines FROM cursor"), count);
}

static void test_goes_on(void **state _unused_)
{
	write_lines(0, 1000);
	catch_up();
	assert_lines(1000);
	catch_up();
	write_lines(1000, 1003);
	catch_up();
	assert_lines(1003);
	assert_int_equal(get("SELECT count(*) FROM processes WHERE status = 3"), 501);
	assert_int_equal(get("SELECT count(*) FROM processes WHERE began_ms IS NOT NULL"), 502);
	assert_int_equal(get("SELECT count(*) FROM names WHERE text = 'a'"), 1);
}

static void add_host_line(struct journal *j, const char *device, int i)
{
	char line[512];
	int n = snprintf(line, sizeof(line),
			 "{\"class_uid\":1007,\"activity_id\":1,\"time\":%d,\"device\":{%s},"
			 "\"disposition_id\":1,\"process\":{\"pid\":7,\"uid\":\"b:%d:1\"},"
			 "\"unmapped\":{\"backstop\":{\"session\":\"19ab\"}}}",
			 1000 + i, device, i);

	assert_int_equal(journal_append(j, line, (size_t)n), 0);
}

static void add_numbered(struct journal *j, const char *machine, int from, int to)
{
	char line[512];

	for (int i = from; i < to; i++) {
		int n = snprintf(line, sizeof(line),
				 "{\"class_uid\":1007,\"activity_id\":1,\"time\":%d,"
				 "\"device\":{\"hostname\":\"h\",\"uid\":\"%s\"},"
				 "\"unmapped\":{\"backstop\":{\"line\":%d}}}",
				 1000 + i, machine, i);

		assert_int_equal(journal_append(j, line, (size_t)n), 0);
	}
}

/* Of each host the numbers of its lines are kept as ranges, from one start to the next. */
static void test_lines_of_hosts(void **state _unused_)
{
	static const struct {
		int from, to, ranges;
		int64_t sum; /* of what the ranges begin and end with */
	} steps[] = { { 10, 20, 1, 29 }, { 20, 30, 1, 39 }, { 40, 41, 2, 119 },
		      { 1, 3, 3, 122 },	 { 3, 10, 2, 110 }, { 30, 40, 1, 41 } };
	const struct journal_options o = { .dir = dir, .segment_max = 64 << 10 };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct journal *j = NULL;

		assert_int_equal(journal_open(&o, &j), 0);
		add_numbered(j, "4f2c", steps[i].from, steps[i].to);
		add_numbered(j, "4f2d", (int)i + 1, (int)i + 2);
		journal_close(j);
		catch_up();
		assert_int_equal(get("SELECT count(*) FROM host_lines WHERE host = 1"),
				 steps[i].ranges);
		assert_int_equal(get("SELECT sum(first + last) FROM host_lines WHERE host = 1"),
				 steps[i].sum);
		assert_int_equal(get("SELECT last FROM host_lines WHERE host = 2"), i + 1);
	}
	assert_int_equal(get("SELECT events FROM hosts WHERE known = '4f2c'"), 40);
	assert_int_equal(get("SELECT count(*) FROM hosts h JOIN names n ON n.id = h.name"
			     " WHERE n.text = 'h'"),
			 2);
}

/* A session is known by its name and its host, over a restart too. */
static void test_hosts(void **state _unused_)
{
	static const char *const devices[] = {
		"\"hostname\":\"web\"",
		"\"hostname\":\"ci\"",
		"\"hostname\":\"web\",\"uid\":\"4f2c\"",
		"\"hostname\":\"web\",\"uid\":\"4f2d\"",
	};
	const struct journal_options o = { .dir = dir, .segment_max = 64 << 10 };

	for (int round = 1; round <= 2; round++) {
		struct journal *j = NULL;

		assert_int_equal(journal_open(&o, &j), 0);
		for (int i = 0; i < 40; i++)
			add_host_line(j, devices[i % 4], 40 * round + i);
		journal_close(j);
		catch_up();
		assert_int_equal(get("SELECT count(*) FROM sessions"), 4);
		assert_int_equal(get("SELECT min(events) FROM sessions"), 10 * round);
		assert_int_equal(get("SELECT max(events) FROM sessions"), 10 * round);
		assert_int_equal(get("SELECT count(*) FROM sessions s JOIN names n"
				     " ON n.id = s.host WHERE n.text = 'web'"),
				 3);
	}
}

/* A recorder that ends at any point: what it did not commit is read again. */
static void test_killed(void **state _unused_)
{
	write_lines(0, 30000);
	for (int i = 0; i < 6; i++) {
		pid_t pid = fork();

		if (!pid) {
			struct recorder *r = open_recorder();

			for (int steps = i % 3; steps && recorder_step(r) > 0; steps--)
				;
			_exit(0);
		}
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	catch_up();
	assert_lines(30000);
}

static void test_lines_that_are_none(void **state _unused_)
{
	char last[128];

	write_lines(0, 10);
	snprintf(last, sizeof(last), "%s/%s", dir, segment_name(1).text);
	{
		_cleanup_close_ int fd = open(last, O_WRONLY | O_APPEND | O_CLOEXEC);

		assert_int_equal(io_write_all(fd, "no event\n{\"class_uid\":1007,\n", 28), 0);
	}
	write_lines(10, 20);
	catch_up();
	assert_lines(20);
	assert_int_equal(get("SELECT skipped FROM cursor"), 2);
}

static void remove_file(const char *file)
{
	char name[160];

	snprintf(name, sizeof(name), "%s/%s", dir, file);
	assert_int_equal(unlink(name), 0);
}

static void test_segments_that_went(void **state _unused_)
{
	write_lines(0, 1000);
	catch_up();
	write_lines(1000, 2000);
	for (int i = 1; i <= 4; i++)
		remove_file(segment_name(i).text);
	catch_up();
	assert_in_range(get("SELECT count(*) FROM events"), 1000, 2000);
	assert_int_equal(get("SELECT max(time_ms) FROM events"), 2999);
}

static void test_another_journal(void **state _unused_)
{
	char command[128];

	write_lines(0, 50);
	catch_up();
	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	assert_int_equal(system(command), 0);
	write_lines(5, 200);
	catch_up();
	assert_int_equal(get("SELECT count(*) FROM events"), 195);
	assert_int_equal(get("SELECT min(time_ms) FROM events"), 1005);
}

static void test_damaged(void **state _unused_)
{
	char bad[100];
	struct recorder *r;
	int fd;

	write_lines(0, 5000);
	catch_up();
	fd = open(path, O_WRONLY | O_CLOEXEC);
	for (int page = 1; page < 40; page++)
		assert_int_equal(pwrite(fd, "damage damage damage damage", 27, page * 4096), 27);
	close(fd);
	write_lines(5000, 6000);
	r = open_recorder();
	assert_true(recorder_step(r) > 0);
	while (recorder_step(r) > 0)
		;
	recorder_close(r);
	assert_lines(6000);
	snprintf(bad, sizeof(bad), "%s.bad", path);
	assert_int_equal(access(bad, F_OK), 0);
}

static void test_no_journal(void **state _unused_)
{
	struct recorder *r = NULL;

	assert_int_equal(recorder_open(dir, path, &r), -ENOENT);
	assert_null(r);
	recorder_close(NULL);
	assert_int_equal(io_mkdir_p(dir, 0700), 0);
	catch_up();
	assert_int_equal(get("SELECT count(*) FROM events"), 0);
}

static void test_ids_are_stable(void **state _unused_)
{
	assert_int_equal(store_process_id("b:1:2", 5), store_process_id("b:1:2", 5));
	assert_true(store_process_id("b:1:2", 5) != store_process_id("b:1:3", 5));
	assert_true(store_process_id("b:1:2", 5) > 0);
	write_lines(0, 4);
	catch_up();
	assert_int_equal(get("SELECT id FROM processes WHERE pid = 1"),
			 store_process_id("b:1:1", 5));
}

int main(void)
{
#define RECORDER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, remove_root)
	const struct CMUnitTest tests[] = {
		RECORDER_TEST(test_goes_on),
		RECORDER_TEST(test_hosts),
		RECORDER_TEST(test_lines_of_hosts),
		RECORDER_TEST(test_killed),
		RECORDER_TEST(test_lines_that_are_none),
		RECORDER_TEST(test_segments_that_went),
		RECORDER_TEST(test_another_journal),
		RECORDER_TEST(test_damaged),
		RECORDER_TEST(test_no_journal),
		RECORDER_TEST(test_ids_are_stable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
