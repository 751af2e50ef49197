#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/client.h"
#include "cli/feed.h"
#include "cli/filter.h"
#include "journal/journal.h"

static void test_times(void **state _unused_)
{
	const int64_t now = 1795000000000;
	struct tm t = { .tm_year = 126, .tm_mon = 0, .tm_mday = 31, .tm_hour = 12, .tm_isdst = -1 };
	int64_t ms = 0;

	assert_int_equal(filter_parse_time("90s", now, &ms), 0);
	assert_int_equal(ms, now - 90000);
	assert_int_equal(filter_parse_time("15m", now, &ms), 0);
	assert_int_equal(ms, now - 900000);
	assert_int_equal(filter_parse_time("3h", now, &ms), 0);
	assert_int_equal(ms, now - 3 * 3600000);
	assert_int_equal(filter_parse_time("2d", now, &ms), 0);
	assert_int_equal(ms, now - 2 * 86400000);
	assert_int_equal(filter_parse_time("2026-01-31 12:00", now, &ms), 0);
	assert_int_equal(ms, (int64_t)mktime(&t) * 1000);
	assert_int_equal(filter_parse_time("2026-01-31T12:00:00", now, &ms), 0);
	assert_int_equal(ms, (int64_t)mktime(&t) * 1000);
}

static void test_what_is_no_time(void **state _unused_)
{
	static const char *const bad[] = { "",		 "s",
					   "5",		 "5w",
					   "-5m",	 "5 m",
					   "today",	 "h3",
					   "2026-13-01", "2026-01-31 25:00",
					   "5m x",	 "1.5h",
					   "12:00",	 "99999999999999d" };
	int64_t ms = 7;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(filter_parse_time(bad[i], 1000, &ms), -EINVAL);
	assert_int_equal(ms, 7);
}

static bool wants(const struct filter *f, const char *line)
{
	_cleanup_json_ json_t *event = feed_parse(line, strlen(line));

	assert_non_null(event);
	return filter_wants(f, event);
}

#define DELETION                                                                                   \
	"{\"class_uid\":1001,\"time\":500,\"actor\":{\"process\":{\"name\":\"rm\"}},\"file\":"     \
	"{\"path\":\"/srv/app/x\"},\"unmapped\":{\"backstop\":{\"session\":\"s1\",\"agent\":"      \
	"\"claude\"}}}"
#define FINDING                                                                                    \
	"{\"class_uid\":2004,\"time\":500,\"evidences\":[{\"process\":{\"name\":\"psql\",\"file\"" \
	":{\"path\":\"/usr/bin/psql\"}},\"dst_endpoint\":{\"ip\":\"10.0.0.1\"}}],\"unmapped\":"    \
	"{\"backstop\":{\"verdict\":\"hold\",\"signature\":\"db.prod\"}}}"

