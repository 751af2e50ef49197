#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli/trail.h"
#include "journal/journal.h"
#include "journal/ocsf.h"
#include "record/query.h"

static const struct ocsf_host host = { .hostname = "build-7", .boot_id = "b007" };
static char dir[64];
static struct journal *journal;
static uint64_t number;

static int set_up(void **state _unused_)
{
	const struct journal_options o = { .dir = dir, .segment_max = 4000 };

	strcpy(dir, "/tmp/backstop-trail-XXXXXX");
	number = 0;
	return mkdtemp(dir) && !journal_open(&o, &journal) ? 0 : -1;
}

static int tear_down(void **state _unused_)
{
	char command[128];

	journal_close(journal);
	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	return system(command);
}

static void put(void (*write)(struct strbuf *, const struct ocsf_host *, const struct ocsf_event *),
		const struct ocsf_event *e)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;

	write(&line, &host, e);
	assert_int_equal(journal_append(journal, strbuf_str(&line), line.len), 0);
	assert_int_equal(journal_flush(journal), 0);
}

static struct ocsf_event event_of(pid_t pid)
{
	number++;
	return (struct ocsf_event) { .time_ms = 1790000000000 + number,
				     .number = number,
				     .run = "cafe",
				     .session = "19a",
				     .agent = "claude",
				     .disposition = OCSF_ALLOWED,
				     .process = { .pid = pid, .start_ns = pid * 10ULL } };
}

static void put_exec(pid_t pid, char *first, char *second)
{
	char *argv[] = { first, second, NULL };
	struct ocsf_event e = event_of(pid);

	e.process.argv = argv;
	e.process.cwd = "/srv/app";
	put(ocsf_exec, &e);
}

static void put_deletion(pid_t pid, enum bs_delete_op op, const char *path)
{
	const struct ocsf_deletion d = { .op = op, .path = path };
	struct ocsf_event e = event_of(pid);

	e.deletion = &d;
	put(ocsf_delete, &e);
}

static struct trail_entry *entry(struct trail *t, unsigned int i)
{
	struct trail_entry *e = STAILQ_FIRST(&t->entries);

	while (e && i-- > 0)
		e = STAILQ_NEXT(e, link);
	assert_non_null(e);
	return e;
}

static void assert_same(const struct trail *a, const struct trail *b)
{
	const struct trail_entry *x = STAILQ_FIRST(&a->entries), *y = STAILQ_FIRST(&b->entries);

	assert_int_equal(a->count, b->count);
	assert_int_equal(a->oldest_ms, b->oldest_ms);
	for (; x && y; x = STAILQ_NEXT(x, link), y = STAILQ_NEXT(y, link)) {
		assert_true(json_equal(x->event, y->event));
		assert_true(json_equal(x->exec, y->exec) || (!x->exec && !y->exec));
		assert_true(json_equal(x->decision, y->decision) || (!x->decision && !y->decision));
		assert_int_equal(x->count, y->count);
		assert_int_equal(x->since_ms, y->since_ms);
	}
}

/* From the journal's end; a database says the same. */
static void read_trail(const char *path, unsigned int limit, struct trail *ret)
{
	struct trail asked = { .entries = STAILQ_HEAD_INITIALIZER(asked.entries) };
	struct query *q = NULL;

	trail_free(ret);
	assert_int_equal(trail_read(dir, path, limit, ret), 0);
	assert_int_equal(query_open(dir, "", true, &q), 0);
	assert_int_equal(trail_ask(q, path, limit, &asked), 0);
	assert_true(asked.oldest_ms <= ret->oldest_ms);
	asked.oldest_ms = ret->oldest_ms;
	assert_same(ret, &asked);
	trail_free(&asked);
	query_close(q);
}

static const char *path_of(const struct trail_entry *e)
{
	return json_string_value(json_object_get(json_object_get(e->event, "file"), "path"));
}

static const char *second_word(const struct trail_entry *e)
{
	json_t *unmapped = json_object_get(e->exec, "unmapped");
	json_t *argv = json_object_get(json_object_get(unmapped, "backstop"), "argv");

	return json_string_value(json_array_get(argv, 1));
}

static char python[] = "python3", clean[] = "clean.py", other[] = "other.py", rm[] = "rm",
	    here[] = ".", elsewhere[] = "/home";

#define TRAIL_INIT(t)                                                                              \
	{                                                                                          \
		.entries = STAILQ_HEAD_INITIALIZER((t).entries)                                    \
	}

