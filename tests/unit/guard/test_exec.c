/* Events as the kernel would send them, built by hand. */
#include "fixture.h"
#include "fake_kernel.h"

static union {
	struct bs_exec_event e;
	char bytes[sizeof(struct bs_exec_event) + BS_EVENT_DATA_MAX];
} event;

static union {
	struct bs_args_event e;
	char bytes[sizeof(struct bs_args_event) + BS_CHUNK];
} more;

static u16 put(const char *bytes, size_t len)
{
	size_t at = event.e.name_len + event.e.file_len + event.e.args_len + event.e.cwd_len;

	memcpy(event.e.data + at, bytes, len);
	return len;
}

static void build(u32 tgid, const char *args, size_t args_len, const char *cwd, size_t cwd_len)
{
	memset(&event, 0, sizeof(event));
	event.e.head = (struct bs_event) { .type = BS_EVENT_EXEC, .tgid = tgid, .session = 7 };
	event.e.slot = BS_NO_SLOT;
	event.e.name_len = put("./zap", 6);
	event.e.file_len = put("zap-1.2", 8);
	event.e.args_len = put(args, args_len);
	event.e.cwd_len = put(cwd, cwd_len);
	event.e.args_total = args_len;
}

#define BUILD(tgid, args, cwd) build(tgid, args, sizeof(args) - 1, cwd, sizeof(cwd) - 1)

static void send_more(u32 tgid, u32 part, char byte, u32 len)
{
	memset(&more, 0, sizeof(more));
	more.e.head = (struct bs_event) { .type = BS_EVENT_ARGS, .tgid = tgid };
	more.e.part = part;
	more.e.len = len;
	memset(more.e.data, byte, len);
	exec_keep_args(&guard, &more.e);
}

static struct exec *decode(void)
{
	struct exec *x = exec_decode(&guard, &event.e);

	assert_non_null(x);
	return x;
}

static void test_fresh(void **state _unused_)
{
	struct session *s = new_session(7);

	s->started_ms = 1790000000700;
	for (u32 changed = 1789999999; changed <= 1790000001; changed++) {
		_cleanup_(exec_free_ptr) struct exec *x = NULL;

		BUILD(getpid(), "zap\0", "app\0");
		event.e.changed = changed;
		x = decode();
		assert_int_equal(x->fresh, changed >= 1790000000);
	}
}

/* Of processes whose own event never comes. */
static void test_kept_args_have_a_limit(void **state _unused_)
{
	size_t most = 0;

	for (u32 tgid = 1; tgid < 10000; tgid++) {
		send_more(tgid, 0, 'x', BS_CHUNK);
		most = MAX(most, guard.args.count);
	}
	assert_in_range(most, 1000, (17 << 20) / BS_CHUNK);
	exec_drop_args(&guard);
}

static void test_event_is_taken_apart(void **state _unused_)
{
	struct session *s = new_session(7);
	_cleanup_(exec_free_ptr) struct exec *x = NULL;

	BUILD(getpid(), "zap\0a b\0\0c\0", "app\0srv\0");
	event.e.head.time = 5;
	event.e.start = 6;
	event.e.inode = 8;
	event.e.dev = 9;
	event.e.uid = 10;
	event.e.euid = 12;
	event.e.tty = 13;
	event.e.cgroup = 14;
	event.e.approval = 15;
	event.e.slot = 16;
	event.e.ticket = 17;
	event.e.ancestors[0] = 18;
	event.e.flags = BS_EXEC_SETID;
	x = decode();
	assert_ptr_equal(x->session, s);
	assert_true(x->time == 5 && x->start == 6 && x->session_id == 7 && x->inode == 8);
	assert_true(x->dev == 9 && x->uid == 10 && x->euid == 12 && x->tty == 13);
	assert_true(x->cgroup == 14 && x->approval == 15 && x->slot == 16 && x->ticket == 17);
	assert_true(x->ancestors[0] == 18 && !x->ancestors[1] && x->flags == BS_EXEC_SETID);
	assert_string_equal(x->name, "./zap");
	assert_string_equal(x->file, "zap-1.2");
	assert_int_equal(x->argc, 4);
	assert_string_equal(x->argv[0], "zap");
	assert_string_equal(x->argv[1], "a b");
	assert_string_equal(x->argv[2], "");
	assert_string_equal(x->argv[3], "c");
	assert_null(x->argv[4]);
	assert_false(x->truncated);
}

