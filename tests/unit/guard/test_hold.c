/* Holds, with the keeper played by the test. */
#include "fixture.h"
#include "fake_kernel.h"

#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "guard/hold.h"
#include "guard/link.h"
#include "guard/reaper.h"
#include "guard/slot.h"

#define SLOT   9
#define TICKET 77

static int keeper = -1;

static int set_up(void **state)
{
	int ends[2];

	memset(&fake, 0, sizeof(fake));
	if (guard_set_up(state) || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends))
		return -1;
	keeper = ends[0];
	guard.options.hold_timeout = 60;
	guard.loop = loop_new();
	return guard.loop ? link_open(&guard, ends[1]) : -1;
}

static int tear_down(void **state)
{
	hold_free_all(&guard);
	link_close(&guard);
	close(keeper);
	pass_forget_all(&guard);
	explain_forget_all();
	reaper_forget_all();
	loop_free(guard.loop);
	return guard_tear_down(state);
}

/* What the keeper says next. */
static void says(enum keeper_op op, int err)
{
	struct keeper_message m = { .op = op, .err = err, .slot = SLOT, .ticket = TICKET };

	assert_int_equal(send(keeper, &m, sizeof(m), 0), sizeof(m));
}

/* What the guard asked of it; 0: nothing. */
static u32 asked(void)
{
	struct keeper_message m;

	if (recv(keeper, &m, sizeof(m), MSG_DONTWAIT) < 0)
		return 0;
	assert_int_equal(m.slot, SLOT);
	assert_int_equal(m.ticket, TICKET);
	return m.op;
}

static struct exec *at_slot(struct exec *x)
{
	x->slot = SLOT;
	x->ticket = TICKET;
	x->tid = x->tgid;
	fake_asks(x->kind, x->tid, SLOT, TICKET);
	fake.waiting.dest = x->dest;
	return x;
}

static enum bs_slot_state state_of_slot(void)
{
	return slot_state(&fake.slots[SLOT], TICKET);
}

static const struct bs_dest database = { .addr = { [10] = 0xff, 0xff, 10, 0, 0, 5 },
					 .port = 5432,
					 .protocol = IPPROTO_TCP };

static struct exec *new_connect(void)
{
	struct exec *x = NEW_EXEC("psql\0-h\0db");

	x->kind = BS_SLOT_CONNECT;
	x->dest = database;
	return at_slot(x);
}

/* A hold that waits for a human and has trapped. */
static struct hold *open_hold(struct exec *x)
{
	struct decision d = { .verdict = VERDICT_HOLD };

	policy_signature(guard.policy, 0, &d.finding);
	says(KEEPER_KEPT, 0);
	hold_seize(&guard, x, &d);
	assert_int_equal(asked(), KEEPER_SEIZE);
	says(KEEPER_TRAPPED, 0);
	link_pump(&guard, 0);
	assert_int_equal(guard.open_holds, 1);
	return LIST_FIRST(&guard.holds);
}

static struct hold *open_exec(void)
{
	return open_hold(at_slot(NEW_EXEC("zap\0held")));
}

static void assert_ended(void)
{
	assert_true(LIST_EMPTY(&guard.holds));
	assert_int_equal(guard.open_holds, 0);
	assert_int_equal(guard.open_execs, 0);
}

static void test_number_is_noted(void **state _unused_)
{
	struct hold *h = open_exec();

	assert_int_equal(h->id, 1);
	assert_int_equal(fake.slots[SLOT].hold, 1);
	assert_int_equal(fake.slots[SLOT].since_ms, h->since_ms);
	assert_int_equal(fake.shared.state.last_hold, 1);
	assert_int_equal(h->expires_ms, h->since_ms + 60000);
}

static void test_approve(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;

	open_hold(new_connect());
	assert_int_equal(guard_approve(&guard, 1, "uid 0", &err), 0);
	assert_int_equal(asked(), KEEPER_LET_GO);
	assert_int_equal(fake.waiting.answer, BS_ANSWER_PASS);
	assert_int_equal(fake.waiting.dest.port, 5432);
	assert_int_equal(fake.approval, 1);
	assert_ended();
}

static void test_deny_an_exec(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;

	open_exec();
	assert_int_equal(guard_deny(&guard, 1, "uid 0", NULL, &err), 0);
	assert_int_equal(asked(), KEEPER_REFUSE);
	assert_ended();
	assert_int_equal(guard.grant_count, 1); /* it may be approved for its next attempt */
}

static void test_deny_a_connect(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;

	open_hold(new_connect());
	assert_int_equal(guard_deny(&guard, 1, "uid 0", NULL, &err), 0);
	assert_int_equal(asked(), KEEPER_LET_GO);
	assert_int_equal(fake.waiting.answer, BS_ANSWER_REFUSE);
	assert_int_equal(fake.waiting_tid, getpid());
	assert_ended();
}

