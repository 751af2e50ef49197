/* The kernel side, loaded with the shipped policy: what it tells of processes that the test forks.
 * None but those carry its label. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/strbuf.h"
#include "kernel/kernel.h"

#define NOBODY	 65534
#define SESSION	 0x19abcdefULL
#define EVENTS	 200
#define PATIENCE 10000 /* milliseconds */

static struct policy *policy;
static struct kernel *kernel;
static struct bs_event *events[EVENTS]; /* in the order of their coming */
static int event_count;

static void keep(void *data, const struct bs_event *e)
{
	(void)data;
	assert_true(event_count < EVENTS);
	events[event_count] = malloc(e->size);
	memcpy(events[event_count++], e, e->size);
}

static void skip_because(const char *reason)
{
	print_message("skipped: %s\n", reason);
	skip();
}

static void open_kernel(void)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;

	if (geteuid())
		skip_because("needs root to load programs");
	if (kernel_open(policy_scan_tables(policy), &kernel, &err))
		skip_because(strbuf_str(&err));
	for (int i = 0; i < KERNEL_RINGS; i++)
		kernel_on_event(kernel, i, keep, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	kernel_close(kernel);
	kernel = NULL;
	while (event_count)
		free(events[--event_count]);
	return 0;
}

/* Event number `n`, from 0, of that type and process (0: any); NULL where there are fewer. */
static const void *find(enum bs_event_type type, u32 tgid, int n)
{
	for (int i = 0; i < event_count; i++)
		if (events[i]->type == type && (!tgid || events[i]->tgid == tgid) && !n--)
			return events[i];
	return NULL;
}

/* The same once it has come; the ring's fd wakes whoever waits for it. */
static const void *await(enum kernel_ring ring, enum bs_event_type type, u32 tgid, int n)
{
	struct pollfd p = { .fd = kernel_ring_fd(kernel, ring), .events = POLLIN };

	while (!find(type, tgid, n)) {
		assert_int_equal(poll(&p, 1, PATIENCE), 1);
		kernel_consume(kernel, ring, EVENTS);
	}
	return find(type, tgid, n);
}

/* ---- a child of ours, labelled */

static const struct bs_label label = { .session = SESSION, .approval = 7 };

static void give_label(pid_t pid)
{
	struct bs_session s = { .tasks = 1, .root = pid };
	int pidfd = pidfd_open(pid, 0);

	assert_true(pidfd >= 0);
	assert_int_equal(kernel_set_session(kernel, SESSION, &s), 0);
	assert_int_equal(kernel_set_label(kernel, pidfd, &label), 0);
	close(pidfd);
}

/* Forks a child that runs fn() once it carries the label. */
static pid_t start(void (*fn)(void))
{
	int go[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(go[1]);
		if (read(go[0], &c, 1) == 1)
			fn();
		_exit(99);
	}
	give_label(pid);
	assert_int_equal(write(go[1], "x", 1), 1);
	close(go[0]);
	close(go[1]);
	return pid;
}

static int wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

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

static void wait_forever(void)
{
	pause();
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

static void run_candidate(void)
{
	execl("/bin/true", "terraform", "destroy", NULL);
}

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

/* ---- nothing stays */

/* Numbers of the programs of which this process holds an fd. */
static size_t own_programs(u32 *ids, size_t max)
{
	DIR *dir = opendir("/proc/self/fdinfo");
	struct dirent *entry;
	size_t n = 0;

	while ((entry = readdir(dir))) {
		char path[300], line[256];
		bool link = false;
		u32 id = 0;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", entry->d_name);
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f)) {
			link |= !strncmp(line, "link_type:", 10);
			sscanf(line, "prog_id: %u", &id);
		}
		if (f)
			fclose(f);
		if (id && !link && n < max)
			ids[n++] = id;
	}
	closedir(dir);
	return n;
}

/* The kernel frees a program a moment after its last user is gone. */
static bool is_loaded(u32 id)
{
	for (int i = 0; i < PATIENCE / 10; i++) {
		int fd = bpf_prog_get_fd_by_id(id);

		if (fd < 0)
			return false;
		close(fd);
		usleep(10000);
	}
	return true;
}

static void test_everything_is_detached(void **state)
{
	u32 ids[64];
	size_t n;

	(void)state;
	open_kernel();
	assert_int_equal(kernel_set_tripwire(kernel, true), 0);
	assert_int_equal(kernel_set_tripwire(kernel, true), 0);
	assert_int_equal(kernel_set_tripwire(kernel, false), 0);
	assert_int_equal(kernel_set_tripwire(kernel, false), 0);
	assert_int_equal(kernel_set_tripwire(kernel, true), 0);
	n = own_programs(ids, ARRAY_SIZE(ids));
	assert_in_range(n, 4, ARRAY_SIZE(ids) - 1);
	kernel_close(kernel);
	kernel = NULL;
	for (size_t i = 0; i < n; i++)
		assert_false(is_loaded(ids[i]));
}

static int open_policy(void **state)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	int r = policy_open(POLICY_IMAGE, &policy, &err);

	(void)state;
	if (r)
		printf("%s\n", strbuf_str(&err));
	return r;
}

static int free_policy(void **state)
{
	(void)state;
	policy_free(policy);
	return 0;
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
		cmocka_unit_test_teardown(test_everything_is_detached, tear_down),
	};

	return cmocka_run_group_tests(tests, open_policy, free_policy);
}
