/* From an event to an answer, with the kernel's side played by the test. */
#include "fixture.h"
#include "fake_kernel.h"
#include "guard/candidate.h"
#include "guard/hold.h"

#define SLOT   9
#define TICKET 77

static int set_up(void **state)
{
	memset(&fake, 0, sizeof(fake));
	if (guard_set_up(state))
		return -1;
	guard.loop = loop_new();
	return guard.loop ? 0 : -1;
}

static int tear_down(void **state)
{
	hold_end_all(&guard, "the test ends"); /* also who is still to be woken */
	loop_free(guard.loop);
	return guard_tear_down(state);
}

static void set_word(u32 ticket, enum bs_slot_state state)
{
	fake.slots[SLOT].word = BS_SLOT_WORD(ticket, state);
}

static void assert_word(u32 ticket, enum bs_slot_state state)
{
	assert_int_equal(fake.slots[SLOT].word >> 3, ticket);
	assert_int_equal(BS_SLOT_STATE(fake.slots[SLOT].word), state);
}

static void assert_runs(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, WCONTINUED), pid);
	assert_true(WIFCONTINUED(status));
}

/* ---- from event to answer */

static union {
	struct bs_exec_event e;
	char bytes[sizeof(struct bs_exec_event) + BS_EVENT_DATA_MAX];
} event;

static void build(u32 tgid, const char *words, size_t len)
{
	memset(&event, 0, sizeof(event));
	event.e.head = (struct bs_event) {
		.type = BS_EVENT_EXEC, .tgid = tgid, .session = 0x19ab, .time = boot_ns()
	};
	event.e.flags = BS_EXEC_CANDIDATE;
	event.e.slot = SLOT;
	event.e.ticket = TICKET;
	event.e.name_len = event.e.file_len = 4;
	memcpy(event.e.data, "zap\0zap", 8);
	memcpy(event.e.data + 8, words, len);
	event.e.args_len = event.e.args_total = len;
}

#define BUILD(tgid, words) build(tgid, words, sizeof(words))

static void assert_line(int n, long long disposition, const char *verdict)
{
	json_t *line = journal_line(n);

	assert_non_null(line);
	assert_int_equal(number_at(line, "disposition_id"), disposition);
	if (verdict)
		assert_string_equal(text_at(line, "unmapped.backstop.verdict"), verdict);
	json_decref(line);
}

static void test_allowed_at_once(void **state _unused_)
{
	BUILD(getpid(), "zap\0plan");
	set_word(TICKET, BS_SLOT_ASKED);
	candidate_event(&guard, &event.e);
	assert_word(TICKET, BS_SLOT_ALLOWED);
	assert_line(1, OCSF_ALLOWED, NULL);
	assert_null(journal_line(2));
	assert_non_null(map_get(&guard.processes, getpid()));
}

static void test_alert(void **state _unused_)
{
	BUILD(getpid(), "zap\0alert");
	set_word(TICKET, BS_SLOT_ASKED);
	candidate_event(&guard, &event.e);
	assert_word(TICKET, BS_SLOT_ALLOWED);
	assert_line(1, OCSF_ALERT, NULL);
	assert_line(2, OCSF_ALERT, "alert");
}

static void test_allowed_too_late(void **state _unused_)
{
	pid_t pid = stopped_child(STDERR_FILENO);

	BUILD(pid, "zap\0plan");
	set_word(TICKET, BS_SLOT_STOPPED);
	candidate_event(&guard, &event.e);
	assert_runs(pid);
	end_child(pid);
	assert_word(TICKET, BS_SLOT_FREE);
	assert_line(1, OCSF_ALLOWED, NULL);
}

/* It was found by its slot, and answered, before its event was read. */
static void test_event_of_a_freed_slot(void **state _unused_)
{
	BUILD(getpid(), "zap\0held");
	set_word(TICKET + 1, BS_SLOT_ASKED);
	candidate_event(&guard, &event.e);
	assert_word(TICKET + 1, BS_SLOT_ASKED);
	assert_null(journal_line(1));
}

static void test_event_of_a_hold(void **state _unused_)
{
	struct hold h = { .slot = SLOT, .ticket = TICKET };

	LIST_INSERT_HEAD(&guard.holds, &h, entry);
	BUILD(getpid(), "zap\0plan");
	set_word(TICKET, BS_SLOT_STOPPED);
	candidate_event(&guard, &event.e);
	LIST_REMOVE(&h, entry);
	assert_word(TICKET, BS_SLOT_STOPPED);
	assert_null(journal_line(1));
}

/* Freeing its slot is what has the kernel kill it. */
static void test_traced_is_killed(void **state _unused_)
{
	int ends[2];
	char got[512];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = stopped_child(ends[1]);
	BUILD(pid, "zap\0held");
	event.e.flags |= BS_EXEC_TRACED;
	set_word(TICKET, BS_SLOT_ASKED);
	candidate_event(&guard, &event.e);
	n = read(ends[0], got, sizeof(got) - 1);
	got[MAX(n, 0)] = '\0';
	end_child(pid);
	close(ends[0]);
	close(ends[1]);
	assert_word(TICKET, BS_SLOT_FREE);
	assert_string_equal(got, "backstop: killed: zap held\n"
				 "backstop: why: zaps everything (tool.hold, critical)\n"
				 "backstop: instead: zap plan\n"
				 "backstop: it is being traced, and could not be held\n");
	assert_line(1, OCSF_BLOCKED, NULL);
	assert_line(2, OCSF_BLOCKED, "kill");
}

