/* What the guard counts. */
#include "fixture.h"
#include "fake_kernel.h"

#include "guard/figures.h"

#define US 1000ULL
#define S  1000000000ULL

static int set_up(void **state)
{
	memset(&fake, 0, sizeof(fake));
	return guard_set_up(state);
}

static void test_actions(void **state _unused_)
{
	static const struct {
		enum bs_slot_kind kind;
		enum ocsf_disposition disposition;
		enum verdict verdict;
		const char *place;
	} cases[] = {
		{ BS_SLOT_EXEC, OCSF_ALLOWED, VERDICT_ALLOW, "actions.exec.allow" },
		{ BS_SLOT_EXEC, OCSF_ALERT, VERDICT_ALERT, "actions.exec.alert" },
		{ BS_SLOT_CONNECT, OCSF_DELAYED, VERDICT_HOLD, "actions.connect.hold" },
		{ BS_SLOT_DELETE, OCSF_BLOCKED, VERDICT_DENY, "actions.delete.deny" },
		{ BS_SLOT_DELETED, OCSF_BLOCKED, VERDICT_KILL, "actions.delete.kill" },
		/* it was let go by the policy, and all the same it did not happen */
		{ BS_SLOT_CONNECT, OCSF_BLOCKED, VERDICT_ALLOW, "actions.connect.deny" },
		{ BS_SLOT_SEND, OCSF_DELAYED, VERDICT_HOLD, "actions.send.hold" },
		{ BS_SLOT_SENDING, OCSF_BLOCKED, VERDICT_KILL, "actions.send.kill" },
	};
	json_t *j;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct exec x = { .kind = cases[i].kind };

		figures_action(&guard, &x, cases[i].disposition, cases[i].verdict);
		figures_action(&guard, &x, OCSF_UNKNOWN, cases[i].verdict);
	}
	j = described(figures_describe);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(number_at(j, cases[i].place), 1);
	assert_int_equal(number_at(j, "actions.delete.allow"), 0);
	json_decref(j);
}

/* What waits for a human has been decided on, and goes on being frozen. */
static void test_durations(void **state _unused_)
{
	struct decision d = { .verdict = VERDICT_HOLD, .finding.severity = SEVERITY_CRITICAL };
	struct hold h = { .counted = true };
	json_t *j;

	figures_decided(&guard, OCSF_ALLOWED, 50 * US);
	figures_decided(&guard, OCSF_BLOCKED, 51 * US);
	figures_decided(&guard, OCSF_DELAYED, 10 * S);
	figures_finding(&guard, &d, &h, OCSF_DELAYED, 10 * S);
	figures_finding(&guard, &d, &h, OCSF_APPROVED, 5000 * S);
	j = described(figures_describe);
	assert_int_equal(number_at(j, "decision.buckets.0.le_ns"), 50 * US);
	assert_int_equal(number_at(j, "decision.buckets.0.count"), 1);
	assert_int_equal(number_at(j, "decision.buckets.1.count"), 2);
	assert_int_equal(number_at(j, "decision.buckets.14.count"), 2);
	assert_int_equal(number_at(j, "decision.count"), 3);
	assert_int_equal(number_at(j, "decision.sum_ns"), 101 * US + 10 * S);
	assert_int_equal(number_at(j, "freeze.buckets.0.count"), 2);
	assert_int_equal(number_at(j, "freeze.buckets.14.count"), 2);
	assert_int_equal(number_at(j, "freeze.count"), 3);
	assert_int_equal(number_at(j, "freeze.sum_ns"), 101 * US + 5000 * S);
	assert_int_equal(number_at(j, "findings.critical.hold"), 1);
	json_decref(j);
}

static void test_bounds_rise(void **state _unused_)
{
	static const char *const names[] = { "decision", "freeze" };
	json_t *j = described(figures_describe);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		long long last = 0;

		for (int b = 0; b < FIGURES_BUCKETS; b++) {
			char place[64];

			snprintf(place, sizeof(place), "%s.buckets.%d.le_ns", names[i], b);
			assert_true(number_at(j, place) > last);
			last = number_at(j, place);
		}
	}
	json_decref(j);
}

