/* What a program is passed over for, another does. Here the first is detached, which is as if the
 * kernel passed over it each time. */
#include "session.h"

#include "kernel/internal.h"

/* Takes `first` away, behind which is what `late` attached. */
static void detach(struct bpf_program *first, struct bpf_link **link, const struct bpf_link *late)
{
	if (!late)
		skip_because("this kernel takes no program at a tracepoint of perf, or none that "
			     "finds a task");
	kernel_drop_link(kernel, first);
	bpf_link__destroy(*link);
	*link = NULL;
}

static void run_shell(void)
{
	execl("/bin/sh", "sh", "-c", "exit 3", NULL);
}

static void run_child(void)
{
	execl("/bin/sh", "sh", "-c", "/bin/true & wait", NULL);
}

/* Behind another tracer at perf's tracepoint the second program comes first. */
static void require_late(void)
{
	open_kernel();
	if (!kernel->skel->links.exec_late)
		skip_because("no program at tracepoints of perf");
	assert_int_equal(wait_for(start(run_shell)), 3 << 8);
	if (kernel_counters(kernel)->late)
		skip_because("another tracer of execs came before");
	memset((void *)kernel_counters(kernel), 0, sizeof(struct bs_counters));
}

static u64 tasks(void)
{
	struct bs_session s;

	assert_int_equal(kernel_get_session(kernel, SESSION, &s), 0);
	return s.tasks;
}

static u64 late(void)
{
	return kernel_counters(kernel)->late;
}

static void require_exec_late(void)
{
	require_late();
	detach(kernel->skel->progs.exec_loaded, &kernel->skel->links.exec_loaded,
	       kernel->skel->links.exec_late);
}

static void an_exec_is_seen(void **state)
{
	const struct bs_exec_event *e;
	pid_t pid;

	(void)state;
	require_exec_late();
	pid = start(run_shell);
	assert_int_equal(wait_for(pid), 3 << 8);
	e = await(KERNEL_EVENTS, BS_EVENT_EXEC, pid, 0);
	assert_int_equal(e->flags, 0);
	assert_string_equal(e->data, "/bin/sh");
	assert_memory_equal(e->data + e->name_len + e->file_len, "sh\0-c\0exit 3", 13);
	assert_true(late() == 1 && kernel_counters(kernel)->execs == 1);
}

/* Without a guard that answers it is stopped before its first instruction. */
static void a_candidate_is_held(void **state)
{
	const struct bs_exec_event *e;
	int status;
	pid_t pid;

	(void)state;
	require_exec_late();
	pid = start(run_candidate);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	e = await(KERNEL_DECISIONS, BS_EVENT_EXEC, pid, 0);
	assert_int_equal(e->flags, BS_EXEC_CANDIDATE);
	assert_memory_equal(e->data + e->name_len + e->file_len, "terraform\0destroy", 18);
	assert_true(late() == 1 && kernel_counters(kernel)->candidates == 1);
	kernel_slots(kernel)[e->slot].word = 0;
	kill(pid, SIGCONT);
	assert_int_equal(wait_for(pid), 0);
}

/* The shell is looked at once, as nobody was passed over. */
static void what_was_done_is_not_done_twice(void **state)
{
	(void)state;
	require_late();
	assert_int_equal(wait_for(start(run_child)), 0);
	assert_true(late() == 0 && kernel_counters(kernel)->execs == 2);
	assert_int_equal(kernel_counters(kernel)->candidates, 0);
	assert_int_equal(tasks(), 0);
}

static void a_new_task_is_labelled(void **state)
{
	(void)state;
	require_late();
	detach(kernel->skel->progs.lineage_newtask, &kernel->skel->links.lineage_newtask,
	       kernel->skel->links.newtask_late);
	assert_int_equal(wait_for(start(run_child)), 0);
	assert_true(late() == 1 && kernel_counters(kernel)->execs == 2);
	assert_int_equal(tasks(), 0);
}

static void an_end_is_told(void **state)
{
	(void)state;
	require_late();
	detach(kernel->skel->progs.lineage_exit, &kernel->skel->links.lineage_exit,
	       kernel->skel->links.exit_late);
	assert_int_equal(wait_for(start(run_child)), 0);
	assert_int_equal(late(), 2);
	assert_int_equal(tasks(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(an_exec_is_seen, tear_down),
		cmocka_unit_test_teardown(a_candidate_is_held, tear_down),
		cmocka_unit_test_teardown(what_was_done_is_not_done_twice, tear_down),
		cmocka_unit_test_teardown(a_new_task_is_labelled, tear_down),
		cmocka_unit_test_teardown(an_end_is_told, tear_down),
	};

	return cmocka_run_group_tests(tests, open_policy, free_policy);
}
