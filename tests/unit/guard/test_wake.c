/* Who stops with a child is continued; who is frozen is not. */
#include "fixture.h"
#include "fake_kernel.h"
#include "base/proc.h"
#include "guard/hold.h"

#include <sys/wait.h>

#define SLOT   9
#define TICKET 77

static pid_t stopped;

static char state_of(pid_t pid)
{
	struct proc_stat s;

	return proc_read_stat(pid, &s) ? 0 : s.state;
}

static int set_up(void **state)
{
	int status;

	memset(&fake, 0, sizeof(fake));
	if (guard_set_up(state))
		return -1;
	guard.loop = loop_new();
	stopped = fork();
	if (!stopped) {
		raise(SIGSTOP);
		pause();
		_exit(0);
	}
	return waitpid(stopped, &status, WUNTRACED) == stopped && WIFSTOPPED(status) ? 0 : -1;
}

static int tear_down(void **state)
{
	wake_end(&guard);
	kill(stopped, SIGKILL);
	waitpid(stopped, NULL, 0);
	loop_free(guard.loop);
	return guard_tear_down(state);
}

static void wake_it(void)
{
	wake_ancestors(&guard, &(struct exec) { .ancestors = { (u32)stopped } });
}

static void test_one_that_stopped_with_its_child(void **state _unused_)
{
	int status;

	wake_it();
	assert_int_equal(waitpid(stopped, &status, WCONTINUED), stopped);
	assert_true(WIFCONTINUED(status));
}

/* A candidate that the kernel stopped, and whose event has not come yet. */
static void test_one_that_is_frozen(void **state _unused_)
{
	static const enum bs_slot_state frozen[] = { BS_SLOT_ASKED, BS_SLOT_STOPPING,
						     BS_SLOT_STOPPED, BS_SLOT_SEIZED };

	for (size_t i = 0; i < ARRAY_SIZE(frozen); i++) {
		fake.slots[SLOT] = (struct bs_slot) { .word = BS_SLOT_WORD(TICKET, frozen[i]),
						      .tgid = (u32)stopped,
						      .tid = (u32)stopped };
		wake_it();
		assert_int_equal(state_of(stopped), 'T');
	}
}

/* Its slot says what was. */
static void test_one_that_was_frozen(void **state _unused_)
{
	int status;

	fake.slots[SLOT] = (struct bs_slot) { .word = BS_SLOT_WORD(TICKET, BS_SLOT_FREE),
					      .tgid = (u32)stopped };
	wake_it();
	assert_int_equal(waitpid(stopped, &status, WCONTINUED), stopped);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_one_that_stopped_with_its_child),
		CASE(test_one_that_is_frozen),
		CASE(test_one_that_was_frozen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
