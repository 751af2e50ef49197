/* Deletions before they happen: each operation is refused, or happens once, and nobody sees how. */
#include "deletions.h"

#include <bpf/bpf.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/mount.h>

static bool needs_hooks(void)
{
	open_kernel();
	if (is_trace())
		skip_because("no security hooks here: nothing can be refused");
	mkdir(".git", 0700);
	assert_int_equal(mkdir(".git/refs", 0700), 0);
	return chdir(".git/refs") == 0; /* all in it is protected */
}

static bool is_undone(const struct op *o)
{
	struct stat a, b;

	if (o->op == BS_DELETE_RMDIR)
		return is_there("d/empty");
	return !stat("d/a", &a) && a.st_size == 7 && a.st_blocks && !stat("b", &b) &&
	       b.st_size == 5;
}

static void test_each_operation_is_refused(void **state)
{
	int answers;

	(void)state;
	assert_true(needs_hooks());
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		make_tree("a");
		seen_count = 0;
		if (finish(start(ops[i].fn), BS_SLOT_REFUSED, &answers) != EPERM || answers != 1 ||
		    !is_undone(&ops[i]))
			fail_msg("%s: %d answers", ops[i].name, answers);
		assert_int_equal(seen[0].flags, BS_DELETE_CANDIDATE);
	}
}

/* Each loss once: a rename may be two. */
static void test_each_operation_is_allowed_once(void **state)
{
	int answers;

	(void)state;
	assert_true(needs_hooks());
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		make_tree("a");
		seen_count = 0;
		if (finish(start(ops[i].fn), BS_SLOT_ALLOWED, &answers) || answers != ops[i].asks ||
		    (is_undone(&ops[i]) && ops[i].op != BS_DELETE_PUNCH &&
		     ops[i].op != BS_DELETE_EXCHANGE))
			fail_msg("%s: %d answers, %d events", ops[i].name, answers, seen_count);
	}
}

/* ---- a rename, whose paths are read again when it comes again */

static char *target; /* shared with the child */

static int do_rename_to_target(void)
{
	return result(rename("x.tfstate", target));
}

/* It asks, is stopped, says something else, and gets its answer. */
static void turn(const char *first, const char *then, bool is_told)
{
	int status;
	pid_t pid;

	make("x.tfstate", "state");
	strcpy(target, first);
	seen_count = 0;
	pid = start(do_rename_to_target);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	consume();
	assert_int_equal(seen_count, 1);
	assert_int_equal(seen[0].op, BS_DELETE_MOVE);
	strcpy(target, then);
	assert_true(change(&seen[0], BS_SLOT_STOPPED, BS_SLOT_ALLOWED));
	kill(pid, SIGCONT);
	assert_int_equal(finish(pid, BS_SLOT_REFUSED, NULL), is_told ? EPERM : 0);
	assert_int_equal(is_there("x.tfstate"), is_told);
	assert_int_equal(seen_count, is_told ? 2 : 1);
}

static void test_what_was_said_of_a_rename_is_for_both_names(void **state)
{
	(void)state;
	assert_true(needs_hooks());
	assert_int_equal(chdir(top), 0);
	target = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mkdir("d", 0700);
	mkdir("node_modules", 0700);
	make("other.tfstate", "other");
	turn("d/free", "other.tfstate", true);
	assert_int_equal(seen[1].op, BS_DELETE_RENAME);
	assert_non_null(strstr(seen[1].path, "/other.tfstate"));
	turn("d/free", "node_modules/free", true);
	assert_int_equal(seen[1].flags & BS_DELETE_AWAY, BS_DELETE_AWAY);
	turn("d/free", "d/another", false);
	munmap(target, 4096);
}

static int do_become_output(void)
{
	return result(rename("d", "node_modules"));
}

/* What lies in it is nobody's loss then. */
static void test_a_directory_becomes_build_output(void **state)
{
	(void)state;
	assert_true(needs_hooks());
	assert_int_equal(chdir(top), 0);
	mkdir("d", 0700);
	assert_int_equal(finish(start(do_become_output), BS_SLOT_REFUSED, NULL), EPERM);
	assert_int_equal(seen[0].flags, BS_DELETE_CANDIDATE | BS_DELETE_AWAY);
}

static int do_link_and_truncate(void)
{
	return result(link("x.tfstate", "other")) ?: result(truncate("other", 0));
}

static void test_another_name_is_protected(void **state)
{
	(void)state;
	assert_true(needs_hooks());
	assert_int_equal(chdir(top), 0);
	make("x.tfstate", "state");
	assert_int_equal(finish(start(do_link_and_truncate), BS_SLOT_REFUSED, NULL), EPERM);
	assert_int_equal(seen_count, 1);
	assert_int_equal(seen[0].flags, BS_DELETE_CANDIDATE | BS_DELETE_INODE);
	assert_non_null(strstr(seen[0].path, "/other"));
}