static void test_wanted(void **state _unused_)
{
	static const struct filter deletions[] = {
		{ 0 },
		{ .session = "s1", .agent = "claude", .kind = "delete" },
		{ .path = "/srv/app" },
		{ .path = "/srv/app/x" },
		{ .path = "/" },
		{ .program = "rm" },
		{ .since_ms = 500, .until_ms = 501 },
	};
	static const struct filter findings[] = {
		{ .verdict = "hold" }, { .signature = "db.*" },	       { .host = "10.0.0.1" },
		{ .program = "psql" }, { .program = "/usr/bin/psql" }, { .kind = "connect" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(deletions); i++)
		assert_true(wants(&deletions[i], DELETION));
	for (size_t i = 0; i < ARRAY_SIZE(findings); i++)
		assert_true(wants(&findings[i], FINDING));
}

static void test_not_wanted(void **state _unused_)
{
	static const struct filter none[] = {
		{ .session = "s" },    { .agent = "codex" },	   { .kind = "exec" },
		{ .path = "/srv/ap" }, { .path = "/srv/app/x/y" }, { .program = "m" },
		{ .since_ms = 501 },   { .until_ms = 500 },	   { .verdict = "hold" },
		{ .signature = "*" },  { .host = "10.0.0.1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		assert_false(wants(&none[i], DELETION));
	assert_false(wants(&(struct filter) { .signature = "db" }, FINDING));
	assert_false(wants(&(struct filter) { .path = "/" }, FINDING));
}

/* Times that come in no order; what is found comes in the journal's. */
static void write_journal(const char *dir)
{
	static const int times[] = { 5000, 3000, 4000, 9000, 1000, 4500 };
	const struct journal_options o = { .dir = dir, .segment_max = 1 << 20 };
	_cleanup_(journal_close_ptr) struct journal *j = NULL;
	char line[128];

	assert_int_equal(journal_open(&o, &j), 0);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		int n = snprintf(line, sizeof(line),
				 "{\"class_uid\":1007,\"activity_id\":1,\"time\":%d}", times[i]);

		assert_int_equal(journal_append(j, line, (size_t)n), 0);
	}
}

static void assert_found(struct query *q, const struct filter *f, unsigned int count,
			 const char *want)
{
	_cleanup_statement_ sqlite3_stmt *rows = NULL;
	char got[32] = "";

	assert_int_equal(filter_prepare(f, q, count, &rows), 0);
	while (query_step(rows) > 0) {
		size_t len = strlen(got);

		snprintf(got + len, sizeof(got) - len, "%d ", sqlite3_column_int(rows, 3));
	}
	assert_string_equal(got, want);
}

static void test_order_of_the_journal(void **state _unused_)
{
	char dir[] = "/tmp/backstop-filter-XXXXXX", command[64];
	struct query *q = NULL;

	assert_non_null(mkdtemp(dir));
	write_journal(dir);
	assert_int_equal(query_open(dir, "", true, &q), 0);
	assert_found(q, &(struct filter) { 0 }, 0, "1 2 3 4 5 6 ");
	assert_found(q, &(struct filter) { .since_ms = 4000 }, 0, "1 3 4 6 ");
	assert_found(q, &(struct filter) { .since_ms = 4000 }, 9, "6 4 3 1 ");
	assert_found(q, &(struct filter) { .since_ms = 4000, .until_ms = 5000 }, 0, "3 6 ");
	assert_found(q, &(struct filter) { .until_ms = 4000 }, 0, "2 5 ");
	query_close(q);
	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	assert_int_equal(system(command), 0);
}

static void write_kinds(const char *dir)
{
	static const char *const lines[] = {
		"{\"class_uid\":1007,\"activity_id\":1,\"time\":1,\"device\":{\"hostname\":\"h1\"},"
		"\"unmapped\":{\"backstop\":{\"session\":\"s\"}}}",
		"{\"class_uid\":1007,\"activity_id\":2,\"time\":2}",
		"{\"class_uid\":1001,\"time\":3,\"file\":{\"path\":\"/srv/x\"}}",
		"{\"class_uid\":4001,\"time\":4,\"dst_endpoint\":{\"ip\":\"10.0.0.1\",\"port\":5}}",
		"{\"class_uid\":6002,\"time\":5}",
		"{\"class_uid\":2004,\"time\":6,\"evidences\":[{\"file\":{\"path\":\"/srv\"}}]}",
		"{\"class_uid\":1001,\"time\":7,\"file\":{\"path\":\"/srvx\"}}",
	};
	const struct journal_options o = { .dir = dir, .segment_max = 1 << 20 };
	_cleanup_(journal_close_ptr) struct journal *j = NULL;

	assert_int_equal(journal_open(&o, &j), 0);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_equal(journal_append(j, lines[i], strlen(lines[i])), 0);
}

/* What the rows tell: findings are of the kind of what was found, which their lines say. */
static void test_conditions(void **state _unused_)
{
	char dir[] = "/tmp/backstop-filter-XXXXXX", command[64];
	struct query *q = NULL;

	assert_non_null(mkdtemp(dir));
	write_kinds(dir);
	assert_int_equal(query_open(dir, "", true, &q), 0);
	assert_found(q, &(struct filter) { .kind = "exec" }, 0, "1 6 ");
	assert_found(q, &(struct filter) { .kind = "exit" }, 0, "2 ");
	assert_found(q, &(struct filter) { .kind = "delete" }, 0, "3 6 7 ");
	assert_found(q, &(struct filter) { .kind = "connect" }, 9, "6 4 ");
	assert_found(q, &(struct filter) { .kind = "guard" }, 0, "5 ");
	assert_found(q, &(struct filter) { .path = "/" }, 0, "3 6 7 ");
	assert_found(q, &(struct filter) { .path = "/srv" }, 0, "3 6 ");
	assert_found(q, &(struct filter) { .path = "/srv/x" }, 0, "3 ");
	assert_found(q, &(struct filter) { .host = "10.0.0.1" }, 0, "4 ");
	assert_found(q, &(struct filter) { .host = "h1" }, 0, "1 ");
	query_close(q);
	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_what_is_no_time),
		cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_not_wanted),
		cmocka_unit_test(test_order_of_the_journal),
		cmocka_unit_test(test_conditions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
