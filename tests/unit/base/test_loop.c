#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>

#include "base/loop.h"

struct fixture {
	struct loop *loop;
	struct loop_source *sources[4];
	int fds[4][2];
	char order[32];
	int count;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture) { .loop = loop_new() };
	assert_non_null(fixture.loop);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pipe2(fixture.fds[i], O_CLOEXEC | O_NONBLOCK), 0);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	loop_free(f->loop);
	for (int i = 0; i < 4; i++) {
		close(f->fds[i][0]);
		close(f->fds[i][1]);
	}
	return 0;
}

static void quit(void *data)
{
	struct fixture *f = data;

	loop_quit(f->loop, 7);
}

static void note(struct fixture *f, char c)
{
	f->order[f->count++] = c;
}

static void note_a(void *data)
{
	note(data, 'a');
}

static void note_b(void *data)
{
	note(data, 'b');
}

static void note_c(void *data)
{
	note(data, 'c');
}

static void test_timers_fire_in_order(void **state)
{
	struct fixture *f = *state;
	struct timespec before, after;

	assert_int_equal(loop_add_timer(f->loop, 30000, quit, f, NULL), 0);
	assert_int_equal(loop_add_timer(f->loop, 20000, note_c, f, NULL), 0);
	assert_int_equal(loop_add_timer(f->loop, 0, note_a, f, NULL), 0);
	assert_int_equal(loop_add_timer(f->loop, 10000, note_b, f, NULL), 0);
	clock_gettime(CLOCK_BOOTTIME, &before);
	assert_int_equal(loop_run(f->loop), 7);
	clock_gettime(CLOCK_BOOTTIME, &after);
	assert_string_equal(f->order, "abc");
	assert_true((after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec -
			    before.tv_nsec >=
		    29000000);
}

static void test_removed_timer_does_not_fire(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(loop_add_timer(f->loop, 1000, note_a, f, &f->sources[0]), 0);
	assert_int_equal(loop_add_timer(f->loop, 3000, note_b, f, &f->sources[1]), 0);
	assert_int_equal(loop_add_timer(f->loop, 5000, quit, f, NULL), 0);
	loop_remove(f->sources[0]);
	assert_int_equal(loop_run(f->loop), 7);
	assert_string_equal(f->order, "b");
}

static void remove_first_two(void *data)
{
	struct fixture *f = data;

	note(f, 'r');
	loop_remove(f->sources[0]);
	loop_remove(f->sources[1]);
}

static void test_timer_removes_itself_and_another_that_is_due(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(loop_add_timer(f->loop, 1000, remove_first_two, f, &f->sources[0]), 0);
	assert_int_equal(loop_add_timer(f->loop, 1001, note_a, f, &f->sources[1]), 0);
	assert_int_equal(loop_add_timer(f->loop, 1002, quit, f, NULL), 0);
	usleep(2000);
	assert_int_equal(loop_run(f->loop), 7);
	assert_string_equal(f->order, "r");
}

static void again(void *data)
{
	struct fixture *f = data;

	note(f, '+');
	if (f->count == 5)
		loop_quit(f->loop, 0);
	else
		assert_int_equal(loop_add_timer(f->loop, 0, again, f, NULL), 0);
}

static void test_timer_adds_itself_again(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(loop_add_timer(f->loop, 0, again, f, NULL), 0);
	assert_int_equal(loop_run(f->loop), 0);
	assert_string_equal(f->order, "+++++");
}

static void read_and_count(void *data, uint32_t events)
{
	struct fixture *f = data;
	char c;

	assert_true(events & EPOLLIN);
	assert_int_equal(read(f->fds[0][0], &c, 1), 1);
	note(f, c);
	if (c == 'z')
		loop_quit(f->loop, 3);
}

/* Who has run out of descriptors waits for a timer, and would try again for ever without one. */
static void test_timer_without_descriptors(void **state)
{
	struct fixture *f = *state;
	struct rlimit usual, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
	none = (struct rlimit) { 0, usual.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(loop_add_timer(f->loop, 1000, quit, f, NULL), 0);
	assert_int_equal(loop_run(f->loop), 7);
	assert_int_equal(dup(f->fds[0][0]), -1);
	assert_int_equal(errno, EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
}

static void test_fd(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(loop_add_fd(f->loop, f->fds[0][0], EPOLLIN, read_and_count, f, NULL), 0);
	assert_int_equal(loop_add_fd(f->loop, f->fds[0][0], EPOLLIN, read_and_count, f, NULL),
			 -EEXIST);
	assert_int_equal(loop_add_fd(f->loop, -1, EPOLLIN, read_and_count, f, NULL), -EBADF);
	assert_int_equal(write(f->fds[0][1], "xyz", 3), 3);
	assert_int_equal(loop_run(f->loop), 3);
	assert_string_equal(f->order, "xyz");
}

/* Whichever of the ready fds is told first removes all of them: no other may be told. */
static void remove_all(void *data, uint32_t events _unused_)
{
	struct fixture *f = data;

	note(f, '!');
	for (int i = 0; i < 4; i++)
		loop_remove(f->sources[i]);
}

static void test_removal_of_sources_that_are_ready(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 4; i++) {
		assert_int_equal(
			loop_add_fd(f->loop, f->fds[i][0], EPOLLIN, remove_all, f, &f->sources[i]),
			0);
		assert_int_equal(write(f->fds[i][1], "x", 1), 1);
	}
	assert_int_equal(loop_add_timer(f->loop, 5000, quit, f, NULL), 0);
	assert_int_equal(loop_run(f->loop), 7);
	assert_string_equal(f->order, "!");
}

static void on_writable(void *data, uint32_t events)
{
	struct fixture *f = data;

	assert_true(events & EPOLLOUT);
	note(f, 'w');
	assert_int_equal(loop_mod_fd(f->sources[0], 0), 0);
	assert_int_equal(loop_add_timer(f->loop, 3000, quit, f, NULL), 0);
}

static void test_modified_events(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(loop_add_fd(f->loop, f->fds[0][1], 0, on_writable, f, &f->sources[0]), 0);
	assert_int_equal(loop_mod_fd(f->sources[0], EPOLLOUT), 0);
	assert_int_equal(loop_run(f->loop), 7);
	assert_string_equal(f->order, "w");
}

static void on_signal(void *data, int signo)
{
	struct fixture *f = data;

	note(f, signo == SIGUSR1 ? '1' : signo == SIGUSR2 ? '2' : '?');
	if (signo == SIGUSR2)
		loop_quit(f->loop, 0);
}

static void test_signals(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(loop_add_signal(f->loop, SIGUSR1, on_signal, f), 0);
	assert_int_equal(loop_add_signal(f->loop, SIGUSR2, on_signal, f), 0);
	assert_int_equal(loop_add_signal(f->loop, 0, on_signal, f), -EINVAL);
	assert_int_equal(loop_add_signal(f->loop, 65, on_signal, f), -EINVAL);
	raise(SIGUSR1);
	raise(SIGUSR2);
	assert_int_equal(loop_run(f->loop), 0);
	assert_string_equal(f->order, "12");
}

static void test_quit_before_run_and_run_again(void **state)
{
	struct fixture *f = *state;

	loop_quit(f->loop, -5);
	assert_int_equal(loop_run(f->loop), -5);
	assert_int_equal(loop_add_timer(f->loop, 0, quit, f, NULL), 0);
	assert_int_equal(loop_run(f->loop), 7);
	loop_remove(NULL);
}

int main(void)
{
#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		LOOP_TEST(test_timers_fire_in_order),
		LOOP_TEST(test_removed_timer_does_not_fire),
		LOOP_TEST(test_timer_removes_itself_and_another_that_is_due),
		LOOP_TEST(test_timer_adds_itself_again),
		LOOP_TEST(test_timer_without_descriptors),
		LOOP_TEST(test_fd),
		LOOP_TEST(test_removal_of_sources_that_are_ready),
		LOOP_TEST(test_modified_events),
		LOOP_TEST(test_signals),
		LOOP_TEST(test_quit_before_run_and_run_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
