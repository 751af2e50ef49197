/* Files are brought to the disk in a thread, in order, and failures are told once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
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

static void wait_until_idle(void)
{
	struct pollfd p = { .fd = syncer_fd(syncer), .events = POLLIN };

	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(syncer_idle(syncer));
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
			wait_until_idle();
	}
	close(fd); /* what was asked goes on */
	wait_until_idle();
	assert_int_equal(syncer_error(syncer), 0);
	unlink(path);
}

static void test_failure_is_told_once(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(syncer_add(syncer, ends[1]), 0); /* a pipe has no disk */
	wait_until_idle();
	assert_int_equal(syncer_error(syncer), -EINVAL);
	assert_int_equal(syncer_error(syncer), 0);
	assert_int_equal(syncer_add(syncer, -1), -EBADF);
	close(ends[0]);
	close(ends[1]);
}

static void test_idle_again_and_again(void **state)
{
	char path[] = "/tmp/backstop-syncer-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(syncer_add(syncer, fd), 0);
		wait_until_idle();
	}
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failure_is_told_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_idle_again_and_again, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
