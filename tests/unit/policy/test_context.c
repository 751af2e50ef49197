#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "policy/context.h"

static struct context *c;

static int set_up(void **state _unused_)
{
	c = context_new(0);
	return c ? 0 : -1;
}

static int tear_down(void **state _unused_)
{
	context_free(c);
	return 0;
}

static const struct answer *ask(enum fact f, const char *text, enum verdict verdict)
{
	_cleanup_strbuf_ struct strbuf question = STRBUF_INIT;
	const struct answer *a;

	strbuf_add(&question, text, strlen(text) + 1);
	a = context_ask(c, f, &question, verdict);
	return a;
}

#define ANSWER(bytes) context_answer(c, bytes, sizeof(bytes) - 1)

static void test_facts(void **state _unused_)
{
	for (int i = 0; i < FACT_COUNT; i++)
		assert_int_equal(fact_parse(fact_name((enum fact)i)), i);
	assert_true(fact_parse("git.lost") < 0);
	assert_int_equal(fact_parse_predicate("git", "modified"), FACT_GIT_MODIFIED);
	assert_true(fact_parse_predicate("gi", "modified") < 0);
	assert_true(fact_parse_predicate("kube", "context") < 0);
}

static void test_question_and_answer(void **state _unused_)
{
	const struct answer *a;

	assert_null(ask(FACT_GIT_MODIFIED, "git.modified", VERDICT_HOLD));
	assert_null(ask(FACT_GIT_MODIFIED, "git.modified", VERDICT_HOLD));
	assert_int_equal(c->questions_count, 1);
	assert_true(context_is_pending(c));
	ANSWER("2\0a\0b\0\0");
	assert_false(context_is_pending(c));
	a = ask(FACT_GIT_MODIFIED, "git.modified", VERDICT_HOLD);
	assert_non_null(a);
	assert_true(a->known && a->count == 2);
	assert_string_equal(a->names[1], "b");
	assert_null(a->names[2]);
}

static void test_alerts_do_not_wait(void **state _unused_)
{
	assert_null(ask(FACT_GIT_MODIFIED, "x", VERDICT_ALERT));
	assert_false(context_is_pending(c));
}

static void test_request(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	ask(FACT_GIT_MODIFIED, "one", VERDICT_HOLD);
	ANSWER("0\0\0");
	ask(FACT_GIT_STASHED, "two", VERDICT_HOLD);
	ask(FACT_GIT_STASHED, "three", VERDICT_HOLD);
	assert_int_equal(context_request(c, &sb), 0);
	assert_int_equal(sb.len, 12);
	assert_memory_equal(sb.data, "two\0\0three\0", 12);
}

/* Whatever the reader says, each question is answered, if only by that nobody knows. */
static void test_bad_answers(void **state _unused_)
{
	static const struct {
		const char *bytes;
		size_t len;
		bool known;
	} all[] = {
		{ NULL, 0, false },	    { "", 0, false },
		{ "1", 1, false },	    { "1\0", 2, false },
		{ "1\0a", 3, false },	    { "1\0a\0", 4, false },
		{ "x\0\0", 3, false },	    { "-1\0\0", 4, false },
		{ "1x\0\0", 4, false },	    { "\0\0", 2, false },
		{ "1\0\0", 3, true },	    { "9\0\0junk", 7, true },
		{ "\0a\0b\0\0", 6, false }, { "1\0a\0\0\0\0", 7, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		const struct answer *a;

		context_free(c);
		c = context_new(0);
		ask(FACT_GIT_MODIFIED, "x", VERDICT_HOLD);
		context_answer(c, all[i].bytes, all[i].len);
		a = ask(FACT_GIT_MODIFIED, "x", VERDICT_HOLD);
		assert_non_null(a);
		if (a->known != all[i].known)
			fail_msg("answer %zu", i);
	}
}

static void test_limits(void **state _unused_)
{
	char text[32];

	for (int i = 0; i < CONTEXT_QUESTIONS; i++) {
		snprintf(text, sizeof(text), "%d", i);
		assert_null(ask(FACT_GIT_MODIFIED, text, VERDICT_HOLD));
	}
	assert_false(ask(FACT_GIT_MODIFIED, "more", VERDICT_HOLD)->known);
	assert_false(context_ask(c, FACT_GIT_MODIFIED, NULL, VERDICT_HOLD)->known);
}

static void expect_words(const char *answer, size_t len, const char *points, const char *words)
{
	context_free(c);
	c = context_new(0);
	ask(FACT_GIT_UNTRACKED, "x", VERDICT_HOLD);
	context_answer(c, answer, len);
	context_begin(c);
	context_tell(c, FACT_GIT_UNTRACKED, ask(FACT_GIT_UNTRACKED, "x", VERDICT_HOLD));
	context_settle(c, points);
	assert_string_equal(strbuf_str(&c->words), words);
}

static void test_words(void **state _unused_)
{
	expect_words("1\0a\0\0", 5, "", "1 untracked file would be lost: a");
	expect_words("9\0a\0b\0\0", 7, "", "9 untracked files would be lost: a, b and 7 more");
	expect_words("1\0\x1b[2J\0\0", 8, "", "1 untracked file would be lost: \\e[2J");
	expect_words("", 0, "A=prod",
		     "what would be lost could not be found out; points at production: A=prod");
}

static void test_variables(void **state _unused_)
{
	char *const vars[] = { (char *)"AB=1", (char *)"A=2=3", (char *)"E=", NULL };

	assert_null(context_vars(c));
	assert_null(context_var(c, "A"));
	assert_int_equal(context_set_vars(c, vars), 0);
	assert_string_equal(context_var(c, "A"), "2=3");
	assert_string_equal(context_var(c, "E"), "");
	assert_null(context_var(c, "B"));
}

static void test_own_environment(void **state _unused_)
{
	context_free(c);
	c = context_new(getpid());
	assert_non_null(context_var(c, "PATH"));
}

static void test_stated(void **state _unused_)
{
	assert_int_equal(context_state(c, FACT_PLAN_DELETES, 3, NULL), 0);
	assert_int_equal(ask(FACT_PLAN_DELETES, "x", VERDICT_HOLD)->count, 3);
	assert_false(context_is_pending(c));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_facts),	 T(test_question_and_answer), T(test_alerts_do_not_wait),
		T(test_request), T(test_bad_answers),	      T(test_limits),
		T(test_words),	 T(test_variables),	      T(test_own_environment),
		T(test_stated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
