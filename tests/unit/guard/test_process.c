#include "fixture.h"
#include "fake_kernel.h"

static const struct process *get(u32 tgid)
{
	return map_get(&guard.processes, tgid);
}

static void test_exec_and_exit(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NEW_EXEC("zap\0a b");

	x->tgid = 5;
	x->start = 6;
	assert_null(get(5));
	process_exec(&guard, x);
	assert_true(get(5)->tgid == 5 && get(5)->start == 6);
	assert_string_equal(get(5)->path, "/usr/bin/zap");
	assert_string_equal(get(5)->command, "zap 'a b'");
	process_exit(&guard, 6);
	assert_non_null(get(5));
	process_exit(&guard, 5);
	assert_null(get(5));
	process_exit(&guard, 5);
}

static void test_last_exec_counts(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *a = NEW_EXEC("sh\0-c\0zap");
	_cleanup_(exec_free_ptr) struct exec *b = NEW_EXEC("zap\0\033[2J");

	free(TAKE_PTR(b->path));
	process_exec(&guard, a);
	process_exec(&guard, b);
	assert_int_equal(guard.processes.count, 1);
	assert_null(get(b->tgid)->path);
	assert_string_equal(get(b->tgid)->command, "zap $'\\e[2J'");
}

static void test_long_command(void **state _unused_)
{
	char word[5000];
	struct exec *x;

	memset(word, 'x', sizeof(word));
	x = new_exec(word, sizeof(word));
	process_exec(&guard, x);
	assert_int_equal(strlen(get(x->tgid)->command), 200 + strlen("…"));
	assert_string_equal(get(x->tgid)->command + 200, "…");
	exec_free(x);
}

/* Exit events were lost: what no longer lives is forgotten. */
static void test_sweep(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *gone = NEW_EXEC("zap"), *lives = NEW_EXEC("zap");

	gone->tgid = gone_child();
	process_exec(&guard, gone);
	process_exec(&guard, lives);
	process_sweep(&guard);
	assert_null(get(gone->tgid));
	assert_non_null(get(lives->tgid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GUARD_TEST(test_exec_and_exit),
		GUARD_TEST(test_last_exec_counts),
		GUARD_TEST(test_long_command),
		GUARD_TEST(test_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
