/* Every event of the kernel's is recorded once, over all the guards of a run. */
#include "fixture.h"
#include "fake_kernel.h"

#include <sys/resource.h>

static int start(void **state)
{
	char path[sizeof(state_dir) + 16];

	fake.shared = (struct bs_shared) { 0 };
	memset(fake.slots, 0, sizeof(fake.slots));
	if (guard_set_up(state))
		return -1;
	snprintf(path, sizeof(path), "%s/journal", state_dir);
	return symlink(".", path) ?: recorded_start(&guard);
}

/* The guard is killed, and the next one starts. */
static void start_again(void)
{
	recorded_free(&guard);
	guard.recorded = (struct recorded) { 0 };
	assert_int_equal(recorded_start(&guard), 0);
}

static struct exec *numbered(u64 number)
{
	struct exec *x = NEW_EXEC("zap\0held");

	x->number = number;
	return x;
}

static void record(u64 number)
{
	_cleanup_(exec_free_ptr) struct exec *x = numbered(number);

	report_action(&guard, x, OCSF_ALLOWED);
}

static int line_count(void)
{
	json_t *line;
	int n = 0;

	while ((line = journal_line(n + 1))) {
		json_decref(line);
		n++;
	}
	return n;
}

static json_int_t mark(int n, const char *key)
{
	json_t *line = journal_line(n), *found;
	json_int_t value;
	char path[64];

	assert_non_null(line);
	snprintf(path, sizeof(path), "unmapped.backstop.%s", key);
	found = json_at(line, path);
	value = found ? json_integer_value(found) : 0;
	json_decref(line);
	return value;
}

static void assert_counts(u64 made, u64 recorded, u64 lost)
{
	struct report_counts c;

	report_counts(&guard, &c);
	assert_int_equal(c.made, made);
	assert_int_equal(c.recorded, recorded);
	assert_int_equal(c.lost, lost);
}

static void test_once(void **state _unused_)
{
	assert_false(report_is_recorded(&guard, 5));
	record(5);
	record(5);
	record(3);
	assert_true(report_is_recorded(&guard, 5));
	assert_false(report_is_recorded(&guard, 4));
	assert_int_equal(line_count(), 2);
	assert_int_equal(mark(1, "event"), 5);
	assert_int_equal(mark(1, "recorded"), 1);
	assert_int_equal(mark(2, "event"), 3);
	assert_int_equal(mark(2, "recorded"), 2);
	fake.shared.counters.events = 5;
	assert_counts(5, 2, 0);
}

static void find(u64 number)
{
	_cleanup_(exec_free_ptr) struct exec *x = numbered(number);
	const struct decision d = { .verdict = VERDICT_ALERT };

	report_finding(&guard, x, &d, NULL, OCSF_ALERT, 0);
}

static void test_a_finding_names_its_event(void **state _unused_)
{
	record(5);
	find(5);
	assert_int_equal(mark(2, "event"), 5);
	assert_int_equal(mark(2, "recorded"), 0);
	find(6); /* of which nothing else is told */
	assert_int_equal(mark(3, "recorded"), 2);
	assert_counts(0, 2, 0);
}

static void test_next_guard_goes_on(void **state _unused_)
{
	char run[9];

	strcpy(run, guard.recorded.run);
	record(1);
	record(2);
	find(2);
	record(4);
	start_again();
	assert_string_equal(guard.recorded.run, run);
	assert_counts(0, 3, 0);
	assert_true(report_is_recorded(&guard, 2));
	assert_false(report_is_recorded(&guard, 3));
	for (u64 n = 1; n <= 5; n++)
		record(n);
	find(2);
	assert_int_equal(line_count(), 6);
	assert_counts(0, 5, 0);
	start_again();
	assert_counts(0, 5, 0);
}

/* New pins: the same numbers come anew. */
static void test_next_run_begins_anew(void **state _unused_)
{
	char run[9];

	strcpy(run, guard.recorded.run);
	record(1);
	fake.shared = (struct bs_shared) { 0 };
	start_again();
	assert_string_not_equal(guard.recorded.run, run);
	assert_false(report_is_recorded(&guard, 1));
	assert_counts(0, 0, 0);
	record(1);
	assert_int_equal(line_count(), 2);
}

static void rest(u16 type, u64 number)
{
	const struct bs_exit_event e = {
		.head = { .type = type, .number = number, .session = 0x19ab, .tgid = 7 }
	};

	report_rest(&guard, &e.head);
}

static void test_rest(void **state _unused_)
{
	record(1);
	rest(BS_EVENT_EXIT, 1);
	rest(BS_EVENT_ARGS, 0);
	assert_int_equal(line_count(), 1);
	rest(BS_EVENT_END, 2);
	rest(BS_EVENT_EXIT, 3);
	rest(BS_EVENT_END, 2);
	assert_int_equal(line_count(), 3);
	assert_int_equal(mark(2, "event"), 2);
	assert_int_equal(mark(3, "event"), 3);
}

static void rest_of_connect(u64 number)
{
	const struct bs_connect_event e = { .head = { .type = BS_EVENT_CONNECT,
						      .number = number,
						      .time = boot_ns(),
						      .tgid = 1 << 22 },
					    .dest = { .port = 53 },
					    .flags = BS_CONNECT_CANDIDATE,
					    .slot = 3,
					    .ticket = 4 };

	report_rest(&guard, &e.head);
}

static void assert_connect(u64 number, int disposition, const char *reason)
{
	json_t *line = journal_line(line_count());

	assert_int_equal(number_at(line, "class_uid"), 4001);
	assert_int_equal(number_at(line, "disposition_id"), disposition);
	assert_int_equal(number_at(line, "unmapped.backstop.event"), number);
	assert_string_equal(text_at(line, "unmapped.backstop.reason"), reason);
	json_decref(line);
}

