#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "record/schema.h"
#include "record/store.h"

static struct store *store;

static int set_up(void **state _unused_)
{
	return store_open(":memory:", &store);
}

static int tear_down(void **state _unused_)
{
	store_close(store);
	return 0;
}

static int64_t get(const char *sql)
{
	int64_t n = -1;

	assert_int_equal(schema_get(store_database(store), sql, &n), 0);
	return n;
}

/* A finding on a command with these words, as JSON, in this directory. */
static struct event finding(const char *argv, const char *cwd)
{
	return (struct event) { .kind = EVENT_FINDING,
				.time_ms = 1,
				.process.cwd = { cwd, strlen(cwd) },
				.argv = { argv, strlen(argv) } };
}

static void put(const struct event *e)
{
	const struct store_place at = { 1, 0, 10 };

	assert_int_equal(store_put(store, e, &at), 0);
}

static bool is_named(const char *path, int event)
{
	char sql[256];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM named WHERE path = '%s' AND event = %d",
		 path, event);
	return get(sql) == 1;
}

static void test_words(void **state _unused_)
{
	const struct event e = finding(
		"[\"rm\",\"-rf\",\"a\",\"../b/.\",\"/etc/x\",\"\",\"a\",\"\\u00fc\"]", "/srv/w");

	put(&e);
	assert_true(is_named("/srv/w/a", 1));
	assert_true(is_named("/srv/b", 1));
	assert_true(is_named("/etc/x", 1));
	assert_true(is_named("/srv/w/\xc3\xbc", 1));
	assert_int_equal(get("SELECT count(*) FROM named"), 4);
}

static void test_no_directory(void **state _unused_)
{
	const struct event e = finding("[\"rm\",\"a\",\"/b\"]", "");

	put(&e);
	assert_true(is_named("/b", 1));
	assert_int_equal(get("SELECT count(*) FROM named"), 1);
}

/* So that no question misses it. */
static void test_too_many_words(void **state _unused_)
{
	char argv[1024] = "[\"rm\"";
	struct event e;

	for (int i = 1; i < 64; i++)
		sprintf(argv + strlen(argv), ",\"w%d\"", i);
	e = finding(argv, "/d");
	put(&e);
	assert_true(is_named("/d/w63", 1));
	assert_false(is_named("/", 1));
	strcat(argv, ",\"w64\"]");
	e = finding(argv, "/d");
	put(&e);
	assert_true(is_named("/d/w63", 2));
	assert_false(is_named("/d/w64", 2));
	assert_true(is_named("/", 2));
}

static void test_others(void **state _unused_)
{
	struct event e = finding("[\"rm\",\"a\"]", "/d");

	e.kind = EVENT_EXEC;
	put(&e);
	e.kind = EVENT_FINDING;
	e.path = (struct slice) { "/d/a", 4 };
	put(&e);
	e.path = (struct slice) { NULL, 0 };
	e.address = (struct slice) { "10.0.0.1", 8 };
	put(&e);
	assert_int_equal(get("SELECT count(*) FROM named"), 0);
	assert_int_equal(get("SELECT count(*) FROM events"), 3);
}

/* The row itself says of whom it is. */
static void test_agent_and_program(void **state _unused_)
{
	struct event e = { .kind = EVENT_EXEC,
			   .time_ms = 1,
			   .agent = { "codex", 5 },
			   .process.path = { "/bin/rm", 7 } };

	put(&e);
	e.process.path = (struct slice) { NULL, 0 };
	e.process.name = (struct slice) { "sh", 2 };
	put(&e);
	e = (struct event) { .kind = EVENT_GUARD, .time_ms = 1 };
	put(&e);
	assert_int_equal(get("SELECT count(*) FROM events e JOIN names n ON n.id = e.agent"
			     " WHERE n.text = 'codex'"),
			 2);
	assert_int_equal(get("SELECT sum(e.id) FROM events e JOIN names n ON n.id = e.program"
			     " WHERE n.text = '/bin/rm' OR n.text = 'sh' AND e.id = 2"),
			 3);
	assert_int_equal(get("SELECT id FROM events WHERE agent IS NULL AND program IS NULL"), 3);
}

int main(void)
{
#define NAMED_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		NAMED_TEST(test_words),
		NAMED_TEST(test_no_directory),
		NAMED_TEST(test_too_many_words),
		NAMED_TEST(test_others),
		NAMED_TEST(test_agent_and_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