/* A link of a lower layer's file makes it one of the upper layer. */
static void test_another_name_is_protected_on_layers(void **state)
{
	(void)state;
	assert_true(needs_hooks());
	assert_int_equal(chdir(top), 0);
	mkdir("layers", 0700);
	assert_int_equal(mount("none", "layers", "tmpfs", 0, NULL), 0);
	assert_int_equal(chdir("layers"), 0);
	assert_true(!mkdir("low", 0700) && !mkdir("up", 0700) && !mkdir("work", 0700) &&
		    !mkdir("all", 0700));
	make("low/x.tfstate", "state");
	if (mount("none", "all", "overlay", 0, "lowerdir=low,upperdir=up,workdir=work")) {
		umount2("../layers", MNT_DETACH);
		skip_because("no overlayfs");
	}
	assert_int_equal(chdir("all"), 0);
	seen_count = 0;
	assert_int_equal(finish(start(do_link_and_truncate), BS_SLOT_REFUSED, NULL), EPERM);
	assert_int_equal(chdir(top), 0);
	umount2("layers/all", MNT_DETACH);
	umount2("layers", MNT_DETACH);
	assert_int_equal(seen_count, 1);
	assert_int_equal(seen[0].flags, BS_DELETE_CANDIDATE | BS_DELETE_INODE);
}

static int do_link_and_unlink_both(void)
{
	return result(link("x.tfstate", "other")) ?: result(unlink("x.tfstate"))
		?: result(unlink("other"));
}

static int count_protected(void)
{
	struct bs_protect_key key;
	_cleanup_free_ char *path = NULL;
	int fd, n = 0;

	assert_true(asprintf(&path, "%s/v%d/protected", pins, BS_ABI) > 0);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	for (bool more = !bpf_map_get_next_key(fd, NULL, &key); more;
	     more = !bpf_map_get_next_key(fd, &key, &key))
		n++;
	close(fd);
	return n;
}

/* Its number may be given to any file then. */
static void test_what_is_gone_is_protected_no_more(void **state)
{
	int answers, before;

	(void)state;
	assert_true(needs_hooks());
	assert_int_equal(chdir(top), 0);
	before = count_protected();
	make("x.tfstate", "state");
	seen_count = 0;
	assert_int_equal(finish(start(do_link_and_unlink_both), BS_SLOT_ALLOWED, &answers), 0);
	assert_int_equal(answers, 2);
	assert_int_equal(seen[0].flags, BS_DELETE_CANDIDATE);
	assert_int_equal(seen[1].flags, BS_DELETE_CANDIDATE | BS_DELETE_INODE);
	assert_int_equal(count_protected(), before);
}

static int do_make_and_remove(void)
{
	for (int i = 0; i < 2 * BURST; i++)
		make("file", "content");
	for (int i = 0; i < 2 * BURST; i++) {
		char name[32];

		snprintf(name, sizeof(name), "file%d", i);
		make(name, "content");
		if (unlink(name))
			return errno;
	}
	return 0;
}

static int do_replace_and_remove(void)
{
	char name[32];
	int e = 0;

	for (int i = 0; i < BURST - 2; i++) {
		snprintf(name, sizeof(name), "old%d", i);
		make("new", "content");
		if (rename("new", name))
			return 1;
	}
	for (int i = 0; i < BURST - 2 && !e; i++) {
		snprintf(name, sizeof(name), "old%d", i);
		e = result(unlink(name));
	}
	return e;
}

/* But what takes the place of an older file holds what that held, by another editor's way. */
static void test_what_the_session_made_is_in_no_burst(void **state)
{
	int answers;

	(void)state;
	assert_true(needs_hooks());
	assert_int_equal(chdir(top), 0);
	assert_int_equal(finish(start(do_make_and_remove), BS_SLOT_REFUSED, &answers), 0);
	assert_int_equal(answers, 0);
	assert_true(seen_count >= 2 * BURST);
	assert_int_equal(seen[seen_count - 1].flags, BS_DELETE_MADE);
	for (int i = 0; i < BURST - 2; i++) {
		char name[32];

		snprintf(name, sizeof(name), "old%d", i);
		make(name, "content");
	}
	assert_int_equal(finish(start(do_replace_and_remove), BS_SLOT_REFUSED, &answers), EPERM);
	assert_int_equal(answers, 1);
}

static void test_hooks_come_and_go(void **state)
{
	(void)state;
	assert_true(needs_hooks());
	make_tree("a");
	for (int i = 0; i < 20; i++) {
		assert_int_equal(kernel_watch_deletions(kernel, false), 0);
		assert_int_equal(kernel_watch_deletions(kernel, true), 0);
	}
	usleep(1000000); /* what let go is not what was taken back */
	assert_int_equal(finish(start(do_punch), BS_SLOT_REFUSED, NULL), EPERM);
}

