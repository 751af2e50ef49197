/* What the journal says. */
#include "fixture.h"
#include "fake_kernel.h"

#include <sys/resource.h>

#define ASSERT_TEXT(line, place, want)	 assert_string_equal(text_at(line, place), want)
#define ASSERT_NUMBER(line, place, want) assert_int_equal(number_at(line, place), want)

static struct exec *full_exec(void)
{
	struct exec *x = NEW_EXEC("zap\0held");

	x->session = session_get(&guard, 0x19ab) ?: new_session(0x19ab);
	x->tgid = 4000;
	x->start = 99;
	x->euid = 5;
	x->tty = 136 << 20 | 3;
	return x;
}

static void remember_process(u32 tgid, const char *words, size_t len)
{
	_cleanup_(exec_free_ptr) struct exec *x = new_exec(words, len);

	x->tgid = tgid;
	x->start = tgid;
	process_exec(&guard, x);
}

static void test_exec(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = full_exec();
	json_t *line;

	report_action(&guard, x, OCSF_ALLOWED);
	line = journal_line(1);
	ASSERT_NUMBER(line, "class_uid", 1007);
	ASSERT_NUMBER(line, "activity_id", 1);
	ASSERT_NUMBER(line, "disposition_id", OCSF_ALLOWED);
	ASSERT_NUMBER(line, "metadata.sequence", 1);
	ASSERT_TEXT(line, "message", "exec: zap held");
	ASSERT_TEXT(line, "actor.app_name", "claude");
	ASSERT_TEXT(line, "actor.app_uid", "19ab");
	ASSERT_NUMBER(line, "process.pid", 4000);
	ASSERT_TEXT(line, "process.working_directory", "/srv/app");
	ASSERT_TEXT(line, "process.file.path", "/usr/bin/zap");
	ASSERT_TEXT(line, "process.user.name", "root");
	ASSERT_TEXT(line, "process.session.terminal", "pts/3");
	ASSERT_TEXT(line, "unmapped.backstop.mode", "enforce");
	ASSERT_TEXT(line, "unmapped.backstop.policy_version", policy_version(guard.policy));
	ASSERT_TEXT(line, "unmapped.backstop.argv.1", "held");
	ASSERT_NUMBER(line, "unmapped.backstop.euid", 5);
	assert_null(json_at(line, "unmapped.backstop.latency_ns"));
	assert_in_range(number_at(line, "time"), now_ms() - 60000, now_ms());
	json_decref(line);
}

static void test_exec_of_little_known(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NEW_EXEC("zap");
	json_t *line;

	free(TAKE_PTR(x->path));
	x->uid = x->euid = 3999999999U;
	x->truncated = true;
	x->flags = BS_EXEC_CANDIDATE;
	report_action(&guard, x, OCSF_ALERT);
	line = journal_line(1);
	ASSERT_NUMBER(line, "disposition_id", OCSF_ALERT);
	ASSERT_TEXT(line, "process.user.uid", "3999999999");
	assert_null(json_at(line, "process.user.name"));
	assert_null(json_at(line, "process.session"));
	assert_null(json_at(line, "process.file"));
	assert_null(json_at(line, "actor.app_uid"));
	assert_true(json_is_true(json_at(line, "unmapped.backstop.argv_truncated")));
	assert_true(number_at(line, "unmapped.backstop.latency_ns") > 0);
	json_decref(line);
}

/* Parent first, up to the session's first process. */
static void test_ancestors(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = full_exec();
	json_t *line;

	x->session->root = 20;
	x->ancestors[0] = 10;
	x->ancestors[1] = 15;
	x->ancestors[2] = 20;
	x->ancestors[3] = 1;
	remember_process(10, "make\0deploy", sizeof("make\0deploy"));
	remember_process(20, "claude", sizeof("claude"));
	report_action(&guard, x, OCSF_ALLOWED);
	line = journal_line(1);
	assert_int_equal(json_array_size(json_at(line, "process.ancestry")), 3);
	ASSERT_NUMBER(line, "process.parent_process.pid", 10);
	ASSERT_TEXT(line, "process.parent_process.cmd_line", "make deploy");
	ASSERT_NUMBER(line, "process.ancestry.1.pid", 15);
	assert_null(json_at(line, "process.ancestry.1.cmd_line"));
	ASSERT_NUMBER(line, "process.ancestry.2.pid", 20);
	ASSERT_TEXT(line, "process.ancestry.2.cmd_line", "claude");
	json_decref(line);
}

