/* What the tests of deletions share: a session's child, what is seen of it, and each operation.
 * They run in whatever tier this kernel gives: before it happens on the security hooks, after it
 * has happened without. No guard answers but the test. */
#ifndef TEST_DELETIONS_H
#define TEST_DELETIONS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "kernel/kernel.h"

#define SESSION	 0x77ULL
#define PATIENCE 60 /* seconds: an emulated machine takes its time */
#define BURST	 20

static struct policy *policy;
static struct kernel *kernel;
static char top[64]; /* where files are made: no scratch, nothing protected */
static char pins[64];
static int pins_fd = -1;

struct seen {
	u64 start, inode, place;
	u32 dev;
	u32 op, flags, slot, ticket, burst;
	char path[BS_DELETE_PATH];
};
static struct seen seen[2000];
static int seen_count;

static bool is_trace(void)
{
	return kernel_tier(kernel) == BS_TIER_TRACE;
}

static void skip_because(const char *reason)
{
	print_message("skipped: %s\n", reason);
	skip();
}

/* ---- events */

/* Components from the last to the first -> a path. */
static char *join(const char *parts, u32 len)
{
	char *path = strdup("");

	for (u32 at = 0; at < len; at += strlen(parts + at) + 1) {
		char *longer;

		assert_true(asprintf(&longer, "/%s%s", parts + at, path) > 0);
		free(path);
		path = longer;
	}
	return path;
}

static char *path_of(const struct bs_delete_event *e)
{
	_cleanup_free_ char *dir = NULL;
	char *path;

	if (!(e->flags & BS_DELETE_DONE) || !e->path_len)
		return join(e->data, e->path_len);
	if (e->data[0] == '/')
		return strdup(e->data);
	dir = join(e->data + e->path_len, e->inner_len);
	assert_true(asprintf(&path, "%s/%s", dir, e->data) > 0);
	return path;
}

static void keep(void *data, const struct bs_event *head)
{
	const struct bs_delete_event *e = (const void *)head;
	struct seen *s = &seen[seen_count];
	_cleanup_free_ char *path = NULL;

	(void)data;
	if (head->type != BS_EVENT_DELETE)
		return;
	assert_true((size_t)seen_count < ARRAY_SIZE(seen));
	assert_int_equal(e->head.size, sizeof(*e) + e->path_len + e->inner_len);
	assert_true(e->head.session == SESSION);
	path = path_of(e);
	*s = (struct seen) { e->start, e->inode, e->place,  e->dev,   e->op,
			     e->flags, e->slot,	 e->ticket, e->burst, "" };
	snprintf(s->path, sizeof(s->path), "%s", path);
	seen_count++;
}

static void consume(void)
{
	for (int i = 0; i < KERNEL_RINGS; i++) {
		kernel_consume(kernel, i, 1000);
		kernel_release(kernel, i);
	}
}

/* ---- set up */

static void open_kernel(void)
{
	static const struct net_tables no_nets;
	static const char *names[64];
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct kernel_tables t = { .scan = policy_scan_tables(policy),
				   .nets = &no_nets,
				   .deletes = policy_delete_tables(policy),
				   .build_output = names,
				   .burst = { BURST, 60 } };

	if (kernel)
		return; /* loading takes long on an emulated machine */
	if (geteuid())
		skip_because("needs root to load programs");
	for (u32 i = 0; policy_build_output(policy, i) && i < ARRAY_SIZE(names) - 1; i++)
		names[i] = policy_build_output(policy, i);
	pins_fd = kernel_private_pins(pins, sizeof(pins));
	assert_true(pins_fd >= 0);
	if (kernel_open(pins, &t, &kernel, &err))
		skip_because(strbuf_str(&err));
	print_message("tier: %s\n", tier_name(kernel_tier(kernel)));
	if (kernel_refused(kernel))
		print_message("refused: %s\n", kernel_refused(kernel));
	for (int i = 0; i < KERNEL_RINGS; i++)
		kernel_on_event(kernel, i, keep, NULL);
	assert_int_equal(kernel_watch_deletions(kernel, true), 0);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "/opt/test-delete-XXXXXX");
	if (!mkdtemp(top) || chdir(top))
		return -1;
	seen_count = 0;
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command) || chdir("/");
}

