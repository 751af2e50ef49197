#include "fixture.h"
#include "fake_kernel.h"

static void remember(u64 id, struct exec *x)
{
	struct hold h = { .id = id, .exec = x };

	grant_remember(&guard, &h);
	assert_null(h.exec);
}

static int approve(u64 id)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	int r = grant_approve(&guard, id, "uid 1000 (dev)", &err);

	assert_int_equal(err.len, 0);
	return r;
}

static void assert_refused(u64 id, int want, const char *words)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;

	assert_int_equal(grant_approve(&guard, id, "root", &err), want);
	assert_string_equal(strbuf_str(&err), words);
}

static void test_used_once(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NEW_EXEC("zap\0held");
	json_t *line;

	new_session(0x19ab);
	remember(7, NEW_EXEC("zap\0held"));
	assert_int_equal(grant_use(&guard, x), 0); /* nobody approved it */
	assert_int_equal(approve(7), 0);
	line = journal_line(1);
	assert_string_equal(text_at(line, "message"),
			    "hold 7 was approved by uid 1000 (dev) after its end: the same action "
			    "is allowed once within 10 minutes");
	json_decref(line);
	assert_int_equal(grant_use(&guard, x), 7);
	assert_int_equal(grant_use(&guard, x), 0);
	assert_int_equal(guard.grant_count, 0);
}

static void test_bound_to_the_action(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NEW_EXEC("zap\0held");
	_cleanup_(exec_free_ptr) struct exec *other = NEW_EXEC("zap\0held\0now");

	remember(7, NEW_EXEC("zap\0held"));
	assert_int_equal(approve(7), 0);
	assert_int_equal(grant_use(&guard, other), 0);
	x->cwd[1] = 'S';
	assert_int_equal(grant_use(&guard, x), 0);
	x->cwd[1] = 's';
	x->session_id++;
	assert_int_equal(grant_use(&guard, x), 0);
	x->session_id--;
	x->inode++;
	assert_int_equal(grant_use(&guard, x), 0);
	x->inode--;
	assert_int_equal(grant_use(&guard, x), 7);
}

static void test_expires(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NEW_EXEC("zap\0held");
	struct grant *r;

	remember(7, NEW_EXEC("zap\0held"));
	assert_int_equal(approve(7), 0);
	r = LIST_FIRST(&guard.grants);
	assert_in_range(r->expires_ms, now_ms() + 9 * 60 * 1000, now_ms() + 10 * 60 * 1000);
	r->expires_ms = now_ms() - 1;
	assert_int_equal(grant_use(&guard, x), 0);
}

static void test_what_cannot_be_approved(void **state _unused_)
{
	remember(7, NEW_EXEC("zap\0held"));
	assert_refused(8, -ENOENT, "there is no hold 8: 'backstop pending' lists what is open");
	assert_int_equal(approve(7), 0);
	assert_refused(7, -EALREADY, "hold 7 is approved already, for its next attempt");
}

/* Of two grants for the same action each is used once. */
static void test_two_for_the_same(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NEW_EXEC("zap\0held");

	remember(7, NEW_EXEC("zap\0held"));
	remember(8, NEW_EXEC("zap\0held"));
	assert_int_equal(approve(7), 0);
	assert_int_equal(approve(8), 0);
	assert_int_equal(grant_use(&guard, x) + grant_use(&guard, x), 15);
	assert_int_equal(grant_use(&guard, x), 0);
}

/* A burst was denied, and its session has ended since. */
static void test_session_is_gone(void **state _unused_)
{
	struct exec *x = NEW_EXEC("zap\0held");

	guard.loop = loop_new();
	assert_non_null(guard.loop);
	x->kind = BS_SLOT_DELETE;
	x->flags = BS_DELETE_BURST;
	x->session = new_session(0x19ab);
	remember(7, x);
	session_end(&guard, 0x19ab);
	assert_null(LIST_FIRST(&guard.grants)->exec->session);
	assert_int_equal(approve(7), 0);
	loop_remove(guard.watch);
	loop_free(guard.loop);
}

#define LIMIT 256

static void test_oldest_goes_first(void **state _unused_)
{
	for (u64 id = 1; id <= LIMIT; id++)
		remember(id, NEW_EXEC("zap\0held"));
	assert_int_equal(guard.grant_count, LIMIT);
	remember(LIMIT + 1, NEW_EXEC("zap\0held"));
	assert_int_equal(guard.grant_count, LIMIT);
	assert_refused(1, -ENOENT, "there is no hold 1: 'backstop pending' lists what is open");
	assert_int_equal(approve(2), 0);
	assert_int_equal(approve(LIMIT + 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GUARD_TEST(test_used_once),	    GUARD_TEST(test_bound_to_the_action),
		GUARD_TEST(test_expires),	    GUARD_TEST(test_what_cannot_be_approved),
		GUARD_TEST(test_two_for_the_same),  GUARD_TEST(test_session_is_gone),
		GUARD_TEST(test_oldest_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
