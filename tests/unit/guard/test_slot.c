/* The hand-shake over a slot, with the kernel's side played by the test. */
#include "fixture.h"
#include "guard/slot.h"

#define TICKET 77

static struct bs_slot slot;

static int set_up(void **state _unused_)
{
	slot = (struct bs_slot) { 0 };
	return 0;
}

static void set_word(u32 ticket, enum bs_slot_state state)
{
	slot.word = BS_SLOT_WORD(ticket, state);
}

static void assert_word(u32 ticket, enum bs_slot_state state)
{
	assert_int_equal(slot.word >> 3, ticket);
	assert_int_equal(BS_SLOT_STATE(slot.word), state);
}

static void test_state(void **state _unused_)
{
	set_word(TICKET, BS_SLOT_STOPPED);
	assert_int_equal(slot_state(&slot, TICKET), BS_SLOT_STOPPED);
	assert_int_equal(slot_state(&slot, TICKET + 1), BS_SLOT_FREE);
}

static void test_take(void **state _unused_)
{
	set_word(TICKET, BS_SLOT_ASKED);
	assert_false(slot_take(&slot, TICKET + 1, BS_SLOT_ALLOWED));
	assert_word(TICKET, BS_SLOT_ASKED);
	assert_true(slot_take(&slot, TICKET, BS_SLOT_SEIZED));
	assert_word(TICKET, BS_SLOT_SEIZED);
	assert_false(slot_take(&slot, TICKET, BS_SLOT_ALLOWED));
	assert_word(TICKET, BS_SLOT_SEIZED);
}

/* Only what was asked can be answered: in any other state the kernel was faster. */
static void test_take_in_every_state(void **state _unused_)
{
	for (int s = BS_SLOT_FREE; s <= BS_SLOT_REFUSED; s++) {
		set_word(TICKET, s);
		assert_int_equal(slot_take(&slot, TICKET, BS_SLOT_ALLOWED), s == BS_SLOT_ASKED);
		assert_word(TICKET, s == BS_SLOT_ASKED ? BS_SLOT_ALLOWED : s);
	}
}

static void test_keep_in_every_state(void **state _unused_)
{
	for (int s = BS_SLOT_FREE; s <= BS_SLOT_REFUSED; s++) {
		set_word(TICKET, s);
		slot_keep(&slot, TICKET + 1);
		assert_word(TICKET, s);
		slot_keep(&slot, TICKET);
		assert_word(TICKET, s == BS_SLOT_STOPPED ? BS_SLOT_SEIZED : s);
	}
}

static void test_free_in_every_state(void **state _unused_)
{
	static const bool freed[BS_SLOT_REFUSED + 1] = { [BS_SLOT_ASKED] = true,
							 [BS_SLOT_SEIZED] = true,
							 [BS_SLOT_STOPPING] = true,
							 [BS_SLOT_STOPPED] = true };

	for (int s = BS_SLOT_FREE; s <= BS_SLOT_REFUSED; s++) {
		set_word(TICKET, s);
		slot_free(&slot, TICKET + 1); /* a later owner's slot stays */
		assert_word(TICKET, s);
		slot_free(&slot, TICKET);
		assert_word(TICKET, freed[s] ? BS_SLOT_FREE : s);
	}
}

/* ---- undoing the kernel's SIGSTOP */

static void test_unstop(void **state _unused_)
{
	pid_t pid = stopped_child(STDERR_FILENO);
	int status;

	slot.tgid = slot.tid = pid;
	set_word(TICKET, BS_SLOT_STOPPED);
	assert_true(slot_unstop(&slot, TICKET));
	assert_int_equal(waitpid(pid, &status, WCONTINUED), pid);
	assert_true(WIFCONTINUED(status));
	end_child(pid);
}

/* The stop that is on its way comes before the SIGCONT, or that would not undo it. */
static void test_unstop_waits_for_the_stop(void **state _unused_)
{
	u64 before = boot_ns();
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	slot.tgid = slot.tid = pid;
	set_word(TICKET, BS_SLOT_STOPPING);
	assert_false(slot_unstop(&slot, TICKET));
	assert_true(boot_ns() - before >= 10 * 1000 * 1000); /* it waited; not for ever */
	end_child(pid);
}

int main(void)
{
#define SLOT_TEST(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
		SLOT_TEST(test_state),
		SLOT_TEST(test_take),
		SLOT_TEST(test_take_in_every_state),
		SLOT_TEST(test_keep_in_every_state),
		SLOT_TEST(test_free_in_every_state),
		SLOT_TEST(test_unstop),
		SLOT_TEST(test_unstop_waits_for_the_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