static void test_traced_is_allowed(void **state _unused_)
{
	BUILD(getpid(), "zap\0plan");
	event.e.flags |= BS_EXEC_TRACED;
	set_word(TICKET, BS_SLOT_ASKED);
	candidate_event(&guard, &event.e);
	assert_word(TICKET, BS_SLOT_ALLOWED);
	assert_line(1, OCSF_ALLOWED, NULL);
}

/* The kernel has killed it by then. */
static void test_traced_is_allowed_too_late(void **state _unused_)
{
	BUILD(gone_child(), "zap\0plan");
	event.e.flags |= BS_EXEC_TRACED;
	set_word(TICKET, BS_SLOT_FREE);
	candidate_event(&guard, &event.e);
	assert_word(TICKET, BS_SLOT_FREE);
	assert_line(1, OCSF_BLOCKED, NULL);
	assert_line(2, OCSF_BLOCKED, "allow");
}

static void test_no_slot_was_free(void **state _unused_)
{
	json_t *line;

	BUILD(gone_child(), "zap\0plan");
	event.e.slot = BS_NO_SLOT;
	event.e.flags |= BS_EXEC_KILLED;
	candidate_event(&guard, &event.e);
	assert_line(1, OCSF_BLOCKED, NULL);
	assert_line(2, OCSF_BLOCKED, "kill");
	line = journal_line(2);
	assert_string_equal(text_at(line, "unmapped.backstop.reason"),
			    "too many actions are held: it was killed");
	json_decref(line);
}

/* ---- connects: the default of the sample's policy lets them all pass */

static void connect_asked(enum bs_slot_state state)
{
	struct exec *x = NEW_EXEC("psql\0-h\0db");

	x->kind = BS_SLOT_CONNECT;
	x->tid = x->tgid;
	x->slot = SLOT;
	x->ticket = TICKET;
	fake_asks(x->kind, x->tid, SLOT, TICKET);
	fake.waiting.until = 7;
	set_word(TICKET, state);
	candidate_decide(&guard, x);
}

static void test_connect_is_allowed(void **state _unused_)
{
	connect_asked(BS_SLOT_ASKED);
	assert_word(TICKET, BS_SLOT_ALLOWED);
	assert_int_equal(fake.waiting.answer, BS_ANSWER_NONE);
	assert_line(1, OCSF_ALLOWED, NULL);
}

/* The task is stopped already: it finds the answer when its system call restarts. */
static void test_connect_is_allowed_late(void **state _unused_)
{
	connect_asked(BS_SLOT_STOPPED);
	assert_word(TICKET, BS_SLOT_FREE);
	assert_int_equal(fake.waiting.answer, BS_ANSWER_PASS);
	assert_int_equal(fake.waiting.until, 7);
}

/* The kernel did not wait any longer: no answer is left behind for another connect. */
static void test_connect_that_could_not_wait(void **state _unused_)
{
	connect_asked(BS_SLOT_FREE);
	assert_int_equal(fake.waiting.answer, BS_ANSWER_NONE);
	assert_line(1, OCSF_BLOCKED, NULL);
}

static void test_settle_refuses(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NEW_EXEC("psql");

	x->slot = SLOT;
	x->ticket = TICKET;
	set_word(TICKET, BS_SLOT_ASKED);
	assert_true(candidate_settle(&guard, x, false));
	assert_word(TICKET, BS_SLOT_REFUSED);
}

static void test_missed(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NEW_EXEC("zap\0held");

	x->flags = BS_EXEC_CANDIDATE | BS_EXEC_DOWN;
	candidate_missed(&guard, x);
	assert_line(1, OCSF_ALERT, NULL);
	assert_line(2, OCSF_ALERT, "alert");
	x->flags |= BS_EXEC_KILLED;
	candidate_missed(&guard, x);
	assert_line(3, OCSF_BLOCKED, NULL);
	assert_line(4, OCSF_BLOCKED, "kill");
}

/* ---- events that were lost */

static void test_stale_slots_are_freed(void **state _unused_)
{
	set_word(TICKET, BS_SLOT_SEIZED);
	candidate_free_stale(&guard);
	assert_word(TICKET, BS_SLOT_FREE);
	set_word(TICKET, BS_SLOT_STOPPED);
	candidate_free_stale(&guard);
	assert_word(TICKET, BS_SLOT_STOPPED);
}