/* What is decided before the task has trapped is done when it has. */
static void test_decided_before_it_trapped(void **state _unused_)
{
	struct decision d = { .verdict = VERDICT_DENY };

	policy_signature(guard.policy, 2, &d.finding);
	says(KEEPER_KEPT, 0);
	hold_seize(&guard, at_slot(NEW_EXEC("zap\0denied")), &d);
	assert_int_equal(asked(), KEEPER_SEIZE);
	assert_int_equal(asked(), 0);
	says(KEEPER_TRAPPED, 0);
	link_pump(&guard, 0);
	assert_int_equal(asked(), KEEPER_REFUSE);
	assert_ended();
}

/* What the keeper says meanwhile of others is not lost. */
static void test_trapped_before_it_was_kept(void **state _unused_)
{
	struct decision d = { .verdict = VERDICT_DENY };

	policy_signature(guard.policy, 2, &d.finding);
	says(KEEPER_TRAPPED, 0);
	says(KEEPER_KEPT, 0);
	hold_seize(&guard, at_slot(NEW_EXEC("zap\0denied")), &d);
	link_pump(&guard, 0);
	assert_int_equal(asked(), KEEPER_SEIZE);
	assert_int_equal(asked(), KEEPER_REFUSE);
	assert_ended();
}

static void test_it_dies(void **state _unused_)
{
	open_exec();
	says(KEEPER_GONE, 0);
	link_pump(&guard, 0);
	assert_ended();
	assert_int_equal(asked(), 0);
}

static void test_gone_before_it_was_held(void **state _unused_)
{
	struct decision d = { .verdict = VERDICT_HOLD };
	struct exec *x = NEW_EXEC("zap\0held");

	x->tgid = gone_child();
	says(KEEPER_KEPT, -ESRCH);
	hold_seize(&guard, at_slot(x), &d);
	assert_ended();
	assert_int_equal(state_of_slot(), BS_SLOT_FREE);
}

/* A connect that cannot be traced fails; its process goes on. */
static void test_connect_traced_by_another(void **state _unused_)
{
	struct decision d = { .verdict = VERDICT_HOLD };

	says(KEEPER_KEPT, -EPERM);
	hold_seize(&guard, new_connect(), &d);
	assert_ended();
	assert_int_equal(state_of_slot(), BS_SLOT_REFUSED);
}

static void leave(void *data)
{
	loop_quit(data, 0);
}

static void test_timeout(void **state _unused_)
{
	guard.options.hold_timeout = 0;
	open_exec();
	loop_add_timer(guard.loop, 100000, leave, guard.loop, NULL);
	loop_run(guard.loop);
	assert_int_equal(asked(), KEEPER_REFUSE);
	assert_ended();
}

/* ---- the guard after this one */

static void held(pid_t pid, u64 hold, u64 since_ms)
{
	fake.slots[SLOT] = (struct bs_slot) { .word = BS_SLOT_WORD(TICKET, BS_SLOT_SEIZED),
					      .tgid = pid,
					      .tid = pid,
					      .hold = hold,
					      .since_ms = since_ms };
}

/* This program is in no pack: it is let go. */
static void test_restore_decides_anew(void **state _unused_)
{
	pid_t pid = stopped_child(STDERR_FILENO);

	held(pid, 5, now_ms());
	hold_restore(&guard, SLOT, TICKET);
	assert_int_equal(asked(), 0);
	says(KEEPER_TRAPPED, 0);
	link_pump(&guard, 0);
	assert_int_equal(asked(), KEEPER_LET_GO);
	assert_ended();
	end_child(pid);
}

static void test_restore_of_the_dead(void **state _unused_)
{
	fake.slots[SLOT].tgid = fake.slots[SLOT].tid = gone_child();
	hold_restore(&guard, SLOT, TICKET);
	assert_ended();
}

/* "zap held", which waits. */
static pid_t zap(void)
{
	_cleanup_strbuf_ struct strbuf words = STRBUF_INIT;
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		execl("/usr/bin/tail", "zap", "held", "-f", "/dev/null", NULL);
		_exit(1);
	}
	while (words.len < 4 || memcmp(words.data, "zap", 4)) {
		usleep(1000);
		strbuf_reset(&words);
		assert_int_equal(proc_read_cmdline(pid, 4096, &words), 0);
	}
	return pid;
}

