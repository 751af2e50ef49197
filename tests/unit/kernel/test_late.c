/* What a program is passed over for, another does. Here the first is detached, which is as if the
 * kernel passed over it each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/internal.h"

#define SESSION	 0x19abcdefULL
#define PATIENCE 10000 /* milliseconds */

static const struct net_tables no_nets;
static struct kernel *kernel;
static struct bs_exec_event seen; /* the last candidate */
static char names[1024];	  /* of that */
static char pins[64];
static int pins_fd = -1;

static void keep(void *data, const struct bs_event *e)
{
	const struct bs_exec_event *x = (const void *)e;

	(void)data;
	if (e->type != BS_EVENT_EXEC)
		return;
	memcpy(&seen, e, sizeof(seen));
	snprintf(names, sizeof(names), "%s %s", x->data, x->data + x->name_len);
}

static void skip_because(const char *reason)
{
	print_message("skipped: %s\n", reason);
	skip();
}

static int set_up(void **state)
{
	struct policy *policy;
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct kernel_tables t = { .nets = &no_nets };

	(void)state;
	memset(&seen, 0, sizeof(seen));
	if (geteuid())
		return 0;
	pins_fd = kernel_private_pins(pins, sizeof(pins));
	assert_true(pins_fd >= 0);
	assert_int_equal(policy_open(POLICY_IMAGE, &policy, &err), 0);
	t.scan = policy_scan_tables(policy);
	if (kernel_open(pins, &t, &kernel, &err))
		print_message("skipped: %s\n", strbuf_str(&err));
	else
		kernel_on_event(kernel, KERNEL_DECISIONS, keep, NULL);
	policy_free(policy);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	kernel_close(kernel);
	kernel = NULL;
	if (pins_fd >= 0)
		close(pins_fd);
	pins_fd = -1;
	return 0;
}

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

static void give_label(pid_t pid)
{
	const struct bs_label label = { .session = SESSION };
	struct bs_session s = { .tasks = 1, .root = pid };
	int pidfd = pidfd_open(pid, 0);

	assert_true(pidfd >= 0);
	assert_int_equal(kernel_set_session(kernel, SESSION, &s), 0);
	assert_int_equal(kernel_set_label(kernel, pidfd, &label), 0);
	close(pidfd);
}

/* A labelled shell, which goes on when a byte comes. */
static pid_t start(const char *script, int *ret_go)
{
	int go[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(go[1]);
		if (read(go[0], &c, 1) == 1)
			execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(99);
	}
	close(go[0]);
	give_label(pid);
	*ret_go = go[1];
	return pid;
}

static int end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* By a first exec the programs know which runs behind which. */
static void require_kernel(void)
{
	int go;
	pid_t pid;

	if (!kernel)
		skip_because("needs root, and a kernel that takes the programs");
	pid = start("exit 3", &go);
	assert_int_equal(write(go, "x", 1), 1);
	assert_int_equal(end(pid), 3 << 8);
	close(go);
	if (!kernel_shared(kernel)->state.late_behind)
		skip_because("no program at tracepoints of perf, or others that came before");
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

/* Without a guard that answers it is stopped before its first instruction. */
static void an_exec_is_held(void **state)
{
	int go, status;
	pid_t pid;

	(void)state;
	require_kernel();
	detach(kernel->skel->progs.exec_loaded, &kernel->skel->links.exec_loaded,
	       kernel->skel->links.exec_late);
	pid = start("exit 3", &go);
	assert_int_equal(write(go, "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	kernel_consume(kernel, KERNEL_DECISIONS, 10);
	kernel_release(kernel, KERNEL_DECISIONS);
	assert_int_equal(seen.head.tgid, pid);
	assert_int_equal(seen.flags, BS_EXEC_CANDIDATE | BS_EXEC_UNREADABLE);
	assert_int_equal(seen.args_len, 0);
	assert_int_equal(strncmp(names, "/bin/sh ", 8), 0);
	assert_true(late() == 1 && kernel_counters(kernel)->execs == 1);
	kernel_slots(kernel)[seen.slot].word = 0;
	kill(pid, SIGCONT);
	assert_int_equal(end(pid), 3 << 8);
	close(go);
}

/* The shell is looked at once, as nobody was passed over. */
static void what_was_done_is_not_done_twice(void **state)
{
	int go;
	pid_t pid;

	(void)state;
	require_kernel();
	pid = start("/bin/true & wait", &go);
	assert_int_equal(write(go, "x", 1), 1);
	assert_int_equal(end(pid), 0);
	assert_true(late() == 0 && kernel_counters(kernel)->execs == 2);
	assert_int_equal(kernel_counters(kernel)->candidates, 0);
	assert_int_equal(tasks(), 0);
	close(go);
}

static void a_new_task_is_labelled(void **state)
{
	int go;
	pid_t pid;

	(void)state;
	require_kernel();
	detach(kernel->skel->progs.lineage_newtask, &kernel->skel->links.lineage_newtask,
	       kernel->skel->links.newtask_late);
	pid = start("/bin/true & wait", &go);
	assert_int_equal(write(go, "x", 1), 1);
	assert_int_equal(end(pid), 0);
	assert_true(late() == 1 && kernel_counters(kernel)->execs == 2);
	assert_int_equal(tasks(), 0);
	close(go);
}

static void an_end_is_told(void **state)
{
	int go;
	pid_t pid;

	(void)state;
	require_kernel();
	detach(kernel->skel->progs.lineage_exit, &kernel->skel->links.lineage_exit,
	       kernel->skel->links.exit_late);
	pid = start("/bin/true & wait", &go);
	assert_int_equal(write(go, "x", 1), 1);
	assert_int_equal(end(pid), 0);
	assert_int_equal(late(), 2);
	assert_int_equal(tasks(), 0);
	close(go);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_exec_is_held, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_done_is_not_done_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_new_task_is_labelled, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_end_is_told, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
