/* Files are brought to the disk in a thread, in order, and failures are told once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "journal/syncer.h"

static struct syncer *syncer;

static int set_up(void **state)
{
	(void)state;
	return syncer_new(&syncer);
}

static int tear_down(void **state)
{
	(void)state;
	syncer_free(syncer);
	return 0;
}

static bool is_done_within(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return fd < 0 || poll(&p, 1, ms) == 1;
}

static void wait_for_all(void)
{
	assert_true(is_done_within(syncer_wait_fd(syncer), 10000));
	assert_int_equal(syncer_wait_fd(syncer), -1);
}

static void test_many(void **state)
{
	char path[] = "/tmp/backstop-syncer-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(write(fd, "x", 1), 1);
		while (syncer_add(syncer, fd) == -EBUSY)
			wait_for_all();
	}
	close(fd); /* what was asked goes on */
	wait_for_all();
	assert_int_equal(syncer_error(syncer), 0);
	unlink(path);
}

static void test_failure_is_told_once(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(syncer_add(syncer, ends[1]), 0); /* a pipe has no disk */
	wait_for_all();
	assert_int_equal(syncer_error(syncer), -EINVAL);
	assert_int_equal(syncer_error(syncer), 0);
	assert_int_equal(syncer_add(syncer, -1), -EBADF);
	close(ends[0]);
	close(ends[1]);
}

static void ask_for_another_file(void)
{
	int fd = memfd_create("another", MFD_CLOEXEC);

	assert_true(fd >= 0);
	while (syncer_add(syncer, fd) == -EBUSY)
		sched_yield();
	close(fd);
}

/* Who waits is told of what had been asked then, however much is asked meanwhile. */
static void test_others_ask_meanwhile(void **state)
{
	int waiting = -1;

	(void)state;
	for (int i = 0; i < 1000 && waiting < 0; i++) {
		ask_for_another_file();
		waiting = syncer_wait_fd(syncer);
	}
	assert_true(waiting >= 0);
	for (int i = 0; i < 100000 && !is_done_within(waiting, 0); i++)
		ask_for_another_file();
	assert_true(is_done_within(waiting, 0));
	wait_for_all();
	assert_int_equal(syncer_error(syncer), 0);
}

static void test_idle_again_and_again(void **state)
{
	char path[] = "/tmp/backstop-syncer-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(syncer_add(syncer, fd), 0);
		wait_for_all();
	}
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failure_is_told_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_others_ask_meanwhile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_idle_again_and_again, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
