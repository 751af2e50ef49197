#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "record/schema.h"
#include "record/tree.h"
#include "unit/scratch.h"

static char path[80];

static int set_up(void **state _unused_)
{
	if (make_root())
		return -1;
	snprintf(path, sizeof(path), "%s/record.db", root);
	return 0;
}

static struct query *ask(const char *sql)
{
	_cleanup_(schema_close_ptr) sqlite3 *db = NULL;
	struct query *q = NULL;

	assert_int_equal(schema_open(path, &db), 0);
	assert_int_equal(schema_run(db, sql), 0);
	assert_int_equal(query_open(root, path, false, &q), 0);
	return q;
}

static void add_line(void *data, const struct tree_node *n, int depth)
{
	char line[64];

	snprintf(line, sizeof(line), "%d:%s ", depth, n->command);
	strcat(data, line);
}

static void assert_tree(const char *sql, const char *want)
{
	_cleanup_(query_close_ptr) struct query *q = ask(sql);
	_cleanup_tree_ struct tree t = { 0 };
	char got[512] = "";

	assert_int_equal(tree_read(q, 1, &t), 0);
	tree_walk(&t, add_line, got);
	assert_string_equal(got, want);
}

static void test_children_after_their_parents(void **state _unused_)
{
	assert_tree("INSERT INTO processes (id, session, parent, pid, command, began_ms) VALUES"
		    " (10, 1, 99, 1, 'a', 1), (11, 1, 10, 2, 'b', 2), (12, 1, 11, 3, 'c', 3),"
		    " (13, 1, 10, 4, 'd', 4), (14, 1, 98, 5, 'e', 5), (15, 2, 10, 6, 'other', 6)",
		    "0:a 1:b 2:c 1:d 0:e ");
}

/* Nobody is above himself, whatever a journal that was changed says. */
static void test_circles(void **state _unused_)
{
	assert_tree("INSERT INTO processes (id, session, parent, pid, command, began_ms) VALUES"
		    " (10, 1, 10, 1, 'a', 1), (11, 1, 12, 2, 'b', 2), (12, 1, 11, 3, 'c', 3)",
		    "0:a 0:c 1:b ");
}

static void test_findings_and_counts(void **state _unused_)
{
	_cleanup_(query_close_ptr) struct query *q = ask(
		"INSERT INTO names VALUES (1, 'p.first'), (2, 'p.last'), (3, 'deny');"
		"INSERT INTO processes (id, session, pid, outcome) VALUES (10, 1, 1, 1);"
		"INSERT INTO findings (event, session, process, signature, verdict, disposition)"
		" VALUES (1, 1, 10, 1, 3, 14), (2, 1, 10, 2, 3, 2), (3, 1, 77, 1, 3, 2);"
		"INSERT INTO events (id, time_ms, kind, session, process, subject, segment,"
		" offset, length) VALUES (1, 1, 3, 1, 10, 'x', 1, 0, 0),"
		" (2, 1, 4, 1, 10, '/a', 1, 0, 0), (3, 1, 4, 1, 10, '/b', 1, 0, 0)");
	_cleanup_tree_ struct tree t = { 0 };

	assert_int_equal(tree_read(q, 1, &t), 0);
	assert_int_equal(t.count, 1);
	assert_string_equal(t.nodes[0].signature, "p.last");
	assert_string_equal(t.nodes[0].verdict, "deny");
	assert_int_equal(t.nodes[0].outcome, 2);
	assert_int_equal(t.nodes[0].connects, 1);
	assert_int_equal(t.nodes[0].deletes, 2);
}

static int find(struct query *q, const char *name, const char *want)
{
	_cleanup_tree_session_ struct tree_session s = { 0 };
	int r = tree_find_session(q, name, &s);

	if (!r)
		assert_string_equal(s.name, want);
	return r;
}

static void test_sessions(void **state _unused_)
{
	_cleanup_(query_close_ptr) struct query *q =
		ask("INSERT INTO sessions (id, name, last_ms, events, findings, held, refused)"
		    " VALUES (1, 'abc1', 9, 0, 0, 0, 0), (2, 'abc12', 3, 0, 0, 0, 0),"
		    " (3, 'f00', 5, 0, 0, 0, 0)");

	assert_int_equal(find(q, NULL, "abc1"), 0);
	assert_int_equal(find(q, "abc1", "abc1"), 0);
	assert_int_equal(find(q, "abc12", "abc12"), 0);
	assert_int_equal(find(q, "f", "f00"), 0);
	assert_int_equal(find(q, "abc", ""), -ENOTUNIQ);
	assert_int_equal(find(q, "x", ""), -ENOENT);
}

/* The same name on two hosts. */
static void test_hosts(void **state _unused_)
{
	_cleanup_(query_close_ptr) struct query *q = ask(
		"INSERT INTO names VALUES (1, 'web'), (2, 'ci'), (3, '4f2c');"
		"INSERT INTO sessions (id, name, host, machine, events, findings, held,"
		" refused) VALUES (1, 'abc1', 1, 3, 0, 0, 0, 0), (2, 'abc1', 2, NULL, 0, 0, 0, 0),"
		" (3, 'abc12', 2, NULL, 0, 0, 0, 0)");
	_cleanup_tree_session_ struct tree_session s = { 0 };

	assert_int_equal(find(q, "abc1", ""), -ENOTUNIQ);
	assert_int_equal(find(q, "abc1@web", "abc1"), 0);
	assert_int_equal(find(q, "abc1@ci", "abc1"), 0);
	assert_int_equal(find(q, "abc@web", "abc1"), 0);
	assert_int_equal(find(q, "abc12", "abc12"), 0);
	assert_int_equal(find(q, "abc1@db", ""), -ENOENT);
	assert_int_equal(tree_find_session(q, "abc1@4f2c", &s), 0);
	assert_string_equal(s.host, "web");
}

int main(void)
{
#define TREE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, remove_root)
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_children_after_their_parents),
		TREE_TEST(test_circles),
		TREE_TEST(test_findings_and_counts),
		TREE_TEST(test_sessions),
		TREE_TEST(test_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
