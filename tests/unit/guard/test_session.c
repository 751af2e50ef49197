/* Sessions of real children, before a kernel that only notes what it is asked. */
#include "fixture.h"
#include "fake_kernel.h"

#include <pthread.h>
#include <pwd.h>

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
	loop_free(guard.loop);
	return guard_tear_down(state);
}

static const struct session_options options = { .agent = "claude" };

/* A child in `cwd`, as that user. */
static pid_t child_in(const char *cwd, uid_t uid)
{
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (chdir(cwd) || (uid && setresuid(uid, uid, uid)) || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static int start(pid_t pid, const struct session_options *o, uint64_t *ret_id, struct strbuf *err)
{
	int pidfd = pidfd_open(pid, 0), r;

	r = guard_start_session(&guard, pid, pidfd, o, ret_id, err);
	close(pidfd);
	return r;
}

static struct session *start_well(pid_t pid, const struct session_options *o)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	uint64_t id = 0;

	assert_int_equal(start(pid, o, &id, &err), 0);
	assert_int_equal(err.len, 0);
	return session_get(&guard, id);
}

static void test_start(void **state _unused_)
{
	pid_t pid = child_in("/usr/share", 0);
	int64_t before = now_ms();
	struct session *s = start_well(pid, &options);
	json_t *line = journal_line(1);
	char hex[20], message[96];

	end_child(pid);
	assert_in_range(s->id, before, now_ms());
	snprintf(hex, sizeof(hex), "%llx", (unsigned long long)s->id);
	assert_string_equal(s->name, hex);
	assert_string_equal(s->agent, "claude");
	assert_string_equal(s->workspace, "/usr/share");
	assert_string_equal(s->home, getpwuid(getuid())->pw_dir);
	assert_true(s->root == pid && s->uid == getuid() && !s->unattended && !s->holds);
	assert_true(fake.label.session == s->id && !fake.label.approval);
	assert_true(fake.session_id == s->id && fake.session.tasks == 1);
	assert_true(fake.watches_deletions);
	assert_int_equal(fake.session.root, pid);
	snprintf(message, sizeof(message), "session %s of uid %u started", hex, getuid());
	assert_string_equal(text_at(line, "message"), message);
	json_decref(line);
}

static void test_scratch_is_no_workspace(void **state _unused_)
{
	pid_t pid = child_in("/tmp", 0);
	struct session *s = start_well(pid, &options);

	end_child(pid);
	assert_null(s->workspace);
}

static void test_another_user(void **state _unused_)
{
	struct session_options o = { .agent = "", .unattended = true };
	struct session *s;
	pid_t pid;

	if (geteuid()) {
		print_message("skipped: needs root to change its user\n");
		skip();
	}
	pid = child_in("/usr/share", 3999999);
	s = start_well(pid, &o);
	end_child(pid);
	assert_int_equal(s->uid, 3999999);
	assert_null(s->home); /* it is in no /etc/passwd */
	assert_string_equal(s->agent, "");
	assert_string_equal(s->tty, "");
	assert_true(s->unattended);
}

/* Two within a millisecond get two numbers. */
static void test_numbers_are_unique(void **state _unused_)
{
	pid_t pid = child_in("/usr/share", 0);

	for (int i = 0; i < 20; i++)
		start_well(pid, &options);
	end_child(pid);
	assert_int_equal(guard.sessions.count, 20);
}

static void assert_fails(pid_t pid, int want, const char *words)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	uint64_t id = 5;

	assert_int_equal(start(pid, &options, &id, &err), want);
	assert_string_equal(strbuf_str(&err), words);
	assert_int_equal(id, 5);
	assert_int_equal(guard.sessions.count, 0);
	assert_int_equal(fake.session_id, 0);
	assert_int_equal(fake.label.session, 0);
	assert_null(journal_line(1));
}