static void test_sweep_finds_a_stopped_task(void **state _unused_)
{
	pid_t pid = stopped_child(STDERR_FILENO);

	fake.slots[SLOT].tgid = pid;
	set_word(TICKET, BS_SLOT_STOPPED);
	assert_false(candidate_sweep(&guard, UINT64_MAX));
	assert_runs(pid); /* this program is in no pack */
	end_child(pid);
	assert_word(TICKET, BS_SLOT_FREE);
	assert_line(1, OCSF_ALLOWED, NULL);
}

static void test_sweep_frees_the_slot_of_the_dead(void **state _unused_)
{
	fake.slots[SLOT].tgid = gone_child();
	set_word(TICKET, BS_SLOT_STOPPED);
	candidate_sweep(&guard, UINT64_MAX);
	assert_word(TICKET, BS_SLOT_FREE);
	assert_null(journal_line(1));
}

/* It ends only when its event has not come for long. */
static void test_sweep_ends_what_nobody_told(void **state _unused_)
{
	pid_t pid = stopped_child(STDERR_FILENO);
	int status;

	fake.slots[SLOT].tgid = pid;
	fake.slots[SLOT].kind = BS_SLOT_SENDING;
	set_word(TICKET, BS_SLOT_STOPPED);
	assert_true(candidate_sweep(&guard, UINT64_MAX));
	assert_word(TICKET, BS_SLOT_STOPPED);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	fake.slots[SLOT].since_ms -= 600;
	assert_false(candidate_sweep(&guard, UINT64_MAX));
	assert_word(TICKET, BS_SLOT_FREE);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void test_sweep_leaves_the_others(void **state _unused_)
{
	for (int s = BS_SLOT_FREE; s < BS_SLOT_STOPPED; s++) {
		bool waits = s == BS_SLOT_CLAIMED || s == BS_SLOT_ASKED || s == BS_SLOT_STOPPING;

		set_word(TICKET, s);
		assert_int_equal(candidate_sweep(&guard, UINT64_MAX),
				 waits); /* it may be stopped in a moment */
		assert_word(TICKET, s);
	}
}

static void test_sweep_goes_on_later(void **state _unused_)
{
	fake.slots[SLOT].tgid = gone_child();
	set_word(TICKET, BS_SLOT_STOPPED);
	for (u32 i = 1; i <= SLOT; i++) {
		candidate_sweep(&guard, 0);
		assert_int_equal(guard.sweep_at, i);
		assert_word(TICKET, BS_SLOT_STOPPED);
	}
	candidate_sweep(&guard, 0);
	assert_word(TICKET, BS_SLOT_FREE);
	candidate_sweep(&guard, UINT64_MAX);
	assert_int_equal(guard.sweep_at, 0);
}

/* Its answer is none to what its thread asks for next. */
static void test_answer_is_left_for_its_thread(void **state _unused_)
{
	const struct bs_waiting waiting = { .kind = BS_SLOT_DELETE,
					    .object = { .op = BS_DELETE_RENAME, .inode = 7 },
					    .slot = SLOT,
					    .ticket = TICKET,
					    .meeting = { .inode = 8, .parent_inode = 9 } };
	struct bs_waiting answered = waiting;
	struct exec x = { .kind = BS_SLOT_DELETE, .tid = 101, .slot = SLOT, .ticket = TICKET };

	answered.answer = BS_ANSWER_REFUSE;
	fake.waiting = waiting;
	fake.waiting_tid = 101;
	candidate_answer(&guard, &x, BS_ANSWER_REFUSE);
	assert_memory_equal(&fake.waiting, &answered, sizeof(answered));
	fake.waiting = waiting;
	x.ticket++;
	candidate_answer(&guard, &x, BS_ANSWER_PASS);
	assert_memory_equal(&fake.waiting, &waiting, sizeof(waiting));
}

int main(void)
{
#define CANDIDATE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CANDIDATE_TEST(test_allowed_at_once),
		CANDIDATE_TEST(test_alert),
		CANDIDATE_TEST(test_allowed_too_late),
		CANDIDATE_TEST(test_event_of_a_freed_slot),
		CANDIDATE_TEST(test_event_of_a_hold),
		CANDIDATE_TEST(test_traced_is_killed),
		CANDIDATE_TEST(test_traced_is_allowed),
		CANDIDATE_TEST(test_traced_is_allowed_too_late),
		CANDIDATE_TEST(test_no_slot_was_free),
		CANDIDATE_TEST(test_connect_is_allowed),
		CANDIDATE_TEST(test_connect_is_allowed_late),
		CANDIDATE_TEST(test_connect_that_could_not_wait),
		CANDIDATE_TEST(test_settle_refuses),
		CANDIDATE_TEST(test_missed),
		CANDIDATE_TEST(test_stale_slots_are_freed),
		CANDIDATE_TEST(test_sweep_finds_a_stopped_task),
		CANDIDATE_TEST(test_sweep_frees_the_slot_of_the_dead),
		CANDIDATE_TEST(test_sweep_ends_what_nobody_told),
		CANDIDATE_TEST(test_sweep_leaves_the_others),
		CANDIDATE_TEST(test_sweep_goes_on_later),
		CANDIDATE_TEST(test_answer_is_left_for_its_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