static void test_all_ancestors(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = full_exec();
	json_t *line;

	for (int i = 0; i < BS_ANCESTORS; i++)
		x->ancestors[i] = 100 + i;
	report_action(&guard, x, OCSF_ALLOWED);
	line = journal_line(1);
	assert_int_equal(json_array_size(json_at(line, "process.ancestry")), BS_ANCESTORS);
	json_decref(line);
}

static struct decision held_decision(const struct exec *x)
{
	struct decision d;

	decide(&guard, x, &d);
	return d;
}

static void test_finding(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = full_exec();
	struct decision d = held_decision(x);
	json_t *line;

	d.reason = "because";
	report_finding(&guard, x, &d, NULL, OCSF_ALERT, 1234);
	line = journal_line(1);
	ASSERT_NUMBER(line, "class_uid", 2004);
	ASSERT_TEXT(line, "message", "alert: zap held");
	ASSERT_NUMBER(line, "severity_id", 5);
	ASSERT_TEXT(line, "finding_info.title", "tool.hold by claude");
	ASSERT_TEXT(line, "finding_info.desc", "Zaps everything.");
	ASSERT_TEXT(line, "finding_info.attacks.0.technique.uid", "T1485");
	ASSERT_TEXT(line, "remediation.desc", "zap plan");
	ASSERT_TEXT(line, "unmapped.backstop.verdict", "hold");
	ASSERT_TEXT(line, "unmapped.backstop.signature", "tool.hold");
	ASSERT_TEXT(line, "unmapped.backstop.reason", "because");
	ASSERT_NUMBER(line, "unmapped.backstop.latency_ns", 1234);
	assert_null(json_at(line, "unmapped.backstop.hold"));
	json_decref(line);
}

static void test_finding_of_a_hold(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = full_exec();
	struct decision d = held_decision(x);
	char by[] = "uid 1000 (dev)", because[] = "not now";
	struct hold h = { .id = 7, .by = by, .because = because };
	json_t *line;

	report_finding(&guard, x, &d, &h, OCSF_REJECTED, 0);
	line = journal_line(1);
	ASSERT_TEXT(line, "message", "rejected: zap held");
	ASSERT_NUMBER(line, "unmapped.backstop.hold", 7);
	ASSERT_TEXT(line, "unmapped.backstop.by", "uid 1000 (dev)");
	ASSERT_TEXT(line, "unmapped.backstop.reason", "not now");
	json_decref(line);
	d.approval = 8;
	report_finding(&guard, x, &d, NULL, OCSF_APPROVED, 0);
	line = journal_line(2);
	ASSERT_NUMBER(line, "unmapped.backstop.hold", 8);
	ASSERT_NUMBER(line, "metadata.sequence", 2);
	json_decref(line);
}

static void test_finding_without_signature(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = full_exec();
	struct decision d = { .verdict = VERDICT_KILL, .reason = "too many" };
	json_t *line;

	report_finding(&guard, x, &d, NULL, OCSF_BLOCKED, 0);
	line = journal_line(1);
	ASSERT_TEXT(line, "message", "killed: zap held");
	ASSERT_TEXT(line, "finding_info.title", "no signature by claude");
	assert_null(json_at(line, "unmapped.backstop.signature"));
	json_decref(line);
}

static void report_exit_of(u32 tgid, u64 start, int code)
{
	const struct bs_exit_event e = { .head = { .type = BS_EVENT_EXIT,
						   .tgid = tgid,
						   .session = 0x19ab,
						   .time = boot_ns() },
					 .start = start,
					 .code = code };

	report_exit(&guard, &e);
}

static void test_exit(void **state _unused_)
{
	json_t *line;

	new_session(0x19ab);
	remember_process(10, "make\0deploy", sizeof("make\0deploy"));
	report_exit_of(10, 10, 3 << 8);
	report_exit_of(10, 10, SIGKILL);
	line = journal_line(1);
	ASSERT_TEXT(line, "message", "exit: make deploy");
	ASSERT_NUMBER(line, "activity_id", 2);
	ASSERT_NUMBER(line, "exit_code", 3);
	ASSERT_NUMBER(line, "process.pid", 10);
	ASSERT_TEXT(line, "actor.app_uid", "19ab");
	json_decref(line);
	line = journal_line(2);
	ASSERT_NUMBER(line, "exit_code", 128 + SIGKILL);
	ASSERT_NUMBER(line, "unmapped.backstop.signal", SIGKILL);
	json_decref(line);
}

