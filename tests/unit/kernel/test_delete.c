/* Deletions: which are seen, which are candidates, and when many are one burst. */
#include "deletions.h"

#include <bpf/bpf.h>

/* ---- events */

static int do_all_of_nothing(void)
{
	int fd = open("d/a", O_RDWR), e;

	e = result(ftruncate(fd, 1000)) ?: result(fallocate(fd, 0, 0, 2000));
	e = e ?: result(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8000, 100));
	close(fd);
	return e ?: open_with("d/fresh", O_WRONLY | O_CREAT | O_TRUNC)
		?: result(rename("d/same", "d/same2")) ?: result(link("d/a", "d/second"));
}

static void expect_event(const struct op *o)
{
	const char *path = is_trace() && o->trace_path ? o->trace_path : o->path;
	u32 op = is_trace() && o->trace_op ? o->trace_op : o->op;
	char full[256];

	if (!seen_count)
		fail_msg("%s: no event", o->name);
	snprintf(full, sizeof(full), "%s/%s", top, path);
	if (seen[0].op != op || strcmp(seen[0].path, full))
		fail_msg("%s: op %u, path %s", o->name, seen[0].op, seen[0].path);
	assert_int_equal(seen[0].flags, is_trace() ? BS_DELETE_DONE : 0);
	assert_int_equal(seen[0].slot, BS_NO_SLOT);
}

static void test_each_operation_is_an_event(void **state)
{
	(void)state;
	open_kernel();
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		make_tree("a");
		seen_count = 0;
		assert_int_equal(finish(start(ops[i].fn), BS_SLOT_REFUSED, NULL), 0);
		expect_event(&ops[i]);
		assert_int_equal(seen_count, 1 + (ops[i].op == BS_DELETE_EXCHANGE && !is_trace()));
	}
}

static void test_nothing_is_lost(void **state)
{
	(void)state;
	open_kernel();
	make_tree("a");
	assert_int_equal(finish(start(do_all_of_nothing), BS_SLOT_REFUSED, NULL), 0);
	if (is_trace())
		assert_true(seen_count <= 1); /* a rename to itself cannot be told */
	else
		assert_int_equal(seen_count, 0);
}

static int make_and_unlink(char *template)
{
	_cleanup_close_ int fd = mkstemp(template);

	return fd < 0 ? errno : result(unlink(template));
}

static int do_uncounted(void)
{
	char tmp[] = "/tmp/backstop-delete-XXXXXX", shm[] = "/dev/shm/backstop-delete-XXXXXX";

	mkdir("node_modules", 0700);
	open_with("node_modules/x", O_WRONLY | O_CREAT);
	return result(unlink("node_modules/x")) ?: make_and_unlink(tmp) ?: make_and_unlink(shm);
}

static void test_scratch_is_counted_alone(void **state)
{
	u64 before;

	(void)state;
	open_kernel();
	before = kernel_counters(kernel)->uncounted;
	assert_int_equal(finish(start(do_uncounted), BS_SLOT_REFUSED, NULL), 0);
	assert_int_equal(seen_count, 0);
	assert_int_equal(kernel_counters(kernel)->uncounted - before, 3);
}

static int do_deep(void)
{
	char name[32];

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "deep%d", i);
		if (mkdir(name, 0700) || chdir(name))
			return errno;
	}
	open_with("leaf", O_WRONLY | O_CREAT);
	return result(unlink("leaf"));
}

static void test_a_deep_path_is_whole(void **state)
{
	(void)state;
	open_kernel();
	assert_int_equal(finish(start(do_deep), BS_SLOT_REFUSED, NULL), 0);
	assert_int_equal(seen_count, 1);
	assert_non_null(strstr(seen[0].path, "/deep0/deep1/deep2/"));
	assert_memory_equal(seen[0].path, top, strlen(top));
}

/* ---- what is protected */

static int do_protected(void)
{
	return result(unlink("x.tfstate"));
}

/* Until the child is stopped. */
static void wait_for_stop(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	consume();
}

static void expect_frozen(const char *path, enum bs_slot_kind kind)
{
	const struct bs_slot *s;
	char full[256];

	assert_int_equal(seen_count, 1);
	snprintf(full, sizeof(full), "%s/%s", top, path);
	assert_string_equal(seen[0].path, full);
	assert_int_equal(seen[0].flags & ~BS_DELETE_DONE, BS_DELETE_CANDIDATE);
	assert_in_range(seen[0].slot, 0, BS_SLOTS - 1);
	s = &kernel_slots(kernel)[seen[0].slot];
	assert_int_equal(s->word, BS_SLOT_WORD(seen[0].ticket, BS_SLOT_STOPPED));
	assert_int_equal(s->kind, kind);
}

