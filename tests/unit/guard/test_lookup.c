/* Paths that a held exec names: what they are is found out by a child. */
#include "fixture.h"
#include "base/loop.h"
#include "fake_kernel.h"
#include "guard/lookup.h"
#include "guard/reaper.h"
#include "policy/context.h"

#define LONG_MS 60000

static const char pack[] = "pack: p\ntitle: P\nprograms: {zap: {}}\nsignatures:\n"
			   "- {id: system, command: 'zap {path:system}', severity: high,\n"
			   "   verdict: hold, why: It is., hits: [zap /etc/a, zap /usr/b],\n"
			   "   misses: [zap /tmp/a, zap /tmp/b]}\n";
static char top[64], words[128]; /* top is scratch, and its link leads there */
static struct exec *zap;
static int called;

static int set_up(void **state)
{
	char link[128], nowhere[128];
	int n;

	memset(&fake, 0, sizeof(fake));
	if (guard_set_up(state))
		return -1;
	guard.loop = loop_new();
	policy_free(guard.policy);
	guard.policy = sample_policy(pack);
	snprintf(top, sizeof(top), "/tmp/backstop-lookup-XXXXXX");
	if (!mkdtemp(top))
		return -errno;
	snprintf(link, sizeof(link), "%s/link", top);
	snprintf(nowhere, sizeof(nowhere), "%s/none", top); /* the kernel cannot tell of that */
	n = snprintf(words, sizeof(words), "zap%c%s/x", 0, link);
	zap = new_exec(words, (size_t)n + 1);
	zap->context = context_new(0);
	called = 0;
	return symlink(nowhere, link);
}

static int tear_down(void **state)
{
	char command[128];

	exec_free(zap);
	snprintf(command, sizeof(command), "rm -r '%s'", top);
	lookup_forget_all(&guard);
	reaper_forget_all();
	loop_free(guard.loop);
	guard.loop = NULL;
	return system(command) || guard_tear_down(state);
}

static struct decision decide_now(void)
{
	struct decision d;

	decide(&guard, zap, &d);
	return d;
}

static void test_waited_for(void **state _unused_)
{
	struct decision d = decide_now();

	assert_true(d.pending);
	assert_int_equal(d.verdict, VERDICT_HOLD);
	lookup_wait(&guard, zap, LONG_MS);
	d = decide_now();
	assert_false(d.pending);
	assert_int_equal(d.verdict, VERDICT_ALLOW);
}

/* Nobody waits: the worst is taken, and said. */
static void test_at_once(void **state _unused_)
{
	struct decision d;

	decide_at_once(&guard, zap, &d);
	assert_false(d.pending);
	assert_int_equal(d.verdict, VERDICT_HOLD);
	assert_non_null(strstr(strbuf_str(&zap->context->words), "does not answer"));
}

static void on_found(void *data)
{
	called++;
	loop_quit(data, 0);
}

static void on_late(void *data)
{
	loop_quit(data, 0);
}

static void test_called(void **state _unused_)
{
	struct lookup *l, *left[20];
	struct loop_source *late;

	assert_true(decide_now().pending);
	for (size_t i = 0; i < ARRAY_SIZE(left); i++) /* more than there is room for */
		assert_int_equal(lookup_start(&guard, zap, on_found, guard.loop, &left[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(left); i++)
		lookup_leave(left[i]);
	lookup_leave(NULL);
	assert_int_equal(lookup_start(&guard, zap, on_found, guard.loop, &l), 0);
	assert_int_equal(loop_add_timer(guard.loop, LONG_MS * 1000ULL, on_late, guard.loop, &late),
			 0);
	loop_run(guard.loop);
	assert_int_equal(called, 1);
	assert_int_equal(decide_now().verdict, VERDICT_ALLOW);
	loop_remove(late);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_waited_for),
		TEST(test_at_once),
		TEST(test_called),
	};

	return cmocka_run_group_tests_name("lookup", tests, NULL, NULL);
}