/* ---- threads: each waits for itself, and none sees how */

#define THREADS 4
#define EACH	25

static void *unlink_many(void *number)
{
	char name[32];

	for (int i = 0; i < EACH; i++) {
		int e;

		snprintf(name, sizeof(name), "%d-%d.tfstate", (int)(intptr_t)number, i);
		e = result(unlink(name));
		if (e)
			return (void *)(intptr_t)e;
	}
	return NULL;
}

static int do_threads(void)
{
	pthread_t threads[THREADS];
	void *first = NULL;

	for (intptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, unlink_many, (void *)i);
	for (int i = 0; i < THREADS; i++) {
		void *e;

		pthread_join(threads[i], &e);
		first = first ?: e;
	}
	return (int)(intptr_t)first;
}

static void test_threads_at_once(void **state)
{
	char name[32];
	int answers;

	(void)state;
	assert_true(needs_hooks());
	for (int i = 0; i < THREADS * EACH; i++) {
		snprintf(name, sizeof(name), "%d-%d.tfstate", i / EACH, i % EACH);
		make(name, "");
	}
	assert_int_equal(finish(start(do_threads), BS_SLOT_ALLOWED, &answers), 0);
	assert_int_equal(answers, THREADS * EACH);
	assert_int_equal(seen_count, THREADS * EACH);
	assert_false(is_there("0-0.tfstate"));
}

/* ---- io_uring */

struct uring {
	int fd;
	void *rings;
	struct io_uring_sqe *sqes;
	struct io_uring_params p;
};

static int uring_open(struct uring *u)
{
	memset(u, 0, sizeof(*u));
	u->fd = (int)syscall(SYS_io_uring_setup, 4, &u->p);
	if (u->fd < 0)
		return -errno;
	u->rings = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, u->fd,
			IORING_OFF_SQ_RING);
	u->sqes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, u->fd,
		       IORING_OFF_SQES);
	return u->rings == MAP_FAILED || u->sqes == MAP_FAILED ? -ENOMEM : 0;
}

/* Runs one request; returns its result. */
static int uring_run(struct uring *u, const struct io_uring_sqe *sqe)
{
	u32 *tail = u->rings + u->p.sq_off.tail, *array = u->rings + u->p.sq_off.array;
	u32 *head = u->rings + u->p.cq_off.head;
	struct io_uring_cqe *cqes = u->rings + u->p.cq_off.cqes;
	int res;

	u->sqes[0] = *sqe;
	array[*tail & 3] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, u->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return -errno;
	res = cqes[*head & (2 * 4 - 1)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return res;
}

static int do_uring(void)
{
	struct io_uring_sqe unlink_it = { .opcode = IORING_OP_UNLINKAT,
					  .fd = AT_FDCWD,
					  .addr = (uintptr_t) "x.tfstate" };
	struct io_uring_sqe rename_it = { .opcode = IORING_OP_RENAMEAT,
					  .fd = AT_FDCWD,
					  .addr = (uintptr_t) "b",
					  .len = (u32)AT_FDCWD,
					  .addr2 = (uintptr_t) "x.tfstate" };
	struct uring u;
	int r = uring_open(&u);

	if (r)
		return r == -EPERM || r == -ENOSYS ? 77 : -r;
	if (uring_run(&u, &unlink_it) != -EPERM)
		return 70;
	rename_it.flags = IOSQE_ASYNC;
	if (uring_run(&u, &rename_it) != -EPERM)
		return 71;
	unlink_it.addr = (uintptr_t) "b";
	return uring_run(&u, &unlink_it) ? 72 : 0;
}

static void test_io_uring_is_refused(void **state)
{
	int r;

	(void)state;
	assert_true(needs_hooks());
	assert_int_equal(chdir(top), 0);
	make("x.tfstate", "state");
	make("b", "b");
	r = finish(start(do_uring), BS_SLOT_REFUSED, NULL);
	if (r == 77)
		skip_because("no io_uring here");
	assert_int_equal(r, 0);
	assert_true(is_there("x.tfstate") && !is_there("b"));
	assert_int_equal(seen[0].flags & BS_DELETE_FIXED, BS_DELETE_FIXED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_operation_is_refused),
		TEST(test_each_operation_is_allowed_once),
		TEST(test_what_was_said_of_a_rename_is_for_both_names),
		TEST(test_a_directory_becomes_build_output),
		TEST(test_another_name_is_protected),
		TEST(test_another_name_is_protected_on_layers),
		TEST(test_what_is_gone_is_protected_no_more),
		TEST(test_what_the_session_made_is_in_no_burst),
		TEST(test_hooks_come_and_go),
		TEST(test_threads_at_once),
		TEST(test_io_uring_is_refused),
	};

	return cmocka_run_group_tests(tests, open_policy, close_policy);
}