static void test_restore_keeps_number_and_time(void **state _unused_)
{
	int64_t since = now_ms() - 20000;
	pid_t pid = zap();
	const struct hold *h;

	held(pid, 5, since);
	hold_restore(&guard, SLOT, TICKET);
	h = LIST_FIRST(&guard.holds);
	assert_non_null(h);
	assert_int_equal(h->id, 5);
	assert_int_equal(h->since_ms, since);
	assert_int_equal(h->expires_ms, since + 60000);
	assert_int_equal(guard.last_hold, 0); /* no new number was taken */
	end_child(pid);
}

/* ---- while the guard waits for the disk */

/* As in the middle of a decision: for 10 ms. */
static void pause_guard(void)
{
	_cleanup_close_ int never = eventfd(0, EFD_CLOEXEC);

	guard.cpu = -1;
	guard.ready = true;
	assert_false(guard_pause(&guard, never, 10));
	guard.ready = false;
}

/* Somebody has a pointer to it. */
static void test_no_hold_ends_in_a_pause(void **state _unused_)
{
	const struct hold *h = open_exec();

	says(KEEPER_GONE, 0);
	pause_guard();
	assert_ptr_equal(LIST_FIRST(&guard.holds), h);
	assert_int_equal(guard.open_holds, 1);
	loop_add_timer(guard.loop, 100000, leave, guard.loop, NULL);
	loop_run(guard.loop);
	assert_ended();
}

static void test_keeper_is_answered_in_a_pause(void **state _unused_)
{
	struct keeper_message m;

	says(KEEPER_PING, 0);
	pause_guard();
	assert_int_equal(recv(keeper, &m, sizeof(m), MSG_DONTWAIT), sizeof(m));
	assert_int_equal(m.op, KEEPER_PONG);
	says(KEEPER_STOP, 0);
	pause_guard();
	assert_int_equal(guard.end, GUARD_STOP);
}

/* What came in a pause comes before what comes after it. */
static void test_order_after_a_pause(void **state _unused_)
{
	struct decision d = { .verdict = VERDICT_DENY };

	policy_signature(guard.policy, 2, &d.finding);
	says(KEEPER_KEPT, 0);
	hold_seize(&guard, at_slot(NEW_EXEC("zap\0denied")), &d);
	assert_int_equal(asked(), KEEPER_SEIZE);
	says(KEEPER_TRAPPED, 0);
	pause_guard();
	says(KEEPER_GONE, 0);
	link_pump(&guard, 0);
	assert_int_equal(asked(), KEEPER_REFUSE);
	assert_ended();
}

/* ---- the end of the guard, and of a policy */

static void test_end_denies_all(void **state _unused_)
{
	open_exec();
	assert_int_equal(hold_end_all(&guard, "the guard stops"), 1);
	assert_int_equal(asked(), KEEPER_REFUSE);
	assert_ended();
}

/* A hold's reasons are its policy's strings. */
static void test_policy_outlives_its_holds(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct hold *h = open_exec();
	struct policy *old = guard.policy;

	guard.policy = sample_policy(sample_pack);
	hold_drop_policy(&guard, old);
	assert_ptr_equal(h->policy, old);
	assert_string_equal(h->decision.finding.id, "hold");
	assert_int_equal(guard_deny(&guard, 1, "uid 0", NULL, &err), 0); /* and it is freed */
	assert_ended();
}

static void test_pending_in_order(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct json j = JSON_INIT(&sb);
	json_t *got;

	open_hold(new_connect());
	json_open_object(&j, NULL);
	guard_describe_pending(&guard, &j);
	json_close_object(&j);
	got = json_loads(strbuf_str(&sb), 0, NULL);
	assert_string_equal(text_at(got, "holds.0.action"), "connect");
	assert_string_equal(text_at(got, "holds.0.dest"), "10.0.0.5:5432");
	json_decref(got);
}

int main(void)
{
#define HOLD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		HOLD_TEST(test_number_is_noted),
		HOLD_TEST(test_approve),
		HOLD_TEST(test_deny_an_exec),
		HOLD_TEST(test_deny_a_connect),
		HOLD_TEST(test_decided_before_it_trapped),
		HOLD_TEST(test_trapped_before_it_was_kept),
		HOLD_TEST(test_it_dies),
		HOLD_TEST(test_gone_before_it_was_held),
		HOLD_TEST(test_connect_traced_by_another),
		HOLD_TEST(test_timeout),
		HOLD_TEST(test_restore_decides_anew),
		HOLD_TEST(test_restore_of_the_dead),
		HOLD_TEST(test_restore_keeps_number_and_time),
		HOLD_TEST(test_no_hold_ends_in_a_pause),
		HOLD_TEST(test_keeper_is_answered_in_a_pause),
		HOLD_TEST(test_order_after_a_pause),
		HOLD_TEST(test_end_denies_all),
		HOLD_TEST(test_policy_outlives_its_holds),
		HOLD_TEST(test_pending_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