static void test_session_that_is_gone(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NULL;

	BUILD(getpid(), "zap\0", "");
	x = decode();
	assert_null(x->session);
	assert_int_equal(x->session_id, 7);
}

static void assert_cwd(const char *want)
{
	_cleanup_(exec_free_ptr) struct exec *x = decode();

	assert_string_equal(x->cwd, want);
}

static void test_cwd(void **state _unused_)
{
	u32 gone = gone_child();

	BUILD(gone, "zap\0", "");
	assert_cwd("/");
	BUILD(gone, "zap\0", "srv\0");
	assert_cwd("/srv");
	BUILD(gone, "zap\0", "my app\0dev\0home\0");
	assert_cwd("/home/dev/my app");
	BUILD(gone, "zap\0", "b\0a\0");
	event.e.cwd_deep = 1;
	assert_cwd("/…/a/b");
}

static void test_deep_cwd_of_a_living_process(void **state _unused_)
{
	_cleanup_free_ char *own = proc_readlink(getpid(), "cwd");

	BUILD(getpid(), "zap\0", "b\0a\0");
	event.e.cwd_deep = 1;
	assert_cwd(own);
}

/* The file's path: of the process, else what its kin was seen to run, else the name. */
static void test_path(void **state _unused_)
{
	_cleanup_free_ char *own = proc_readlink(getpid(), "exe");
	struct exec *x;
	u32 gone = gone_child();

	BUILD(gone, "zap\0", "");
	x = decode();
	assert_null(x->path);
	exec_free(x);
	BUILD(gone, "zap\0", "");
	event.e.data[0] = '/';
	x = decode();
	assert_string_equal(x->path, "//zap");
	exec_free(x);
	BUILD(getpid(), "zap\0", "");
	x = decode();
	assert_string_equal(x->path, own);
	exec_free(x);
	BUILD(gone, "zap\0", ""); /* the inode's number is another file's by now */
	x = decode();
	assert_null(x->path);
	exec_free(x);
	paths_learn(guard.paths, 0, 0, "/opt/zap-1.2");
	BUILD(gone, "zap\0", "");
	x = decode();
	assert_string_equal(x->path, "/opt/zap-1.2");
	exec_free(x);
}

#define FIRST_ARGS (BS_CHUNK - 14)

/* An exec whose argv is one word, 'a's as far as the first event shows it. */
static void build_long(u32 tgid)
{
	static char word[FIRST_ARGS];

	memset(word, 'a', sizeof(word));
	build(tgid, word, sizeof(word), "srv", 4);
	event.e.args_total = sizeof(word) + BS_CHUNK + 100;
}

static void assert_one_word(const struct exec *x, size_t a, size_t b, size_t c)
{
	assert_int_equal(x->argc, 1);
	assert_int_equal(strlen(x->argv[0]), a + b + c);
	assert_int_equal(strspn(x->argv[0], "a"), a);
	assert_int_equal(strspn(x->argv[0] + a, "b"), b);
	assert_int_equal(strspn(x->argv[0] + a + b, "c"), c);
}

static void test_long_argv(void **state _unused_)
{
	u32 gone = gone_child();
	struct exec *x;

	send_more(gone, 0, 'b', BS_CHUNK);
	send_more(gone + 1, 0, 'x', BS_CHUNK);
	send_more(gone, 1, 'c', 100);
	build_long(gone);
	x = decode();
	assert_one_word(x, FIRST_ARGS, BS_CHUNK, 100);
	assert_false(x->truncated);
	assert_string_equal(x->cwd, "/srv");
	exec_free(x);
	exec_forget_args(&guard, gone + 1);
	assert_int_equal(guard.args.count, 0);
}

static void test_parts_of_argv_that_were_lost(void **state _unused_)
{
	u32 gone = gone_child();
	struct exec *x;

	send_more(gone, 1, 'c', 100); /* part 0 was lost */
	build_long(gone);
	x = decode();
	assert_one_word(x, FIRST_ARGS, 0, 0);
	assert_true(x->truncated);
	exec_free(x);
	send_more(gone, 0, 'b', BS_CHUNK); /* part 1 was lost */
	send_more(gone, 2, 'x', 100);
	build_long(gone);
	x = decode();
	assert_one_word(x, FIRST_ARGS, BS_CHUNK, 0);
	assert_true(x->truncated);
	exec_free(x);
}