static void test_a_file(void **state _unused_)
{
	_cleanup_trail_ struct trail t = TRAIL_INIT(t);

	put_exec(10, python, other);
	put_exec(10, python, clean); /* the same process again: this one counts */
	put_exec(11, python, other);
	put_deletion(10, BS_DELETE_UNLINK, "/srv/app/x");
	put_deletion(10, BS_DELETE_UNLINK, "/srv/app/xy");
	put_deletion(11, BS_DELETE_TRUNCATE, "/srv/app/x");
	read_trail("/srv/app/x", 5, &t);
	assert_int_equal(t.count, 2);
	assert_string_equal(second_word(entry(&t, 0)), "other.py");
	assert_string_equal(second_word(entry(&t, 1)), "clean.py");
	read_trail("/srv/app/x", 1, &t);
	assert_int_equal(t.count, 1);
	assert_string_equal(second_word(entry(&t, 0)), "other.py");
	read_trail("/srv/app", 5, &t);
	assert_int_equal(t.count, 2); /* one a process */
	assert_int_equal(entry(&t, 1)->count, 2);
	assert_string_equal(path_of(entry(&t, 1)), "/srv/app/xy");
	read_trail("/srv/app/x/below", 5, &t);
	assert_int_equal(t.count, 0); /* a file that is unlinked had nothing in it */
	assert_int_equal(t.oldest_ms, 1790000000001);
}

static void test_a_directory_above(void **state _unused_)
{
	_cleanup_trail_ struct trail t = TRAIL_INIT(t);

	put_deletion(10, BS_DELETE_MOVE, "/srv/app");
	put_deletion(10, BS_DELETE_RMDIR, "/srv/ap");
	read_trail("/srv/app/x/y", 5, &t);
	assert_int_equal(t.count, 1);
	assert_false(entry(&t, 0)->below);
	read_trail("/", 5, &t);
	assert_int_equal(t.count, 1);
	assert_int_equal(entry(&t, 0)->count, 2);
}

static void test_names_that_json_escapes(void **state _unused_)
{
	_cleanup_trail_ struct trail t = TRAIL_INIT(t);

	put_deletion(10, BS_DELETE_UNLINK, "/srv/a\"b\\c\n\",\"path\":\"/srv/z");
	read_trail("/srv/a\"b\\c\n\",\"path\":\"/srv/z", 5, &t);
	assert_int_equal(t.count, 1);
	read_trail("/srv/a\"b\\c\n\",\"path\":\"/srv", 5, &t);
	assert_int_equal(t.count, 1);
	read_trail("/srv/z", 5, &t);
	assert_int_equal(t.count, 0);
}

static void test_inside_its_file_system(void **state _unused_)
{
	const struct ocsf_deletion d = { .op = BS_DELETE_UNLINK,
					 .path = "/mnt/x",
					 .inner = "/data/x" };
	_cleanup_trail_ struct trail t = TRAIL_INIT(t);
	struct ocsf_event e = event_of(10);

	e.deletion = &d;
	put(ocsf_delete, &e);
	read_trail("/data/x", 5, &t);
	assert_int_equal(t.count, 1);
}

/* A deletion that was held, and what a human said. */
static void put_held(pid_t pid, const char *path, enum ocsf_disposition decided)
{
	const struct ocsf_deletion d = { .op = BS_DELETE_UNLINK, .path = path };
	struct ocsf_event e = event_of(pid);

	e.deletion = &d;
	e.disposition = OCSF_DELAYED;
	put(ocsf_delete, &e);
	e.hold = 7;
	e.verdict = "hold";
	e.signature = "files.state";
	put(ocsf_finding, &e);
	e.disposition = decided;
	e.by = "uid 1000";
	put(ocsf_finding, &e);
}

static json_int_t disposition_of(const json_t *event)
{
	return json_integer_value(json_object_get(event, "disposition_id"));
}

static void test_who_decided(void **state _unused_)
{
	_cleanup_trail_ struct trail t = TRAIL_INIT(t);

	put_exec(10, python, clean);
	put_held(10, "/srv/app/x", OCSF_APPROVED);
	put_held(10, "/srv/app/x", OCSF_REJECTED);
	put_held(10, "/srv/app/y", OCSF_APPROVED);
	read_trail("/srv/app/x", 5, &t);
	assert_int_equal(t.count, 2);
	assert_int_equal(disposition_of(entry(&t, 0)->decision), OCSF_REJECTED);
	assert_int_equal(disposition_of(entry(&t, 1)->decision), OCSF_APPROVED);
	assert_int_equal(disposition_of(entry(&t, 1)->event), OCSF_DELAYED);
	assert_string_equal(second_word(entry(&t, 1)), "clean.py");
	read_trail("/srv", 5, &t);
	assert_int_equal(t.count, 3); /* those that were decided stand for themselves */
}

