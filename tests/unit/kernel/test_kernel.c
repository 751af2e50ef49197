/* The kernel side, loaded with the shipped policy: what it tells of processes that the test forks.
 * None but those carry its label. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
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

/* 127.0.0.9 with port 9, but not 127.0.0.9 with others, and all of 127.0.9.0/24 with port 9 */
static u8 ports[1][BS_PORT_BYTES] = { { [1] = 1 << 1 } };
static const struct net_entry nets[] = {
	{ { [10] = 0xff, 0xff, 127, 0, 0, 9 }, 128, 0 },
	{ { [10] = 0xff, 0xff, 127, 0, 9, 0 }, 120, 0 },
};
static const struct net_tables net_tables = { nets, ports, ARRAY_SIZE(nets), 1 };
static struct agent_key agents[1] = { { .how = BS_AGENT_ASK } };
static char pins[64];
static int pins_fd = -1;

static struct kernel_tables tables_with(const struct net_tables *n, u32 agents_count)
{
	return (struct kernel_tables) { .scan = policy_scan_tables(policy),
					.nets = n,
					.agents = agents,
					.agents_count = agents_count };
}

static void open_on_pins(void)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct kernel_tables t = tables_with(&net_tables, 1);

	memcpy(&agents[0].name, "true\0\0\0", 8);
	if (kernel_open(pins, &t, &kernel, &err))
		skip_because(strbuf_str(&err));
	for (int i = 0; i < KERNEL_RINGS; i++)
		kernel_on_event(kernel, i, keep, NULL);
}

static void open_kernel(void)
{
	if (geteuid())
		skip_because("needs root to load programs");
	pins_fd = kernel_private_pins(pins, sizeof(pins));
	assert_true(pins_fd >= 0);
	open_on_pins();
}

static int tear_down(void **state)
{
	(void)state;
	kernel_close(kernel);
	kernel = NULL;
	if (pins_fd >= 0)
		close(pins_fd);
	pins_fd = -1;
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
		kernel_release(kernel, ring);
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

/* ---- connects */

static int connect_to(u32 ip, u16 port, int type)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(ip) };
	int fd = socket(AF_INET, type, 0);
	int r = connect(fd, (void *)&a, sizeof(a)) ? errno : 0;

	close(fd);
	return r;
}

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