static void test_a_candidate_is_frozen(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	open_kernel();
	make("x.tfstate", "state");
	pid = start(do_protected);
	wait_for_stop(pid);
	expect_frozen("x.tfstate", is_trace() ? BS_SLOT_DELETED : BS_SLOT_DELETE);
	assert_int_equal(is_there("x.tfstate"), !is_trace());
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(is_there("x.tfstate"), !is_trace());
}

static void test_a_candidate_is_answered(void **state)
{
	int answers;

	(void)state;
	open_kernel();
	make("x.tfstate", "state");
	if (!is_trace()) {
		assert_int_equal(finish(start(do_protected), BS_SLOT_REFUSED, &answers), EPERM);
		assert_int_equal(answers, 1);
		assert_true(is_there("x.tfstate"));
	}
	seen_count = 0;
	assert_int_equal(finish(start(do_protected), BS_SLOT_ALLOWED, NULL), 0);
	assert_int_equal(seen_count, 1);
	assert_false(is_there("x.tfstate"));
}

/* ---- directories that were asked about */

static int do_states(void)
{
	int e = result(unlink("d/a.tfstate")) ?: result(unlink("d/b.tfstate"));

	e = e ?: result(chdir("d")) ?: result(unlink("c.tfstate"));
	return e ?: result(unlink("../e/d.tfstate"));
}

static int count_asked(void)
{
	int n = 0;

	for (int i = 0; i < seen_count; i++)
		n += seen[i].slot != BS_NO_SLOT;
	return n;
}

static void make_states(void)
{
	mkdir("d", 0700);
	mkdir("e", 0700);
	make("d/a.tfstate", "x");
	make("d/b.tfstate", "x");
	make("d/c.tfstate", "x");
	make("e/d.tfstate", "x");
	seen_count = 0;
}

/* As the guard would, of the first place. */
static int finish_sparing(pid_t pid)
{
	while (!seen_count)
		consume();
	assert_true(seen[0].place);
	assert_int_equal(kernel_spare(kernel, seen[0].place), 0);
	return finish(pid, BS_SLOT_ALLOWED, NULL);
}

/* Where its path is told as it was written, the same directory by another way is another place. */
static void test_a_directory_is_asked_about_once(void **state)
{
	(void)state;
	open_kernel();
	make_states();
	assert_int_equal(finish_sparing(start(do_states)), 0);
	assert_int_equal(seen_count, 4);
	assert_int_equal(count_asked(), is_trace() ? 3 : 2);
	make_states(); /* another process has its own places */
	assert_int_equal(finish(start(do_states), BS_SLOT_ALLOWED, NULL), 0);
	assert_int_equal(count_asked(), 4);
	assert_true(seen[0].place == seen[1].place);
	assert_true(seen[0].place != seen[3].place);
	if (!is_trace())
		assert_true(seen[0].place == seen[2].place);
}

/* Two programs of one process, one behind the other: this one, see main(). */
static int do_execs(void)
{
	execl("/proc/self/exe", "test", "first", NULL);
	return errno;
}

static void test_an_exec_is_asked_about_anew(void **state)
{
	(void)state;
	open_kernel();
	make_states();
	assert_int_equal(finish_sparing(start(do_execs)), 0);
	assert_int_equal(count_asked(), 2);
	assert_true(seen[0].place != seen[1].place);
}

#define LONG_STEPS 600

static int do_long(void)
{
	char path[2 * LONG_STEPS + 16] = "";

	for (int i = 0; i < LONG_STEPS; i++)
		strcat(path, "./");
	return result(unlink(strcat(path, "a")));
}

/* After it has happened, what was written is all there is. */
static void test_a_path_that_is_too_long(void **state)
{
	(void)state;
	open_kernel();
	make("a", "x");
	assert_int_equal(finish(start(do_long), BS_SLOT_ALLOWED, NULL), 0);
	assert_int_equal(seen_count, 1);
	assert_int_equal(count_asked(), is_trace());
	if (is_trace())
		assert_string_equal(seen[0].path, "");
}

/* ---- no memory to say what it is */

static int own_map(const char *name)
{
	for (int fd = 0; fd < 1024; fd++) {
		struct bpf_map_info info = { 0 };
		u32 len = sizeof(info);
		char path[32], what[32] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, what, sizeof(what) - 1) > 0 && strstr(what, "bpf-map") &&
		    !bpf_obj_get_info_by_fd(fd, &info, &len) && !strcmp(info.name, name))
			return fd;
	}
	return -1;
}

/* `busy` is the first of each. */
static void take_works(u32 busy)
{
	struct bpf_map_info info = { 0 };
	u32 len = sizeof(info), *work;
	int fd = own_map("delete_works");

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	work = calloc(1, info.value_size);
	work[0] = busy;
	for (u32 i = 0; i < info.max_entries; i++)
		assert_int_equal(bpf_map_update_elem(fd, &i, work, 0), 0);
	free(work);
}

