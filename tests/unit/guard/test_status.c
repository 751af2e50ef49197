#include "fixture.h"
#include "fake_kernel.h"

static int set_up(void **state)
{
	memset(&fake, 0, sizeof(fake));
	return guard_set_up(state);
}

static void test_guard_itself(void **state _unused_)
{
	json_t *j;

	guard.started_ms = now_ms() - 5000;
	guard.open_holds = 3;
	guard.options.mode = MODE_SHADOW;
	j = described(guard_describe_status);
	assert_int_equal(number_at(j, "pid"), getpid());
	assert_int_equal(number_at(j, "keeper"), getppid());
	assert_string_equal(text_at(j, "version"), BACKSTOP_VERSION);
	assert_string_equal(text_at(j, "mode"), "shadow");
	assert_string_equal(text_at(j, "tier"), "trace");
	assert_true(json_is_false(json_at(j, "embedded")));
	assert_string_equal(text_at(j, "policy"), "sample.image");
	assert_string_equal(text_at(j, "policy_version"), policy_version(guard.policy));
	assert_int_equal(number_at(j, "signatures"), 6);
	assert_in_range(number_at(j, "uptime_ms"), 5000, 60000);
	assert_string_equal(text_at(j, "scheduling"), "normal");
	assert_int_equal(number_at(j, "holds"), 3);
	assert_true(json_is_true(json_at(j, "follows_agents")));
	assert_string_equal(text_at(j, "approvers"), "backstop");
	assert_true(json_is_array(json_at(j, "sessions")));
	assert_int_equal(json_array_size(json_at(j, "sessions")), 0);
	json_decref(j);
	guard.realtime = guard.options.embedded = true;
	j = described(guard_describe_status);
	assert_string_equal(text_at(j, "scheduling"), "fifo");
	assert_true(json_is_true(json_at(j, "embedded")));
	assert_true(json_is_false(json_at(j, "follows_agents")));
	json_decref(j);
}

static void test_blind(void **state _unused_)
{
	json_t *j = described(guard_describe_status);

	assert_true(json_is_null(json_at(j, "blind")));
	json_decref(j);
	fake.blind = "no cgroup2";
	j = described(guard_describe_status);
	assert_string_equal(text_at(j, "blind"), "no cgroup2");
	json_decref(j);
}

static void test_session(void **state _unused_)
{
	struct session *s = new_session(0x19ab);
	json_t *j;

	s->started_ms = 1234;
	s->holds = 2;
	s->unattended = true;
	fake.session_id = 0x19ab;
	fake.session = (struct bs_session) { .tasks = 4, .execs = 5, .connects = 6, .deletes = 7 };
	s->subagents = strdup("codex, aider");
	j = described(guard_describe_status);
	assert_string_equal(text_at(j, "sessions.0.id"), "19ab");
	assert_string_equal(text_at(j, "sessions.0.agent"), "claude");
	assert_int_equal(number_at(j, "sessions.0.uid"), 0);
	assert_string_equal(text_at(j, "sessions.0.user"), "root");
	assert_string_equal(text_at(j, "sessions.0.tty"), "pts/3");
	assert_true(json_is_true(json_at(j, "sessions.0.unattended")));
	assert_int_equal(number_at(j, "sessions.0.started_ms"), 1234);
	assert_int_equal(number_at(j, "sessions.0.tasks"), 4);
	assert_int_equal(number_at(j, "sessions.0.execs"), 5);
	assert_int_equal(number_at(j, "sessions.0.holds"), 2);
	assert_int_equal(number_at(j, "sessions.0.connects"), 6);
	assert_int_equal(number_at(j, "sessions.0.deletes"), 7);
	assert_int_equal(number_at(j, "sessions.0.open_holds"), 0);
	assert_string_equal(text_at(j, "sessions.0.subagents"), "codex, aider");
	json_decref(j);
	free(s->subagents);
	s->subagents = NULL;
}

/* Those that wait for a human, of this session alone. */
static void test_open_holds(void **state _unused_)
{
	struct exec ours = { .session_id = 0x19ab }, theirs = { .session_id = 0x19ac };
	struct hold holds[] = { { .exec = &ours, .counted = true },
				{ .exec = &ours },
				{ .exec = &theirs, .counted = true },
				{ .counted = true } };
	json_t *j;

	new_session(0x19ab);
	for (size_t i = 0; i < ARRAY_SIZE(holds); i++)
		LIST_INSERT_HEAD(&guard.holds, &holds[i], entry);
	j = described(guard_describe_status);
	LIST_INIT(&guard.holds);
	assert_int_equal(number_at(j, "sessions.0.open_holds"), 1);
	json_decref(j);
}

/* The agent's name is its own words; its user may have no name; the kernel may know it no more. */
static void test_odd_sessions(void **state _unused_)
{
	struct session *s = new_session(0x19ab);
	json_t *j;

	new_session(0x19ac);
	free(s->agent);
	s->agent = strdup("\"}\n\xff\033");
	s->uid = 3999999999U;
	j = described(guard_describe_status);
	assert_int_equal(json_array_size(json_at(j, "sessions")), 2);
	for (size_t i = 0; i < 2; i++) {
		json_t *one = json_array_get(json_at(j, "sessions"), i);

		assert_int_equal(number_at(one, "tasks"), 0);
		if (strcmp(text_at(one, "id"), "19ab"))
			continue;
		assert_string_equal(text_at(one, "agent"), "\"}\n\xef\xbf\xbd\033");
		assert_int_equal(number_at(one, "uid"), 3999999999U);
		assert_true(json_is_null(json_at(one, "user")));
	}
	json_decref(j);
}

static void test_losses_and_counters(void **state _unused_)
{
	static const char *const places[] = {
		"losses.event",	      "losses.decision",   "losses.args",
		"losses.slot",	      "losses.label",	   "losses.stop",
		"counters.execs",     "counters.connects", "counters.candidates",
		"counters.shaken",    "counters.stopped",  "counters.tripped",
		"counters.events",    "counters.deletes",  "counters.uncounted",
		"counters.unscanned", "losses.hook",	   "counters.tampers",
		"counters.late",
	};
	json_t *j;

	fake.shared.counters = (struct bs_counters) {
		.losses = { 1, 2, 3, 4, 5, 6 },
		.execs = 7,
		.connects = 8,
		.candidates = 9,
		.shaken = 10,
		.stopped = 11,
		.tripped = 12,
		.events = 13,
		.deletes = 14,
		.uncounted = 15,
		.unscanned = 16,
		.tampers = 18,
		.late = 19,
	};
	fake.missed = 17;
	guard.explanations_lost = 12;
	report_guard(&guard, NULL, "one", "one");
	j = described(guard_describe_status);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		assert_int_equal(number_at(j, places[i]), i + 1);
	assert_int_equal(number_at(j, "losses.explanation"), 12);
	assert_int_equal(number_at(j, "losses.journal"), 0);
	assert_int_equal(number_at(j, "journal.written"), 1);
	assert_int_equal(number_at(j, "journal.lost"), 0);
	assert_int_equal(number_at(j, "journal.error"), 0);
	json_decref(j);
}

int main(void)
{
#define STATUS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, guard_tear_down)
	const struct CMUnitTest tests[] = {
		STATUS_TEST(test_guard_itself),
		STATUS_TEST(test_session),
		STATUS_TEST(test_blind),
		STATUS_TEST(test_session),
		STATUS_TEST(test_open_holds),
		STATUS_TEST(test_odd_sessions),
		STATUS_TEST(test_losses_and_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