static void make(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static bool is_there(const char *path)
{
	return !access(path, F_OK);
}

/* Forks a child of the session that runs fn(), whose result is its exit status. */
static pid_t start(int (*fn)(void))
{
	struct bs_session s = { .tasks = 1 };
	struct bs_label label = { .session = SESSION };
	int go[2], pidfd;
	pid_t pid;
	char c;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(go[1]);
		_exit(read(go[0], &c, 1) == 1 ? fn() : 99);
	}
	pidfd = pidfd_open(pid, 0);
	s.root = pid;
	assert_int_equal(kernel_set_session(kernel, SESSION, &s), 0);
	assert_int_equal(kernel_set_label(kernel, pidfd, &label), 0);
	assert_int_equal(write(go[1], "x", 1), 1);
	close(go[0]);
	close(go[1]);
	close(pidfd);
	return pid;
}

static int result(int r)
{
	return r < 0 ? errno : 0;
}

static bool change(const struct seen *s, enum bs_slot_state from, enum bs_slot_state to)
{
	u32 *word = &kernel_slots(kernel)[s->slot].word;

	return __sync_bool_compare_and_swap(word, BS_SLOT_WORD(s->ticket, from),
					    BS_SLOT_WORD(s->ticket, to));
}

/* Its programs are let go: no test is about them. */
static void answer_execs(pid_t pid)
{
	for (u32 i = 0; i < BS_SLOTS; i++) {
		struct bs_slot *s = &kernel_slots(kernel)[i];
		u32 word = s->word, ticket = word >> 3;

		if (s->kind != BS_SLOT_EXEC || s->tgid != (u32)pid)
			continue;
		if (word == BS_SLOT_WORD(ticket, BS_SLOT_ASKED))
			__sync_bool_compare_and_swap(&s->word, word,
						     BS_SLOT_WORD(ticket, BS_SLOT_ALLOWED));
		else if (word == BS_SLOT_WORD(ticket, BS_SLOT_STOPPED) &&
			 __sync_bool_compare_and_swap(&s->word, word,
						      BS_SLOT_WORD(ticket, BS_SLOT_FREE)))
			kill(pid, SIGCONT);
	}
}

/* Answers all that asks, and what is stopped already; returns how many. */
static int answer(pid_t pid, enum bs_slot_state with)
{
	int n = 0;

	answer_execs(pid);
	for (int i = 0; i < seen_count; i++) {
		if (seen[i].slot == BS_NO_SLOT)
			continue;
		n += change(&seen[i], BS_SLOT_ASKED, with);
		if (change(&seen[i], BS_SLOT_STOPPED, is_trace() ? BS_SLOT_FREE : with)) {
			kill(pid, SIGCONT);
			n++;
		}
	}
	return n;
}

/* Until the child has ended, and answers it meanwhile; returns its exit status. */
static int finish(pid_t pid, enum bs_slot_state with, int *ret_answers)
{
	time_t end = time(NULL) + PATIENCE;
	int status, answers = 0;

	while (time(NULL) < end) {
		consume();
		answers += answer(pid, with);
		if (waitpid(pid, &status, WNOHANG) == pid) {
			consume();
			if (ret_answers)
				*ret_answers = answers;
			assert_true(WIFEXITED(status));
			return WEXITSTATUS(status);
		}
		if (!answers)
			usleep(200);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < seen_count; i++)
		print_message("op %u, flags %#x, slot word %#x: %s\n", seen[i].op, seen[i].flags,
			      seen[i].slot < BS_SLOTS ? kernel_slots(kernel)[seen[i].slot].word : 0,
			      seen[i].path);
	fail_msg("the child does not end");
	return -1;
}

static int open_policy(void **state)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;

	(void)state;
	return policy_open(POLICY_IMAGE, &policy, &err);
}