static void put_finding(pid_t pid, char *word, enum ocsf_disposition disposition)
{
	char *argv[] = { rm, word, NULL };
	struct ocsf_event e = event_of(pid);

	e.number = pid;
	e.process.argv = argv;
	e.process.cwd = "/srv/app";
	e.disposition = disposition;
	e.signature = "fs.rm";
	put(ocsf_finding, &e);
}

static void test_commands_that_named_it(void **state _unused_)
{
	_cleanup_trail_ struct trail t = TRAIL_INIT(t);

	put_finding(10, here, OCSF_DELAYED);
	put_finding(11, elsewhere, OCSF_DELAYED);
	put_finding(10, here, OCSF_REJECTED);
	read_trail("/srv/app/src/x.c", 5, &t);
	assert_int_equal(t.count, 1);
	assert_int_equal(disposition_of(entry(&t, 0)->event), OCSF_REJECTED);
}

static void test_a_fork_runs_the_program_of_its_parent(void **state _unused_)
{
	const struct ocsf_deletion d = { .op = BS_DELETE_UNLINK,
					 .path = "/srv/app/x",
					 .program_pid = 10,
					 .program_start_ns = 100 };
	_cleanup_trail_ struct trail t = TRAIL_INIT(t);
	struct ocsf_event e;

	put_exec(10, python, clean);
	e = event_of(12);
	e.deletion = &d;
	put(ocsf_delete, &e);
	read_trail("/srv/app/x", 5, &t);
	assert_string_equal(second_word(entry(&t, 0)), "clean.py");
}

/* Below a directory one entry a program and outcome, with how many there were; where somebody
 * decided, one each. */
static void test_many_below(void **state _unused_)
{
	_cleanup_trail_ struct trail t = TRAIL_INIT(t);
	char path[64];

	put_exec(10, rm, here);
	for (int i = 0; i < 40; i++) {
		snprintf(path, sizeof(path), "/srv/app/d/%d", i);
		put_deletion(10 + i % 2, BS_DELETE_UNLINK, path);
	}
	put_deletion(10, BS_DELETE_RMDIR, "/srv/app/d");
	read_trail("/srv/app/d", 5, &t);
	assert_int_equal(t.count, 3);
	assert_string_equal(path_of(entry(&t, 0)), "/srv/app/d");
	assert_string_equal(path_of(entry(&t, 1)), "/srv/app/d/39");
	assert_int_equal(entry(&t, 1)->count, 20);
	assert_int_equal(entry(&t, 2)->count, 20);
	assert_int_equal(entry(&t, 2)->since_ms, 1790000000002);
	assert_string_equal(second_word(entry(&t, 2)), ".");
	read_trail("/", 5, &t);
	assert_int_equal(t.count, 2);
	assert_int_equal(entry(&t, 0)->count, 21);
}

static void assert_resolved(const char *path, const char *want)
{
	_cleanup_free_ char *got = trail_resolve(path);

	assert_string_equal(got, want);
}

static void test_paths(void **state _unused_)
{
	_cleanup_free_ char *relative = NULL, *cwd = getcwd(NULL, 0);
	char path[PATH_MAX + 128], want[PATH_MAX];

	snprintf(path, sizeof(path), "%s/link", dir);
	assert_int_equal(symlink("/usr/bin", path), 0);
	assert_resolved(path, path);
	snprintf(path, sizeof(path), "%s/link/./gone/../x", dir);
	assert_resolved(path, "/usr/bin/x");
	assert_resolved("/no/such//./dir/", "/no/such/dir");
	assert_resolved("/..", "/");
	snprintf(want, sizeof(want), "%s/no-such-file", cwd);
	assert_resolved("./no-such-file", want);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_a_file),
		CASE(test_a_directory_above),
		CASE(test_names_that_json_escapes),
		CASE(test_inside_its_file_system),
		CASE(test_who_decided),
		CASE(test_commands_that_named_it),
		CASE(test_a_fork_runs_the_program_of_its_parent),
		CASE(test_many_below),
		CASE(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
