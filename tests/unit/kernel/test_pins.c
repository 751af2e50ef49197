/* What is pinned: the next guard's start, its failure, a reload, and the end of it all. */
#include "session.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <sys/resource.h>

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

/* ---- other programs */

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
	kernel_unpin(kernel);
	kernel_close(kernel);
	kernel = NULL;
	for (size_t i = 0; i < n; i++)
		assert_false(is_loaded(ids[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_pins_are_adopted, tear_down),
		cmocka_unit_test_teardown(test_failed_adoption, tear_down),
		cmocka_unit_test_teardown(test_reload, tear_down),
		cmocka_unit_test_teardown(test_tripwire_is_reloaded, tear_down),
		cmocka_unit_test_teardown(test_everything_is_detached, tear_down),
	};

	return cmocka_run_group_tests(tests, open_policy, free_policy);
}