/* Of an exec whose own event was lost: the next exec of the process starts anew. */
static void test_parts_of_another_exec(void **state _unused_)
{
	u32 gone = gone_child();
	struct exec *x;

	send_more(gone, 0, 'x', BS_CHUNK);
	send_more(gone, 0, 'b', BS_CHUNK);
	send_more(gone, 1, 'c', 100);
	build_long(gone);
	x = decode();
	assert_one_word(x, FIRST_ARGS, BS_CHUNK, 100);
	exec_free(x);
	send_more(gone, 0, 'x', BS_CHUNK);
	BUILD(gone, "zap\0plan\0", "");
	x = decode();
	assert_int_equal(x->argc, 2);
	assert_string_equal(x->argv[1], "plan");
	assert_int_equal(guard.args.count, 0);
	exec_free(x);
}

static void test_parts_of_a_process_that_ended(void **state _unused_)
{
	send_more(77, 0, 'x', BS_CHUNK);
	assert_int_equal(guard.args.count, 1);
	exec_forget_args(&guard, 77);
	exec_forget_args(&guard, 78);
	assert_int_equal(guard.args.count, 0);
}

static void test_empty_argv(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NULL;

	BUILD(gone_child(), "", "srv\0");
	x = decode();
	assert_int_equal(x->argc, 1);
	assert_string_equal(x->argv[0], "");
	assert_null(x->argv[1]);
	assert_false(x->truncated);
	assert_string_equal(x->cwd, "/srv");
}

/* ---- of real processes */

static pid_t run(const char *const argv[])
{
	int ends[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execv("/bin/sleep", (char *const *)argv);
		_exit(1);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &c, 1), 0); /* it has exec'ed */
	close(ends[0]);
	return pid;
}

/* The guard reads a frozen task's argv where the events do not show all of it: parts that came
 * late may be another exec's. */
static void test_frozen_task_shows_its_own_argv(void **state _unused_)
{
	const char *const argv[] = { "sleep", "100", "0.0", NULL };
	pid_t pid = run(argv);
	_cleanup_(exec_free_ptr) struct exec *x = NULL;

	send_more(pid, 0, 'x', BS_CHUNK);
	BUILD(pid, "sleep\0", "");
	event.e.args_total = sizeof("sleep 100 0.0");
	event.e.flags = BS_EXEC_CANDIDATE;
	x = decode();
	end_child(pid);
	assert_int_equal(x->argc, 3);
	assert_string_equal(x->argv[2], "0.0");
	assert_false(x->truncated);
}

static void test_frozen_task_whose_argv_could_not_be_read(void **state _unused_)
{
	const char *const argv[] = { "sleep", "100", NULL };
	pid_t pid = run(argv);
	_cleanup_(exec_free_ptr) struct exec *x = NULL;

	BUILD(pid, "", "");
	event.e.args_total = sizeof("sleep 100");
	event.e.flags = BS_EXEC_CANDIDATE | BS_EXEC_UNREADABLE;
	x = decode();
	end_child(pid);
	assert_int_equal(x->argc, 2);
	assert_string_equal(x->argv[1], "100");
}

static void test_frozen_task_found_by_its_slot(void **state _unused_)
{
	const char *const argv[] = { "sleep", "100", NULL };
	pid_t pid = run(argv);
	_cleanup_free_ char *cwd = proc_readlink(pid, "cwd"), *exe = proc_readlink(pid, "exe");
	_cleanup_(exec_free_ptr) struct exec *x = NULL;

	fake.slots[3] = (struct bs_slot) { .tgid = pid, .start = 5, .session = 7 };
	x = exec_from_slot(&guard, 3, 9);
	end_child(pid);
	assert_non_null(x);
	assert_true(x->slot == 3 && x->ticket == 9 && x->start == 5 && x->session_id == 7);
	assert_true(x->flags & BS_EXEC_CANDIDATE);
	assert_string_equal(x->argv[1], "100");
	assert_string_equal(x->name, "sleep");
	assert_string_equal(x->path, exe);
	assert_string_equal(x->file, strrchr(exe, '/') + 1);
	assert_string_equal(x->cwd, cwd);
	assert_null(exec_from_slot(&guard, 3, 9)); /* it is gone now */
}