static void connect_held(void)
{
	_exit(connect_to(0x7f000909, 9, SOCK_DGRAM));
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

/* ---- the guard after this one */

static void test_pins_are_adopted(void **state)
{
	const struct bs_record note = { .agent = "claude", .uid = 7 };
	struct bs_record got;
	struct bs_label l;
	u64 session = 0;
	int status, pidfd;
	pid_t pid;

	(void)state;
	open_kernel();
	assert_false(kernel_was_adopted(kernel));
	assert_int_equal(kernel_put_record(kernel, SESSION, &note), 0);
	kernel_shared(kernel)->state.last_hold = 41;
	pid = start(wait_forever);
	kernel_close(kernel);
	open_on_pins();
	assert_true(kernel_was_adopted(kernel));
	assert_int_equal(kernel_shared(kernel)->state.last_hold, 41);
	assert_int_equal(kernel_next_session(kernel, &session), 0);
	assert_true(session == SESSION);
	assert_int_equal(kernel_next_session(kernel, &session), -ENOENT);
	assert_int_equal(kernel_get_record(kernel, SESSION, &got), 0);
	assert_memory_equal(&got, &note, sizeof(got));
	pidfd = pidfd_open(pid, 0);
	assert_int_equal(kernel_get_label(kernel, pidfd, &l), 0);
	close(pidfd);
	kill(pid, SIGKILL);
	wait_for(pid);
	assert_non_null(await(KERNEL_EVENTS, BS_EVENT_EXIT, pid, 0));
	pid = start(run_candidate); /* of programs that replaced others, one acts */
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	kill(pid, SIGKILL);
	wait_for(pid);
	assert_int_equal(kernel_counters(kernel)->candidates, 1);
}

/* ---- programs that cannot be attached */

static int open_limited(rlim_t fds)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct kernel_tables t = tables_with(&net_tables, 1);
	struct kernel *k = NULL;
	struct rlimit before, low;
	int r;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = (struct rlimit) { .rlim_cur = fds, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	r = kernel_open(pins, &t, &k, &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	kernel_close(k);
	return r;
}

static unsigned int count_pins(const char *prefix)
{
	_cleanup_free_ char *dir = NULL;
	unsigned int n = 0;
	struct dirent *e;
	DIR *d;

	assert_true(asprintf(&dir, "%s/v%d", pins, BS_ABI) > 0);
	d = opendir(dir);
	assert_non_null(d);
	while ((e = readdir(d)))
		n += !strncmp(e->d_name, prefix, strlen(prefix));
	closedir(d);
	return n;
}

/* A guard that cannot attach its programs leaves those of the guard before it in place. At each
 * limit another one of its descriptors is the first that it does not get. */
static void test_failed_adoption(void **state)
{
	unsigned int links;
	int status, failed = 0;
	pid_t pid;

	(void)state;
	open_kernel();
	links = count_pins("g1_");
	assert_in_range(links, 4, 64);
	kernel_close(kernel);
	kernel = NULL;
	for (rlim_t fds = 20; open_limited(fds); fds++, failed++) {
		assert_int_equal(count_pins("g1_"), links);
		assert_int_equal(count_pins("g") - count_pins("guarded"), links);
	}
	assert_true(failed > 5);
	open_on_pins();
	pid = start(run_candidate);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	kill(pid, SIGKILL);
	wait_for(pid);
}

static void test_reload(void **state)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	static const struct net_tables none;
	struct kernel_tables t = tables_with(&none, 0);
	pid_t pid;

	(void)state;
	open_kernel();
	for (int i = 0; i < 3; i++)
		assert_int_equal(kernel_reload(kernel, &t, &err), 0);
	pid = start(connect_held); /* no candidate any more */
	assert_int_equal(wait_for(pid), 0);
	await(KERNEL_EVENTS, BS_EVENT_END, 0, 0);
	assert_non_null(find(BS_EVENT_CONNECT, pid, 0));
	assert_null(find(BS_EVENT_CONNECT, pid, 1));
	assert_int_equal(kernel_counters(kernel)->candidates, 0);
}

/* A hold that is open meanwhile needs it. */
static void test_tripwire_is_reloaded(void **state)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct kernel_tables t = tables_with(&net_tables, 1);

	(void)state;
	open_kernel();
	assert_int_equal(kernel_set_tripwire(kernel, true), 0);
	assert_int_equal(kernel_reload(kernel, &t, &err), 0);
	assert_int_equal(count_pins("g2_tripwire_enter"), 1);
	assert_int_equal(kernel_set_tripwire(kernel, false), 0);
	assert_int_equal(kernel_reload(kernel, &t, &err), 0);
	assert_int_equal(count_pins("g3_tripwire"), 0);
	assert_int_equal(count_pins("g") - count_pins("guarded"), count_pins("g3_"));
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
	kernel_unpin(kernel);
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
		cmocka_unit_test_teardown(test_connect_is_an_event, tear_down),
		cmocka_unit_test_teardown(test_connect_passes, tear_down),
		cmocka_unit_test_teardown(test_connect_is_refused, tear_down),
		cmocka_unit_test_teardown(test_pins_are_adopted, tear_down),
		cmocka_unit_test_teardown(test_failed_adoption, tear_down),
		cmocka_unit_test_teardown(test_reload, tear_down),
		cmocka_unit_test_teardown(test_tripwire_is_reloaded, tear_down),
		cmocka_unit_test_teardown(test_untracked_exec_of_an_agent, tear_down),
		cmocka_unit_test_teardown(test_adopt_where_no_process_can_be_noted, tear_down),
		cmocka_unit_test_teardown(test_everything_is_detached, tear_down),
	};

	return cmocka_run_group_tests(tests, open_policy, free_policy);
}