static void test_exit_of_what_never_execed(void **state _unused_)
{
	json_t *line;

	remember_process(10, "make\0deploy", sizeof("make\0deploy"));
	report_exit_of(10, 12, 3 << 8); /* it has the number of another */
	line = journal_line(1);
	ASSERT_NUMBER(line, "process.pid", 10);
	ASSERT_NUMBER(line, "exit_code", 3);
	assert_null(json_at(line, "process.cmd_line"));
	json_decref(line);
}

static void test_connect(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = full_exec();
	json_t *line;

	x->kind = BS_SLOT_CONNECT;
	x->command = strdup("zap net");
	x->dest = (struct bs_dest) { .addr = { [10] = 0xff, 0xff, 10, 0, 0, 5 },
				     .port = 5432,
				     .protocol = 6 };
	x->start = 4000;
	free(TAKE_PTR(x->argv));
	x->argc = 0;
	report_action(&guard, x, OCSF_ALLOWED);
	line = journal_line(1);
	ASSERT_NUMBER(line, "class_uid", 4001);
	ASSERT_TEXT(line, "dst_endpoint.ip", "10.0.0.5");
	ASSERT_NUMBER(line, "dst_endpoint.port", 5432);
	ASSERT_NUMBER(line, "disposition_id", OCSF_ALLOWED);
	ASSERT_NUMBER(line, "actor.process.pid", 4000);
	ASSERT_TEXT(line, "actor.process.cmd_line", "zap net");
	ASSERT_TEXT(line, "actor.app_name", "claude");
	json_decref(line);
}

static void test_finding_of_a_connect(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = full_exec();
	struct decision d = held_decision(x);
	json_t *line;

	x->kind = BS_SLOT_CONNECT;
	x->dest.port = 53;
	report_finding(&guard, x, &d, NULL, OCSF_ALERT, 0);
	line = journal_line(1);
	ASSERT_NUMBER(line, "class_uid", 2004);
	ASSERT_NUMBER(line, "evidences.0.dst_endpoint.port", 53);
	json_decref(line);
}

static void test_guard(void **state _unused_)
{
	json_t *line;

	report_guard(&guard, NULL, "guard started", "tier %s, %d", "trace", 5);
	report_guard(&guard, new_session(0x19ab), "session started", "it did");
	report_sync(&guard);
	line = journal_line(1);
	ASSERT_NUMBER(line, "class_uid", 6002);
	ASSERT_NUMBER(line, "activity_id", 3);
	ASSERT_TEXT(line, "message", "tier trace, 5");
	assert_null(json_at(line, "unmapped.backstop.session"));
	json_decref(line);
	line = journal_line(2);
	ASSERT_TEXT(line, "activity_name", "session started");
	ASSERT_TEXT(line, "unmapped.backstop.session", "19ab");
	json_decref(line);
}

/* A journal that takes nothing stops nobody: what is lost is counted. */
static void test_journal_that_is_full(void **state _unused_)
{
	struct rlimit none, before;
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	report_guard(&guard, NULL, "one", "one");
	report_guard(&guard, NULL, "two", "two");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, handler);
	assert_int_equal(journal_get_counts(guard.journal).lost, 2);
	assert_int_equal(journal_get_counts(guard.journal).last_error, -EFBIG);
	assert_null(journal_line(1));
	report_guard(&guard, NULL, "three", "three");
	assert_int_equal(journal_get_counts(guard.journal).last_error, 0);
}

static void test_times(void **state _unused_)
{
	u64 now = boot_ns();

	assert_in_range(boot_to_ms(now), now_ms() - 1000, now_ms() + 1);
	assert_in_range(boot_to_ms(now - 3600 * 1000000000ULL), now_ms() - 3601000,
			now_ms() - 3599000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GUARD_TEST(test_exec),
		GUARD_TEST(test_exec_of_little_known),
		GUARD_TEST(test_ancestors),
		GUARD_TEST(test_all_ancestors),
		GUARD_TEST(test_finding),
		GUARD_TEST(test_finding_of_a_hold),
		GUARD_TEST(test_finding_without_signature),
		GUARD_TEST(test_exit),
		GUARD_TEST(test_exit_of_what_never_execed),
		GUARD_TEST(test_connect),
		GUARD_TEST(test_finding_of_a_connect),
		GUARD_TEST(test_guard),
		GUARD_TEST(test_journal_that_is_full),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