/* Where argv begins in the memory of a process: field 48 of its stat. */
static off_t args_of(pid_t pid)
{
	_cleanup_free_ char *line = NULL;
	unsigned long start = 0;
	size_t size = 0;
	char path[32];
	FILE *f;
	char *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	assert_true(getline(&line, &size, f) > 0);
	fclose(f);
	p = strrchr(line, ')');
	for (int field = 2; field < 48; field++)
		p = strchr(p + 1, ' ');
	assert_int_equal(sscanf(p, " %lu", &start), 1);
	return start;
}

static void write_memory(pid_t pid, off_t at, const char *bytes, size_t len)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, at), len);
	close(fd);
}

static void test_args_unchanged(void **state _unused_)
{
	const char *const argv[] = { "sleep", "100", NULL };
	pid_t pid = run(argv);
	_cleanup_(exec_free_ptr) struct exec *x = NEW_EXEC("sleep\000100");
	_cleanup_(exec_free_ptr) struct exec *fewer = NEW_EXEC("sleep");
	_cleanup_(exec_free_ptr) struct exec *more_words = NEW_EXEC("sleep\000100\0");

	x->tgid = fewer->tgid = more_words->tgid = pid;
	assert_true(exec_args_unchanged(x));
	assert_false(exec_args_unchanged(fewer));
	assert_false(exec_args_unchanged(more_words));
	x->truncated = true;
	assert_false(exec_args_unchanged(x));
	x->truncated = false;
	write_memory(pid, args_of(pid) + 6, "2", 1);
	assert_false(exec_args_unchanged(x));
	write_memory(pid, args_of(pid) + 6, "1", 1);
	assert_true(exec_args_unchanged(x));
	end_child(pid);
	assert_false(exec_args_unchanged(x));
}

/* ---- the same action? */

static void test_same(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *a = NEW_EXEC("zap\0held"), *b = NEW_EXEC("zap\0held");
	_cleanup_(exec_free_ptr) struct exec *word = NEW_EXEC("zap\0Held");
	_cleanup_(exec_free_ptr) struct exec *longer = NEW_EXEC("zap\0held\0");

	b->tgid = 1;
	b->time = 1;
	b->uid = 1;
	assert_true(exec_same(a, b));
	assert_false(exec_same(a, word));
	assert_false(exec_same(a, longer));
	assert_false(exec_same(longer, a));
	b->session_id++;
	assert_false(exec_same(a, b));
	b->session_id--;
	b->inode++;
	assert_false(exec_same(a, b));
	b->inode--;
	b->dev++;
	assert_false(exec_same(a, b));
	b->dev--;
	b->path[0] = '.';
	assert_false(exec_same(a, b));
	b->path[0] = '/';
	b->cwd[1]++;
	assert_false(exec_same(a, b));
	b->cwd[1]--;
	assert_true(exec_same(a, b));
}

/* What is not known is never the same. */
static void test_unknown_is_not_the_same(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *a = NEW_EXEC("zap\0held"), *b = NEW_EXEC("zap\0held");

	free(TAKE_PTR(a->cwd));
	assert_false(exec_same(a, b));
	free(TAKE_PTR(b->cwd));
	assert_false(exec_same(a, b));
	exec_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GUARD_TEST(test_fresh),
		GUARD_TEST(test_kept_args_have_a_limit),
		GUARD_TEST(test_event_is_taken_apart),
		GUARD_TEST(test_session_that_is_gone),
		GUARD_TEST(test_cwd),
		GUARD_TEST(test_deep_cwd_of_a_living_process),
		GUARD_TEST(test_path),
		GUARD_TEST(test_long_argv),
		GUARD_TEST(test_parts_of_argv_that_were_lost),
		GUARD_TEST(test_parts_of_another_exec),
		GUARD_TEST(test_parts_of_a_process_that_ended),
		GUARD_TEST(test_empty_argv),
		GUARD_TEST(test_frozen_task_shows_its_own_argv),
		GUARD_TEST(test_frozen_task_whose_argv_could_not_be_read),
		GUARD_TEST(test_frozen_task_found_by_its_slot),
		GUARD_TEST(test_args_unchanged),
		GUARD_TEST(test_same),
		GUARD_TEST(test_unknown_is_not_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
