/* The order of decisions, with a small policy. */
#include "fixture.h"
#include "fake_kernel.h"

static struct decision decide_on(const struct exec *x)
{
	struct decision d;

	memset(&d, 0xff, sizeof(d));
	decide(&guard, x, &d);
	return d;
}

static struct decision ask(const char *words, size_t len)
{
	_cleanup_(exec_free_ptr) struct exec *x = new_exec(words, len);

	return decide_on(x);
}

#define ASK(words) ask(words, sizeof(words))

static void assert_decision(struct decision d, enum verdict verdict, const char *id)
{
	assert_int_equal(d.verdict, verdict);
	if (id)
		assert_string_equal(d.finding.id, id);
	else
		assert_null(d.finding.id);
}

static void test_enforce(void **state _unused_)
{
	assert_decision(ASK("zap\0plan"), VERDICT_ALLOW, NULL);
	assert_decision(ASK("zap\0alert"), VERDICT_ALERT, "alert");
	assert_decision(ASK("zap\0held"), VERDICT_HOLD, "hold");
	assert_decision(ASK("zap\0denied"), VERDICT_DENY, "deny");
	assert_decision(ASK("zap\0killed"), VERDICT_KILL, "kill");
	assert_null(ASK("zap\0held").reason);
	assert_int_equal(ASK("zap\0held").approval, 0);
}

static void test_rule_of_the_owner(void **state _unused_)
{
	assert_decision(ASK("zap\0allowed"), VERDICT_ALLOW, NULL);
}

/* The finding tells what would have been. */
static void assert_bent(const char *reason)
{
	struct decision d = ASK("zap\0held");

	assert_decision(d, VERDICT_ALERT, "hold");
	assert_int_equal(d.finding.verdict, VERDICT_HOLD);
	assert_string_equal(d.reason, reason);
	assert_decision(ASK("zap\0denied"), VERDICT_ALERT, "deny");
	assert_decision(ASK("zap\0killed"), VERDICT_ALERT, "kill");
	assert_decision(ASK("zap\0alert"), VERDICT_ALERT, "alert");
	assert_null(ASK("zap\0alert").reason);
	assert_decision(ASK("zap\0plan"), VERDICT_ALLOW, NULL);
}

static void test_shadow(void **state _unused_)
{
	guard.options.mode = MODE_SHADOW;
	assert_bent("mode shadow: nothing is prevented");
}

static void test_record(void **state _unused_)
{
	guard.options.mode = MODE_RECORD;
	assert_bent("mode record: nothing is prevented");
}

static void test_unattended(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *held = NEW_EXEC("zap\0held");
	_cleanup_(exec_free_ptr) struct exec *killed = NEW_EXEC("zap\0killed");
	struct decision d;

	held->session = killed->session = new_session(0x19ab);
	assert_decision(decide_on(held), VERDICT_HOLD, "hold");
	held->session->unattended = true;
	d = decide_on(held);
	assert_decision(d, VERDICT_DENY, "hold");
	assert_string_equal(d.reason, "the session is unattended: nobody would answer");
	assert_decision(decide_on(killed), VERDICT_KILL, "kill");
}

static void approve_by_label(u64 hold, const struct finding *f)
{
	assert_int_equal(kernel_put_approval(NULL, hold, signature_key(f)), 0);
}

/* What follows from an approved action is covered by it: the same signature, nothing else. */
static void test_covered_by_an_approval(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *held = NEW_EXEC("zap\0held\0too");
	_cleanup_(exec_free_ptr) struct exec *other = NEW_EXEC("zap\0other");
	struct decision d;

	d = decide_on(held);
	approve_by_label(7, &d.finding);
	assert_decision(decide_on(held), VERDICT_HOLD, "hold"); /* its label carries no approval */
	held->approval = other->approval = 7;
	d = decide_on(held);
	assert_decision(d, VERDICT_ALLOW, "hold");
	assert_int_equal(d.approval, 7);
	assert_string_equal(d.reason, "it follows from an approved action");
	assert_decision(decide_on(held), VERDICT_ALLOW, "hold"); /* as often as it takes */
	assert_decision(decide_on(other), VERDICT_HOLD, "other");
	held->approval = 8; /* of which nothing is known */
	assert_decision(decide_on(held), VERDICT_HOLD, "hold");
}

static void make_grant(u64 id, struct exec *x)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct hold h = { .id = id, .exec = x };

	grant_remember(&guard, &h);
	assert_int_equal(grant_approve(&guard, id, "root", &err), 0);
}

static void test_grant_is_used_up(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NEW_EXEC("zap\0killed");
	struct decision d;

	make_grant(7, NEW_EXEC("zap\0killed"));
	d = decide_on(x);
	assert_decision(d, VERDICT_ALLOW, "kill");
	assert_int_equal(d.approval, 7);
	assert_string_equal(d.reason, "a human allowed it once");
	assert_decision(decide_on(x), VERDICT_KILL, "kill");
}

/* A grant is kept for what would be prevented. */
static void test_grant_is_kept(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NEW_EXEC("zap\0held");

	make_grant(7, NEW_EXEC("zap\0held"));
	make_grant(8, NEW_EXEC("zap\0alert"));
	assert_decision(ASK("zap\0alert"), VERDICT_ALERT, "alert");
	guard.options.mode = MODE_SHADOW;
	assert_decision(decide_on(x), VERDICT_ALERT, "hold");
	assert_int_equal(guard.grant_count, 2);
	guard.options.mode = MODE_ENFORCE;
	assert_decision(decide_on(x), VERDICT_ALLOW, "hold");
	assert_int_equal(guard.grant_count, 1);
}

/* The name it was run as, and the file's, count where argv[0] lies; without a path the file's base
 * name does. */
static void test_names(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NEW_EXEC("innocent\0held");

	assert_decision(decide_on(x), VERDICT_HOLD, "hold");
	free(TAKE_PTR(x->path));
	assert_decision(decide_on(x), VERDICT_HOLD, "hold");
	free(x->file);
	x->file = strdup("innocent");
	assert_decision(decide_on(x), VERDICT_ALLOW, NULL);
	free(x->name);
	x->name = strdup("/opt/zap");
	assert_decision(decide_on(x), VERDICT_HOLD, "hold");
}

static void test_task_that_is_gone(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NEW_EXEC("zap\0held");

	x->tgid = gone_child();
	assert_decision(decide_on(x), VERDICT_HOLD, "hold");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GUARD_TEST(test_enforce),
		GUARD_TEST(test_rule_of_the_owner),
		GUARD_TEST(test_shadow),
		GUARD_TEST(test_record),
		GUARD_TEST(test_unattended),
		GUARD_TEST(test_covered_by_an_approval),
		GUARD_TEST(test_grant_is_used_up),
		GUARD_TEST(test_grant_is_kept),
		GUARD_TEST(test_names),
		GUARD_TEST(test_task_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