static int do_one(void)
{
	return result(unlink("a"));
}

static void expect_unknown(pid_t pid)
{
	const struct bs_slot *s;

	wait_for_stop(pid);
	take_works(0);
	assert_int_equal(seen_count, 1);
	assert_string_equal(seen[0].path, "");
	assert_int_equal(seen[0].flags, BS_DELETE_CANDIDATE | BS_DELETE_DONE);
	s = &kernel_slots(kernel)[seen[0].slot];
	assert_int_equal(s->word, BS_SLOT_WORD(seen[0].ticket, BS_SLOT_STOPPED));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Before it has happened it comes again and again; after, it is stopped as one that is not known.
 */
static void test_no_memory(void **state)
{
	u64 before;
	pid_t pid;

	(void)state;
	open_kernel();
	before = kernel_counters(kernel)->unscanned;
	make("a", "x");
	take_works(1);
	pid = start(do_one);
	if (is_trace()) {
		expect_unknown(pid);
	} else {
		usleep(100 * 1000);
		assert_true(is_there("a"));
		take_works(0);
		assert_int_equal(finish(pid, BS_SLOT_ALLOWED, NULL), 0);
	}
	assert_false(is_there("a"));
	assert_true(kernel_counters(kernel)->unscanned > before);
}

/* ---- bursts */

static int do_burst(void)
{
	char name[32];
	int i, e = 0;

	for (i = 0; i < 2 * BURST && !e; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		e = result(unlink(name));
	}
	return e ? i - 1 : i;
}

static void make_burst(void)
{
	char name[32];

	for (int i = 0; i < 2 * BURST; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		make(name, "x");
	}
}

static void test_a_burst_is_frozen_at_its_limit(void **state)
{
	pid_t pid;

	(void)state;
	open_kernel();
	make_burst();
	pid = start(do_burst);
	wait_for_stop(pid);
	assert_int_equal(seen_count, BURST);
	for (int i = 0; i < BURST; i++) {
		u32 last = seen[i].burst == BURST ? BS_DELETE_CANDIDATE | BS_DELETE_BURST : 0;

		assert_int_equal(seen[i].flags & ~BS_DELETE_DONE, last);
	}
	assert_int_equal(is_there("file19"), !is_trace());
	assert_true(is_there("file20"));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_a_burst_is_refused(void **state)
{
	(void)state;
	open_kernel();
	if (is_trace())
		skip_because("no security hooks here: nothing can be refused");
	make_burst();
	assert_int_equal(finish(start(do_burst), BS_SLOT_REFUSED, NULL), BURST - 1);
	assert_true(is_there("file19"));
}

static int do_burst_of_a_child(void)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(do_burst());
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static int do_one_then_burst(void)
{
	unlink("first");
	while (!is_there("go"))
		usleep(1000);
	return do_burst_of_a_child();
}

static void test_what_was_said_of_a_burst(void **state)
{
	static const struct {
		enum bs_burst what;
		int gone;
	} all[] = { { BS_BURST_ALLOWED, 2 * BURST }, { BS_BURST_DENIED, 0 } };

	(void)state;
	open_kernel();
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		pid_t pid;

		if (is_trace() && all[i].what == BS_BURST_DENIED)
			break; /* it is killed after the first */
		make_burst();
		make("first", "x");
		unlink("go");
		seen_count = 0;
		pid = start(do_one_then_burst);
		while (!seen_count)
			consume();
		assert_int_equal(kernel_burst(kernel, pid, seen[0].start, all[i].what), 0);
		make("go", "");
		assert_int_equal(finish(pid, BS_SLOT_REFUSED, NULL), all[i].gone);
	}
}

static int be_program(const char *which)
{
	bool first = !strcmp(which, "first");
	int e = result(unlink(first ? "d/a.tfstate" : "d/b.tfstate"));

	if (!e && first)
		execl("/proc/self/exe", "test", "second", NULL);
	return e;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_operation_is_an_event),	    TEST(test_nothing_is_lost),
		TEST(test_scratch_is_counted_alone),	    TEST(test_a_deep_path_is_whole),
		TEST(test_a_candidate_is_frozen),	    TEST(test_a_candidate_is_answered),
		TEST(test_a_directory_is_asked_about_once), TEST(test_an_exec_is_asked_about_anew),
		TEST(test_a_path_that_is_too_long),	    TEST(test_no_memory),
		TEST(test_a_burst_is_frozen_at_its_limit),  TEST(test_a_burst_is_refused),
		TEST(test_what_was_said_of_a_burst),
	};

	if (argc > 1)
		return be_program(argv[1]);
	return cmocka_run_group_tests(tests, open_policy, close_policy);
}
