#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "policy/arena.h"
#include "policy/regex.h"

static void test_check(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	char text[REGEX_MAX + 2];
	size_t offset = 0;

	assert_int_equal(regex_check("^a[0-9]{2}$", &offset, &err), 0);
	assert_int_equal(regex_check("a(b", &offset, &err), -EINVAL);
	assert_int_equal(offset, 3);
	assert_string_equal(strbuf_str(&err), "missing closing parenthesis");
	assert_int_equal(regex_check("\\C", &offset, &err), -EINVAL);
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(regex_check(text, &offset, &err), -EINVAL);
	memset(text, '(', 200);
	memset(text + 200, ')', 200);
	text[400] = '\0';
	assert_int_equal(regex_check(text, &offset, &err), -EINVAL);
}

/* An expression that would take for ever is given up: what counts then is up to the caller. */
static void test_limits(void **state _unused_)
{
	struct image_alt alts[2] = { { .cond = COND_NONE }, { .cond = COND_RE } };
	struct image im = { .strings = "(a+)+$", .alts = alts, .alts_count = 2 };
	struct regexes *r;

	assert_int_equal(regexes_new(&im, &r), 0);
	assert_true(regexes_match(r, 1, "xaaa", false));
	assert_false(regexes_match(r, 1, "aaab", true));
	assert_true(regexes_match(r, 1, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", true));
	assert_false(regexes_match(r, 1, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", false));
	assert_false(regexes_match(r, 0, "a", true));
	regexes_free(r);
	regexes_free(NULL);
}

/* One that cannot be compiled is as doubtful as can be. */
static void test_damaged(void **state _unused_)
{
	struct image_alt alt = { .cond = COND_RE };
	struct image im = { .strings = "(", .alts = &alt, .alts_count = 1 };
	struct regexes *r;

	assert_int_equal(regexes_new(&im, &r), 0);
	assert_true(regexes_match(r, 0, "x", true));
	assert_false(regexes_match(r, 0, "x", false));
	regexes_free(r);
}

static void test_arena(void **state _unused_)
{
	_cleanup_arena_ struct arena a = ARENA_INIT;
	int *list = NULL;
	size_t list_count = 0;

	for (int i = 0; i < 100000; i++)
		ARENA_PUSH(&a, list, i);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(list[i], i);
	assert_string_equal(arena_printf(&a, "%s-%d", "x", 7), "x-7");
	assert_string_equal(arena_strndup(&a, "abc", 2), "ab");
	assert_string_equal(arena_strdup(&a, ""), "");
	assert_int_equal((uintptr_t)arena_alloc(&a, 1) % 16, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_arena),
	};

	return cmocka_run_group_tests_name("regex", tests, NULL, NULL);
}