static void test_failures(void **state _unused_)
{
	pid_t pid = child_in("/usr/share", 0);

	fake.set_session = -E2BIG;
	assert_fails(pid, -E2BIG, "4096 sessions run already, the most there can be");
	fake.set_session = 0;
	fake.set_label = -ESRCH;
	assert_fails(pid, -ESRCH, "the label could not be set: No such process");
	end_child(pid);
}

static void *wait_forever(void *data)
{
	pause();
	return data;
}

static void test_several_threads(void **state _unused_)
{
	char words[128];
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, wait_forever, NULL), 0);
	snprintf(words, sizeof(words),
		 "process %d has several threads: a session starts from a process with one",
		 getpid());
	assert_fails(getpid(), -EINVAL, words);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
}

static void test_is_labelled(void **state _unused_)
{
	uint64_t session = 5;

	assert_int_equal(guard_is_labelled(&guard, 0, &session), 0);
	fake.get_label = -ESRCH;
	assert_int_equal(guard_is_labelled(&guard, 0, &session), -ESRCH);
	assert_int_equal(session, 5);
	fake.get_label = 0;
	fake.label.session = 0x19ab;
	assert_int_equal(guard_is_labelled(&guard, 0, &session), 1);
	assert_int_equal(session, 0x19ab);
}

static void test_end(void **state _unused_)
{
	json_t *line;

	new_session(0x19ab);
	fake.session_id = 0x19ab;
	session_end(&guard, 0x19ac);
	assert_non_null(session_get(&guard, 0x19ab));
	session_end(&guard, 0x19ab);
	assert_null(session_get(&guard, 0x19ab));
	assert_int_equal(fake.session_id, 0);
	line = journal_line(1);
	assert_string_equal(text_at(line, "message"), "session 19ab ended");
	json_decref(line);
	session_end(&guard, 0x19ab);
	assert_null(journal_line(2));
}

static void not_quit(void *data)
{
	loop_quit(data, 42);
}

/* Its last task was held and killed: the hold outlives the session until the death is reaped. */
static void test_end_before_its_hold(void **state _unused_)
{
	struct hold h = { .exec = NEW_EXEC("zap\0held") };

	h.exec->session = new_session(0x19ab);
	LIST_INSERT_HEAD(&guard.holds, &h, entry);
	session_end(&guard, 0x19ab);
	LIST_REMOVE(&h, entry);
	assert_null(h.exec->session);
	exec_free(h.exec);
}

/* An embedded guard ends with its last session, not before. */
static void test_embedded_guard_ends(void **state _unused_)
{
	guard.options.embedded = true;
	new_session(1);
	new_session(2);
	assert_int_equal(loop_add_timer(guard.loop, 1000, not_quit, guard.loop, NULL), 0);
	session_end(&guard, 1);
	assert_int_equal(loop_run(guard.loop), 42);
	assert_int_equal(loop_add_timer(guard.loop, 5000000, not_quit, guard.loop, NULL), 0);
	session_end(&guard, 2);
	assert_int_equal(loop_run(guard.loop), 0);
}

/* Their last event was lost. */
static void test_sweep(void **state _unused_)
{
	new_session(1);
	new_session(2);
	new_session(3);
	fake.session_id = 2;
	fake.session.tasks = 1;
	session_sweep(&guard);
	assert_int_equal(guard.sessions.count, 1);
	assert_non_null(session_get(&guard, 2));
	fake.session.tasks = 0;
	session_sweep(&guard);
	assert_int_equal(guard.sessions.count, 0);
}

int main(void)
{
#define SESSION_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		SESSION_TEST(test_start),
		SESSION_TEST(test_scratch_is_no_workspace),
		SESSION_TEST(test_another_user),
		SESSION_TEST(test_numbers_are_unique),
		SESSION_TEST(test_failures),
		SESSION_TEST(test_several_threads),
		SESSION_TEST(test_is_labelled),
		SESSION_TEST(test_end),
		SESSION_TEST(test_end_before_its_hold),
		SESSION_TEST(test_embedded_guard_ends),
		SESSION_TEST(test_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
