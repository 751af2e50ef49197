/* Children that end, and children that are ended. */
#include "fixture.h"

#include <poll.h>

#include "guard/reaper.h"

static int set_up(void **state _unused_)
{
	guard.loop = loop_new();
	return guard.loop ? 0 : -1;
}

static int tear_down(void **state _unused_)
{
	reaper_forget_all();
	loop_free(guard.loop);
	return 0;
}

static pid_t child(int status)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (status < 0)
		pause();
	_exit(status);
}

static void wait_for_end(pid_t pid)
{
	_cleanup_close_ int pidfd = pidfd_open(pid, 0);
	struct pollfd end = { .fd = pidfd, .events = POLLIN };

	assert_int_equal(poll(&end, 1, 20000), 1);
}

static void quit(void *data)
{
	loop_quit(data, 0);
}

static void run_loop(uint64_t usec)
{
	assert_int_equal(loop_add_timer(guard.loop, usec, quit, guard.loop, NULL), 0);
	assert_int_equal(loop_run(guard.loop), 0);
}

static void test_status_of_one_that_ended(void **state _unused_)
{
	pid_t pid = child(3);

	wait_for_end(pid);
	assert_int_equal(reaper_end(guard.loop, pid), 3 << 8);
	assert_int_equal(reaper_count(), 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
}

/* It is not waited for, and collected when it is gone. */
static void test_one_that_runs(void **state _unused_)
{
	pid_t pid = child(-1);

	assert_int_equal(reaper_end(guard.loop, pid), SIGKILL);
	assert_int_equal(reaper_count(), 1);
	wait_for_end(pid);
	assert_int_equal(reaper_count(), 1);
	for (int i = 0; i < 1000 && reaper_count(); i++)
		run_loop(1000);
	assert_int_equal(reaper_count(), 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
}

/* Where nobody listens to its end it is found when the next one is ended. */
static void test_collected_later(void **state _unused_)
{
	pid_t first = child(-1), second = child(0);

	reaper_end(guard.loop, first);
	wait_for_end(first);
	wait_for_end(second);
	assert_int_equal(reaper_end(guard.loop, second), 0);
	assert_int_equal(reaper_count(), 0);
	assert_int_equal(waitpid(first, NULL, WNOHANG), -1);
}

int main(void)
{
#define REAPER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		REAPER_TEST(test_status_of_one_that_ended),
		REAPER_TEST(test_one_that_runs),
		REAPER_TEST(test_collected_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
