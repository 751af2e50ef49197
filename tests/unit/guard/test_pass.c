/* What humans approved for a process. */
#include "fixture.h"
#include "fake_kernel.h"

static const struct bs_dest database = { .addr = { [10] = 0xff, 0xff, 10, 0, 0, 5 }, .port = 5432 };

static void test_a_connection(void **state _unused_)
{
	struct exec x = { .kind = BS_SLOT_CONNECT, .tgid = 100, .start = 5, .dest = database };

	assert_int_equal(pass_of(&guard, &x), 0);
	pass_remember(&guard, &x, 7);
	assert_int_equal(pass_of(&guard, &x), 7);
	x.dest.port++;
	assert_int_equal(pass_of(&guard, &x), 0);
	x.dest = database;
	x.dest.addr[15]++;
	assert_int_equal(pass_of(&guard, &x), 0);
	x.dest = database;
	x.start++;
	assert_int_equal(pass_of(&guard, &x), 0);
	x.start--;
	x.kind = BS_SLOT_DELETE;
	assert_int_equal(pass_of(&guard, &x), 0);
	x.kind = BS_SLOT_CONNECT;
	pass_forget(&guard, 101);
	assert_int_equal(pass_of(&guard, &x), 7);
	pass_forget(&guard, 100);
	assert_int_equal(pass_of(&guard, &x), 0);
	pass_remember(&guard, &x, 8);
	pass_forget_all(&guard);
	assert_int_equal(pass_of(&guard, &x), 0);
}

/* An Initial packet is sent until it is answered. */
static void test_a_name_of_quic(void **state _unused_)
{
	struct exec x = { .kind = BS_SLOT_SEND,
			  .tgid = 100,
			  .start = 5,
			  .dest = database,
			  .sent = { .again = true, .name = (char *)"a.example" } };

	pass_remember(&guard, &x, 7);
	assert_int_equal(pass_of(&guard, &x), 7);
	x.sent.name = (char *)"b.example";
	assert_int_equal(pass_of(&guard, &x), 0);
	x.sent.name = (char *)"a.example";
	x.dest.port++;
	assert_int_equal(pass_of(&guard, &x), 0);
	x.dest = database;
	x.sent.again = false;
	assert_int_equal(pass_of(&guard, &x), 0);
	x.kind = BS_SLOT_CONNECT;
	assert_int_equal(pass_of(&guard, &x), 0);
	pass_forget(&guard, 100);
}

static void test_an_exec_covers_what_its_process_deletes(void **state _unused_)
{
	struct exec x = { .kind = BS_SLOT_EXEC, .tgid = 100, .start = 5 };

	pass_remember(&guard, &x, 7);
	assert_int_equal(pass_of(&guard, &x), 0); /* another exec is another action */
	x.kind = BS_SLOT_CONNECT;
	assert_int_equal(pass_of(&guard, &x), 0);
	x.kind = BS_SLOT_DELETE;
	assert_int_equal(pass_of(&guard, &x), 7);
	x.kind = BS_SLOT_DELETED;
	assert_int_equal(pass_of(&guard, &x), 7);
	x.tgid = 101;
	assert_int_equal(pass_of(&guard, &x), 0);
	pass_forget_all(&guard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GUARD_TEST(test_a_connection),
		GUARD_TEST(test_a_name_of_quic),
		GUARD_TEST(test_an_exec_covers_what_its_process_deletes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