static void test_ends_of_holds(void **state _unused_)
{
	struct decision d = { .verdict = VERDICT_HOLD };
	struct hold open = { .counted = true }, late = { .counted = true, .by = (char *)"timeout" };
	struct hold decided = { 0 };
	json_t *j;

	figures_finding(&guard, &d, &open, OCSF_APPROVED, S);
	figures_finding(&guard, &d, &open, OCSF_REJECTED, S);
	figures_finding(&guard, &d, &late, OCSF_BLOCKED, S);
	figures_finding(&guard, &d, &open, OCSF_BLOCKED, S);
	d.verdict = VERDICT_DENY;
	figures_finding(&guard, &d, &decided, OCSF_BLOCKED, S);
	j = described(figures_describe);
	assert_int_equal(number_at(j, "holds_ended.approved"), 1);
	assert_int_equal(number_at(j, "holds_ended.rejected"), 1);
	assert_int_equal(number_at(j, "holds_ended.timeout"), 1);
	assert_int_equal(number_at(j, "holds_ended.ended"), 1);
	assert_int_equal(number_at(j, "findings.low.hold"), 0);
	assert_int_equal(number_at(j, "findings.low.deny"), 1);
	json_decref(j);
}

static void test_oldest_hold(void **state _unused_)
{
	struct hold holds[] = { { .counted = true, .since_ms = now_ms() - 1000 },
				{ .counted = true, .since_ms = now_ms() - 60000 },
				{ .since_ms = now_ms() - 99000 } };
	json_t *j = described(figures_describe);

	assert_int_equal(number_at(j, "oldest_hold_ms"), 0);
	json_decref(j);
	for (size_t i = 0; i < ARRAY_SIZE(holds); i++)
		LIST_INSERT_HEAD(&guard.holds, &holds[i], entry);
	j = described(figures_describe);
	LIST_INIT(&guard.holds);
	assert_in_range(number_at(j, "oldest_hold_ms"), 60000, 90000);
	json_decref(j);
}

static void test_rings(void **state _unused_)
{
	json_t *j = described(figures_describe);

	assert_int_equal(number_at(j, "rings.decisions.used"), 8);
	assert_int_equal(number_at(j, "rings.events.used"), 16);
	assert_int_equal(number_at(j, "rings.events.size"), 1 << 20);
	assert_int_equal(number_at(j, "rings.events.peak"), 4096);
	json_decref(j);
}

/* What a guard before this one recorded is not counted again; only what was frozen has a duration.
 */
static void test_reports(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NEW_EXEC("zap\0held");
	json_t *j;

	strcpy(guard.recorded.run, "1");
	x->number = 7;
	x->flags = BS_EXEC_CANDIDATE;
	x->slot = 1;
	report_decided(&guard, x, OCSF_BLOCKED, VERDICT_KILL, NULL);
	assert_int_equal(numbers_add(&guard.recorded.before, 7), 1);
	report_decided(&guard, x, OCSF_BLOCKED, VERDICT_KILL, NULL);
	x->number = 8;
	x->slot = BS_NO_SLOT;
	report_action(&guard, x, OCSF_ALLOWED);
	j = described(figures_describe);
	assert_int_equal(number_at(j, "actions.exec.kill"), 1);
	assert_int_equal(number_at(j, "actions.exec.allow"), 1);
	assert_int_equal(number_at(j, "decision.count"), 1);
	assert_int_equal(number_at(j, "freeze.count"), 1);
	json_decref(j);
}

int main(void)
{
#define FIGURES_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, guard_tear_down)
	const struct CMUnitTest tests[] = {
		FIGURES_TEST(test_actions),	FIGURES_TEST(test_durations),
		FIGURES_TEST(test_bounds_rise), FIGURES_TEST(test_ends_of_holds),
		FIGURES_TEST(test_oldest_hold), FIGURES_TEST(test_rings),
		FIGURES_TEST(test_reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
