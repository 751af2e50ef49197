/* What the kernel side tells of processes that the test forks. None but those carry its label. */
#include "session.h"

#define NOBODY 65534

/* A grandchild runs /bin/true, then the child itself a shell. */
static void run_both(void)
{
	pid_t pid;

	if (chdir("/usr/share") || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		_exit(98);
	pid = fork();
	if (!pid)
		execl("/bin/true", "./true", "hello", "a b", "", NULL);
	waitpid(pid, NULL, 0);
	execl("/bin/sh", "sh", "-c", "exit 3", NULL);
}

static void test_execs_of_a_tree(void **state)
{
	const struct bs_exec_event *e;
	const char *p;
	pid_t pid;

	(void)state;
	open_kernel();
	pid = start(run_both);
	assert_int_equal(wait_for(pid), 3 << 8);
	await(KERNEL_EVENTS, BS_EVENT_END, 0, 0);
	e = find(BS_EVENT_EXEC, 0, 0);
	assert_true(e->head.session == SESSION && e->head.tgid != (u32)pid);
	assert_int_equal(e->head.tid, e->head.tgid);
	assert_int_equal(e->ancestors[0], pid);
	assert_int_equal(e->ancestors[1], 0); /* the session's first process is the last named */
	assert_true(e->uid == NOBODY && e->euid == NOBODY && e->gid == NOBODY);
	assert_int_equal(e->flags, 0);
	assert_int_equal(e->approval, 7);
	assert_int_equal(e->slot, BS_NO_SLOT);
	p = e->data;
	assert_string_equal(p, "/bin/true");
	p += e->name_len;
	assert_string_equal(p, "true");
	p += e->file_len;
	assert_int_equal(e->args_len, sizeof("./true\0hello\0a b\0"));
	assert_int_equal(e->args_total, e->args_len);
	assert_memory_equal(p, "./true\0hello\0a b\0", e->args_len);
	p += e->args_len;
	assert_int_equal(e->cwd_len, sizeof("share\0usr"));
	assert_memory_equal(p, "share\0usr", e->cwd_len);
	assert_false(e->cwd_deep);
	e = find(BS_EVENT_EXEC, pid, 0);
	assert_string_equal(e->data, "/bin/sh");
	assert_int_equal(e->ancestors[0], 0);
	assert_null(find(BS_EVENT_EXEC, 0, 2));
	assert_int_equal(kernel_counters(kernel)->execs, 2);
	assert_int_equal(kernel_counters(kernel)->candidates, 0);
}

static void test_ends(void **state)
{
	const struct bs_exec_event *exec;
	const struct bs_exit_event *e;
	struct bs_session s;
	pid_t pid;

	(void)state;
	open_kernel();
	pid = start(run_both);
	wait_for(pid);
	await(KERNEL_EVENTS, BS_EVENT_END, 0, 0);
	exec = find(BS_EVENT_EXEC, 0, 0);
	e = find(BS_EVENT_EXIT, exec->head.tgid, 0);
	assert_non_null(e);
	assert_int_equal(e->code, 0);
	assert_true(e->start == exec->start && e->start > 0);
	assert_true(e->head.time > exec->head.time);
	e = find(BS_EVENT_EXIT, pid, 0);
	assert_non_null(e);
	assert_int_equal(e->code, 3 << 8);
	assert_int_equal(events[event_count - 1]->type, BS_EVENT_END);
	assert_true(events[event_count - 1]->session == SESSION);
	assert_int_equal(kernel_get_session(kernel, SESSION, &s), 0);
	assert_true(s.tasks == 0 && s.execs == 2);
	kernel_remove_session(kernel, SESSION);
	assert_int_equal(kernel_get_session(kernel, SESSION, &s), -ENOENT);
	for (int i = 0; i < BS_LOSS_COUNT; i++)
		assert_int_equal(kernel_counters(kernel)->losses[i], 0);
}

static void die(void)
{
	raise(SIGKILL);
}

static void test_death_by_a_signal(void **state)
{
	const struct bs_exit_event *e;
	pid_t pid;

	(void)state;
	open_kernel();
	pid = start(die);
	wait_for(pid);
	e = await(KERNEL_EVENTS, BS_EVENT_EXIT, pid, 0);
	assert_int_equal(e->code, SIGKILL);
}

static void test_labels(void **state)
{
	int own = pidfd_open(getpid(), 0), pidfd;
	struct bs_label got;
	pid_t pid;

	(void)state;
	open_kernel();
	pid = start(wait_forever);
	pidfd = pidfd_open(pid, 0);
	assert_int_equal(kernel_get_label(kernel, pidfd, &got), 0);
	assert_true(got.session == SESSION && got.approval == 7);
	assert_int_equal(kernel_get_label(kernel, own, &got), -ENOENT);
	kill(pid, SIGKILL);
	wait_for(pid);
	assert_true(kernel_get_label(kernel, pidfd, &got) < 0);
	close(pidfd);
	close(own);
}

/* ---- long argv */

#define LONG (100 * 1024)

static char long_word[LONG + 1];

static void run_long(void)
{
	execl("/bin/true", "true", long_word, "end", NULL);
}

static void collect_args(const struct bs_exec_event *e, struct strbuf *ret)
{
	u32 parts = 0;

	strbuf_add(ret, e->data + e->name_len + e->file_len, e->args_len);
	for (int i = 0; events[i] != &e->head; i++) {
		const struct bs_args_event *a = (const void *)events[i];

		if (a->head.type != BS_EVENT_ARGS || a->head.tgid != e->head.tgid)
			continue;
		assert_int_equal(a->part, parts++);
		assert_int_equal(a->head.size, sizeof(*a) + a->len);
		strbuf_add(ret, a->data, a->len);
	}
	assert_int_equal(parts, (e->args_total - e->args_len + BS_CHUNK - 1) / BS_CHUNK);
}

static void test_long_argv(void **state)
{
	_cleanup_strbuf_ struct strbuf args = STRBUF_INIT;
	const struct bs_exec_event *e;
	pid_t pid;

	(void)state;
	for (int i = 0; i < LONG; i++)
		long_word[i] = "0123456789xyz"[i % 13];
	open_kernel();
	pid = start(run_long);
	wait_for(pid);
	e = await(KERNEL_EVENTS, BS_EVENT_EXEC, pid, 0);
	assert_int_equal(e->args_total, 5 + LONG + 1 + 4);
	collect_args(e, &args);
	assert_int_equal(args.len, e->args_total);
	assert_memory_equal(args.data, "true", 5);
	assert_memory_equal(args.data + 5, long_word, LONG + 1);
	assert_memory_equal(args.data + 5 + LONG + 1, "end", 4);
}

/* ---- a candidate; no guard answers, so that it is stopped */

static void test_candidate_is_stopped(void **state)
{
	const struct bs_exec_event *e;
	const struct bs_slot *s;
	int status;
	pid_t pid;

	(void)state;
	open_kernel();
	pid = start(run_candidate);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	e = await(KERNEL_DECISIONS, BS_EVENT_EXEC, pid, 0);
	assert_int_equal(e->flags, BS_EXEC_CANDIDATE);
	assert_in_range(e->slot, 0, BS_SLOTS - 1);
	s = &kernel_slots(kernel)[e->slot];
	assert_int_equal(s->word, BS_SLOT_WORD(e->ticket, BS_SLOT_STOPPED));
	assert_true(s->tgid == (u32)pid && s->start == e->start && s->session == SESSION);
	assert_int_equal(kernel_counters(kernel)->candidates, 1);
	assert_int_equal(kernel_counters(kernel)->stopped, 1);
	kill(pid, SIGKILL);
	assert_int_equal(wait_for(pid), SIGKILL);
}

/* ---- connects */

static void connect_harmless(void)
{
	_exit(connect_to(0x7f000009, 10, SOCK_DGRAM));
}

static void test_connect_is_an_event(void **state)
{
	static const u8 addr[16] = { [10] = 0xff, 0xff, 127, 0, 0, 9 };
	const struct bs_connect_event *e;
	struct bs_session s;
	pid_t pid;

	(void)state;
	open_kernel();
	assert_null(kernel_blind(kernel));
	assert_int_equal(connect_to(0x7f000009, 9, SOCK_DGRAM), 0); /* not tracked */
	pid = start(connect_harmless);
	assert_int_equal(wait_for(pid), 0);
	e = await(KERNEL_EVENTS, BS_EVENT_CONNECT, pid, 0);
	assert_true(e->head.session == SESSION && e->start > 0 && e->uid == getuid());
	assert_memory_equal(e->dest.addr, addr, sizeof(addr));
	assert_int_equal(e->dest.port, 10);
	assert_int_equal(e->dest.protocol, IPPROTO_UDP);
	assert_true(!e->dest.datagram && !e->flags && e->slot == BS_NO_SLOT);
	assert_int_equal(kernel_get_session(kernel, SESSION, &s), 0);
	assert_int_equal(s.connects, 1);
	assert_int_equal(kernel_counters(kernel)->connects, 1);
}

/* No guard answers: it is stopped, and restarts into the answer that is left for it. */
static void connect_is_answered(enum bs_answer answer, int status_expected)
{
	struct bs_waiting w;
	const struct bs_connect_event *e;
	const struct bs_slot *s;
	int status;
	pid_t pid;

	open_kernel();
	pid = start(connect_held);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	e = await(KERNEL_DECISIONS, BS_EVENT_CONNECT, pid, 0);
	assert_int_equal(e->flags, BS_CONNECT_CANDIDATE);
	s = &kernel_slots(kernel)[e->slot];
	assert_int_equal(s->word, BS_SLOT_WORD(e->ticket, BS_SLOT_STOPPED));
	assert_true(s->kind == BS_SLOT_CONNECT && s->tid == (u32)pid &&
		    s->number == e->head.number);
	assert_int_equal(kernel_get_waiting(kernel, pid, &w), 0);
	assert_int_equal(w.answer, BS_ANSWER_NONE);
	w.answer = answer;
	assert_int_equal(kernel_answer_connect(kernel, pid, &w), 0);
	kill(pid, SIGCONT);
	assert_int_equal(wait_for(pid), status_expected << 8);
	assert_int_equal(kernel_get_waiting(kernel, pid, &w), -ENOENT);
	assert_int_equal(kernel_answer_connect(kernel, pid, &w), -ENOENT); /* nor is it again */
	assert_int_equal(kernel_counters(kernel)->candidates, 1);
}

static void test_connect_passes(void **state)
{
	(void)state;
	connect_is_answered(BS_ANSWER_PASS, 0);
}

static void test_connect_is_refused(void **state)
{
	(void)state;
	connect_is_answered(BS_ANSWER_REFUSE, EPERM);
}

/* ---- agents */

static void run_untracked(void)
{
	execl("/bin/true", "true", NULL);
}

static void test_untracked_exec_of_an_agent(void **state)
{
	const struct bs_exec_event *e;
	pid_t pid;

	(void)state;
	open_kernel();
	pid = fork();
	if (!pid) {
		run_untracked();
		_exit(1);
	}
	assert_int_equal(wait_for(pid), 0); /* nobody answers, and it goes on */
	e = await(KERNEL_DECISIONS, BS_EVENT_EXEC, pid, 0);
	assert_int_equal(e->flags, BS_EXEC_AGENT);
	assert_true(e->head.session == 0 && e->head.number == 0);
	assert_int_equal(kernel_slots(kernel)[e->slot].word, BS_SLOT_WORD(e->ticket, BS_SLOT_FREE));
}

/* ---- what runs already */

static void fork_and_wait(void)
{
	if (fork() >= 0)
		wait_forever();
	_exit(97);
}

/* What runs already and cannot be noted is labelled all the same; the guard, in whose name the
 * kernel does this, stays alive. */
static void test_adopt_where_no_process_can_be_noted(void **state)
{
	struct bs_session s = { .root = 1 };
	u32 tgid = 1U << 30; /* no process has such a number */
	pid_t pid;

	(void)state;
	open_kernel();
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		fork_and_wait();
	}
	usleep(100000);
	assert_int_equal(kernel_set_session(kernel, SESSION, &s), 0);
	assert_int_equal(kernel_adopt(kernel, pid, SESSION), 0);
	while (!kernel_adopt(kernel, tgid, SESSION))
		tgid++;
	assert_int_equal(kernel_adopt_run(kernel), 2);
	assert_int_equal(kernel_counters(kernel)->losses[BS_LOSS_LABEL], 1);
	kill(-pid, SIGKILL);
	wait_for(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_execs_of_a_tree, tear_down),
		cmocka_unit_test_teardown(test_ends, tear_down),
		cmocka_unit_test_teardown(test_death_by_a_signal, tear_down),
		cmocka_unit_test_teardown(test_labels, tear_down),
		cmocka_unit_test_teardown(test_long_argv, tear_down),
		cmocka_unit_test_teardown(test_candidate_is_stopped, tear_down),
		cmocka_unit_test_teardown(test_connect_is_an_event, tear_down),
		cmocka_unit_test_teardown(test_connect_passes, tear_down),
		cmocka_unit_test_teardown(test_connect_is_refused, tear_down),
		cmocka_unit_test_teardown(test_untracked_exec_of_an_agent, tear_down),
		cmocka_unit_test_teardown(test_adopt_where_no_process_can_be_noted, tear_down),
	};

	return cmocka_run_group_tests(tests, open_policy, free_policy);
}
