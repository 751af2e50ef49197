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
#include "record/schema.h"

static char dir[64], path[80];

static int set_up(void **state _unused_)
{
	strcpy(dir, "/tmp/backstop-schema-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/record.db", dir);
	return 0;
}

static int tear_down(void **state _unused_)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	return system(command);
}

static int64_t get(sqlite3 *db, const char *sql)
{
	int64_t n = -1;

	assert_int_equal(schema_get(db, sql, &n), 0);
	return n;
}

static void test_made_once(void **state _unused_)
{
	_cleanup_(schema_close_ptr) sqlite3 *db = NULL, *again = NULL, *reader = NULL;

	assert_int_equal(schema_open_read(path, &reader), -ENOENT);
	assert_int_equal(schema_open(path, &db), 0);
	assert_int_equal(get(db, "PRAGMA user_version"), schema_version());
	assert_int_equal(schema_run(db, "UPDATE cursor SET lines = 7"), 0);
	assert_int_equal(schema_open(path, &again), 0);
	assert_int_equal(get(again, "SELECT lines FROM cursor"), 7);
	assert_int_equal(schema_open_read(path, &reader), 0);
	assert_int_equal(schema_run(reader, "UPDATE cursor SET lines = 8"), -EACCES);
	assert_int_equal(get(reader, "SELECT lines FROM cursor"), 7);
}

/* Each older version becomes this one, with what it holds. */
static void test_migrations(void **state _unused_)
{
	for (int version = 1; version < schema_version(); version++) {
		_cleanup_(schema_close_ptr) sqlite3 *old = NULL, *db = NULL, *reader = NULL;

		unlink(path);
		assert_int_equal(sqlite3_open(path, &old), SQLITE_OK);
		assert_int_equal(schema_migrate(old, version), 0);
		assert_int_equal(get(old, "PRAGMA user_version"), version);
		assert_int_equal(schema_run(old, "INSERT INTO names VALUES (1, 'x')"), 0);
		assert_int_equal(schema_open_read(path, &reader), -ESTALE);
		assert_int_equal(schema_open(path, &db), 0);
		assert_int_equal(get(db, "PRAGMA user_version"), schema_version());
		assert_int_equal(get(db, "SELECT count(*) FROM names"), 1);
		assert_int_equal(
			get(db, "SELECT count(*) FROM sqlite_master WHERE name = 'events_session'"),
			1);
	}
}

/* What a row of the third version says only through its session and its process, its own columns
 * say since; a command of then may have named any path, one on a file or an address none. */
static void test_names_of_older_events(void **state _unused_)
{
	_cleanup_(schema_close_ptr) sqlite3 *old = NULL, *db = NULL;

	assert_int_equal(sqlite3_open(path, &old), SQLITE_OK);
	assert_int_equal(schema_migrate(old, 3), 0);
	assert_int_equal(
		schema_run(
			old,
			"INSERT INTO sessions VALUES (4, 's', 0, 11, 0, 1, 1, 3, 2, 0, 0, 0);"
			"INSERT INTO processes (id, session, program) VALUES (50, 4, 12);"
			"INSERT INTO events VALUES (1, 1, 1, 4, 50, 1, NULL, 1, 0, 9),"
			" (2, 2, 5, 4, 50, 2, NULL, 1, 9, 9), (3, 3, 5, 4, 51, 2, '/x', 1, 18, 9),"
			" (4, 4, 6, NULL, NULL, 0, NULL, 1, 27, 9);"
			"INSERT INTO findings (event, session) VALUES (2, 4), (3, 4);"),
		0);
	assert_int_equal(schema_open(path, &db), 0);
	assert_int_equal(get(db, "SELECT sum(id) FROM events WHERE agent = 11"), 1 + 2 + 3);
	assert_int_equal(get(db, "SELECT sum(id) FROM events WHERE program = 12"), 1 + 2);
	assert_int_equal(get(db, "SELECT sum(event) FROM named WHERE path = '/'"), 2);
	assert_int_equal(get(db, "SELECT count(*) FROM named"), 1);
	assert_int_equal(get(db, "SELECT sum(id * length) FROM events"), 10 * 9);
}

static void test_newer_version(void **state _unused_)
{
	sqlite3 *db = NULL, *other = NULL;

	assert_int_equal(schema_open(path, &db), 0);
	assert_int_equal(schema_run(db, "PRAGMA user_version = 1000"), 0);
	assert_int_equal(schema_open(path, &other), -EPROTO);
	assert_int_equal(schema_open_read(path, &other), -ESTALE);
	assert_null(other);
	sqlite3_close(db);
}

static void test_no_database(void **state _unused_)
{
	char text[4096];
	sqlite3 *db = NULL;

	memset(text, 'x', sizeof(text));
	assert_int_equal(io_replace_file(path, text, sizeof(text), 0600), 0);
	assert_int_equal(schema_open(path, &db), -EUCLEAN);
	assert_int_equal(schema_open_read(path, &db), -EUCLEAN);
	assert_int_equal(schema_open("/nonexistent/x.db", &db), -ENOENT);
	assert_null(db);
}

static void test_errors(void **state _unused_)
{
	_cleanup_(schema_close_ptr) sqlite3 *db = NULL;
	int64_t n = 5;

	assert_int_equal(schema_open(path, &db), 0);
	assert_int_equal(schema_get(db, "SELECT nothing", &n), -EIO);
	assert_int_equal(n, 5);
	assert_int_equal(schema_get(db, "SELECT 1 WHERE 0", &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(schema_errno(SQLITE_FULL), -ENOSPC);
	assert_int_equal(schema_errno(SQLITE_NOMEM), -ENOMEM);
	assert_int_equal(schema_errno(SQLITE_BUSY), -EBUSY);
}

int main(void)
{
#define SCHEMA_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		SCHEMA_TEST(test_made_once),	 SCHEMA_TEST(test_migrations),
		SCHEMA_TEST(test_newer_version), SCHEMA_TEST(test_no_database),
		SCHEMA_TEST(test_errors),	 SCHEMA_TEST(test_names_of_older_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