/* Its slot is free, and this guard has not decided it. */
static void assert_undecided(u64 number, const char *reason)
{
	rest_of_connect(number);
	assert_connect(number, OCSF_UNKNOWN, reason);
}

static void test_decided_by_a_guard_that_was_killed(void **state _unused_)
{
	guard.started_ms = now_ms() + 1000;
	assert_undecided(9, "it was decided by a guard that was killed");
}

static void test_not_waited_for(void **state _unused_)
{
	guard.started_ms = now_ms() - 1000;
	assert_undecided(9, "its thread did not wait to be answered");
}

static void test_held_by_a_guard_that_was_killed(void **state _unused_)
{
	struct hold h = { .slot = 3, .ticket = 4, .id = 1 };

	LIST_INSERT_HEAD(&guard.holds, &h, entry);
	rest_of_connect(9);
	assert_connect(9, OCSF_DELAYED, "it was held by a guard that was killed");
	h.inquiry = (struct inquiry *)&h; /* its number was given by that guard */
	rest_of_connect(10);
	assert_connect(10, OCSF_DELAYED, "it was held by a guard that was killed");
	LIST_REMOVE(&h, entry);
}

/* It is told with its decision. */
static void test_asked_about(void **state _unused_)
{
	struct hold h = { .slot = 3, .ticket = 4, .inquiry = (struct inquiry *)&h };

	LIST_INSERT_HEAD(&guard.holds, &h, entry);
	rest_of_connect(9);
	assert_int_equal(line_count(), 0);
	assert_false(report_is_recorded(&guard, 9));
	LIST_REMOVE(&h, entry);
}

static void test_line_of_the_guards_own(void **state _unused_)
{
	report_of(&guard, 4);
	report_guard(&guard, NULL, "session ended", "it ended");
	report_guard(&guard, NULL, "grant", "another");
	assert_int_equal(mark(1, "event"), 4);
	assert_int_equal(mark(2, "event"), 0);
	report_of(&guard, 5);
	rest(BS_EVENT_END, 5); /* nobody told of it */
	report_guard(&guard, NULL, "grant", "another");
	assert_int_equal(mark(3, "event"), 5);
	assert_int_equal(mark(4, "event"), 0);
}

/* A decision that the kernel lost was not lost where its slot told of it, unless it comes late. */
static void test_found_by_its_slot(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = numbered(1), *late = numbered(2);

	fake.shared.counters.events = 3;
	fake.shared.counters.losses[BS_LOSS_DECISION] = 2;
	x->found = late->found = true;
	assert_counts(3, 0, 2);
	report_action(&guard, x, OCSF_ALLOWED);
	assert_counts(3, 1, 1);
	report_action(&guard, late, OCSF_ALLOWED);
	rest(BS_EVENT_EXEC, 2);
	assert_counts(3, 2, 1);
	rest(BS_EVENT_EXEC, 2);
	record(4);
	start_again();
	assert_counts(3, 3, 1);
}

static void test_unwritten(void **state _unused_)
{
	struct rlimit before, none;
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);

	fake.shared.counters.events = 4;
	record(1);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	record(2);
	find(2);
	record(3);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, handler);
	assert_counts(4, 1, 2);
	record(4);
	assert_counts(4, 2, 2);
	start_again();
	assert_counts(4, 2, 2);
}

static void test_a_batch_waits(void **state _unused_)
{
	report_batch(&guard);
	record(1);
	record(2);
	assert_int_equal(line_count(), 0);
	report_flush(&guard);
	assert_int_equal(line_count(), 2);
	record(3);
	assert_int_equal(line_count(), 3);
}

static void test_sequence_outlives_the_guard(void **state _unused_)
{
	guard.kernel = (struct kernel *)&fake;
	record(1);
	record(2);
	assert_int_equal(fake.shared.state.sequence, guard.sequence);
	assert_true(guard.sequence >= 2);
	guard.kernel = NULL;
}

#define LINES 4200 /* more than are read back */

/* What has been held for longer than the lines that are read back go. */
static void test_old_hold(void **state _unused_)
{
	int64_t begin = now_ms();

	record(1);
	for (u64 n = 3; n < LINES; n++)
		record(n);
	fake.slots[7] = (struct bs_slot) { .number = 1, .hold = 1, .since_ms = begin - 1000 };
	fake.slots[8] = (struct bs_slot) { .number = 2, .hold = 2, .since_ms = now_ms() + 1000 };
	start_again();
	assert_true(report_is_recorded(&guard, 1));
	assert_false(report_is_recorded(&guard, 2));
	assert_counts(0, LINES - 2, 0);
}

#define RECORDED_TEST(name) cmocka_unit_test_setup_teardown(name, start, guard_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RECORDED_TEST(test_once),
		RECORDED_TEST(test_a_finding_names_its_event),
		RECORDED_TEST(test_next_guard_goes_on),
		RECORDED_TEST(test_next_run_begins_anew),
		RECORDED_TEST(test_rest),
		RECORDED_TEST(test_decided_by_a_guard_that_was_killed),
		RECORDED_TEST(test_not_waited_for),
		RECORDED_TEST(test_held_by_a_guard_that_was_killed),
		RECORDED_TEST(test_asked_about),
		RECORDED_TEST(test_line_of_the_guards_own),
		RECORDED_TEST(test_found_by_its_slot),
		RECORDED_TEST(test_unwritten),
		RECORDED_TEST(test_a_batch_waits),
		RECORDED_TEST(test_sequence_outlives_the_guard),
		RECORDED_TEST(test_old_hold),
	};

	return cmocka_run_group_tests_name("recorded", tests, NULL, NULL);
}