static int close_policy(void **state)
{
	(void)state;
	if (kernel)
		kernel_watch_deletions(kernel, false);
	kernel_close(kernel);
	if (pins_fd >= 0)
		close(pins_fd);
	policy_free(policy);
	return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

/* ---- each operation */

static int open_with(const char *path, int flags)
{
	int fd = open(path, flags, 0600), e = result(fd);

	close(fd);
	return e;
}

static int in_dir(int (*fn)(int dir))
{
	int dir = open("d", O_PATH | O_DIRECTORY), e = fn(dir);

	close(dir);
	return e;
}

static int on_fd(int (*fn)(int fd))
{
	int fd = open("d/a", O_RDWR), e = fn(fd);

	close(fd);
	return e;
}

static int do_unlink(void)
{
	return result(unlink("d/a"));
}

static int do_unlink_absolute(void)
{
	char path[PATH_MAX + 8];

	if (!getcwd(path, PATH_MAX))
		return errno;
	return result(unlink(strcat(path, "/d/a")));
}

static int unlink_at(int dir)
{
	return result(unlinkat(dir, "a", 0));
}

static int do_unlinkat(void)
{
	return in_dir(unlink_at);
}

static int do_rmdir(void)
{
	return result(rmdir("d/empty"));
}

static int rmdir_at(int dir)
{
	return result(unlinkat(dir, "empty", AT_REMOVEDIR));
}

static int do_rmdir_at(void)
{
	return in_dir(rmdir_at);
}

static int do_rename(void)
{
	return result(rename("b", "d/a"));
}

static int rename_at(int dir)
{
	return result(renameat(AT_FDCWD, "b", dir, "a"));
}

static int do_renameat(void)
{
	return in_dir(rename_at);
}

static int do_exchange(void)
{
	return result(renameat2(AT_FDCWD, "b", AT_FDCWD, "d/a", RENAME_EXCHANGE));
}

static int do_move(void)
{
	return result(rename("d/a", "d/new"));
}

static int do_truncate(void)
{
	return result(truncate("d/a", 0));
}

static int ftruncate_fd(int fd)
{
	return result(ftruncate(fd, 0));
}

static int do_ftruncate(void)
{
	return on_fd(ftruncate_fd);
}

static int do_open_trunc(void)
{
	return open_with("d/a", O_WRONLY | O_TRUNC);
}

static int do_creat(void)
{
	return open_with("d/a", O_WRONLY | O_TRUNC | O_CREAT);
}

static int do_openat2(void)
{
	struct open_how how = { .flags = O_RDWR | O_TRUNC };
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, "d/a", &how, sizeof(how)), e = result(fd);

	close(fd);
	return e;
}

static int punch_fd(int fd)
{
	return result(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4));
}

static int do_punch(void)
{
	return on_fd(punch_fd);
}

static const struct op {
	const char *name;
	int (*fn)(void);
	u32 op;
	const char *path, *trace_path; /* below `top`; trace_path: where that is another */
	u32 trace_op;		       /* likewise */
	int asks;		       /* 2: about both names, where it is judged before */
} ops[] = {
	{ "unlink", do_unlink, BS_DELETE_UNLINK, "d/a", NULL, 0, 1 },
	{ "unlink, absolute", do_unlink_absolute, BS_DELETE_UNLINK, "d/a", NULL, 0, 1 },
	{ "unlinkat", do_unlinkat, BS_DELETE_UNLINK, "d/a", NULL, 0, 1 },
	{ "rmdir", do_rmdir, BS_DELETE_RMDIR, "d/empty", NULL, 0, 1 },
	{ "unlinkat AT_REMOVEDIR", do_rmdir_at, BS_DELETE_RMDIR, "d/empty", NULL, 0, 1 },
	{ "rename", do_rename, BS_DELETE_RENAME, "d/a", "b", BS_DELETE_MOVE, 2 },
	{ "renameat", do_renameat, BS_DELETE_RENAME, "d/a", "b", BS_DELETE_MOVE, 2 },
	{ "exchange", do_exchange, BS_DELETE_EXCHANGE, "d/a", "b", 0, 2 },
	{ "move", do_move, BS_DELETE_MOVE, "d/a", NULL, 0, 1 },
	{ "truncate", do_truncate, BS_DELETE_TRUNCATE, "d/a", NULL, 0, 1 },
	{ "ftruncate", do_ftruncate, BS_DELETE_TRUNCATE, "d/a", NULL, 0, 1 },
	{ "O_TRUNC", do_open_trunc, BS_DELETE_TRUNCATE, "d/a", NULL, 0, 1 },
	{ "O_CREAT O_TRUNC", do_creat, BS_DELETE_TRUNCATE, "d/a", NULL, 0, 1 },
	{ "openat2", do_openat2, BS_DELETE_TRUNCATE, "d/a", NULL, 0, 1 },
	{ "punch", do_punch, BS_DELETE_PUNCH, "d/a", NULL, 0, 1 },
};

static void make_tree(const char *a)
{
	char path[64];

	mkdir("d", 0700);
	mkdir("d/empty", 0700);
	snprintf(path, sizeof(path), "d/%s", a);
	make(path, "content");
	make("b", "other");
	make("d/same", "same");
	unlink("d/same2");
	assert_int_equal(link("d/same", "d/same2"), 0);
}

#endif
