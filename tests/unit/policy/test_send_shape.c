#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "backstop/shape.h"
#include "policy/send.h"
#include "sample.h"
#include "text_case.h"

static const struct bs_shape key = { 0x0123456789abcdefULL, 0xfedcba9876543210ULL };

static const char pack[] = "pack: t\ntitle: T\nsignatures:\n- id: a\n  send: {sql: destructive}\n"
			   "  severity: low\n  verdict: hold\n  why: It is.\n"
			   "  hits: [sql drop table a, sql drop table b]\n"
			   "  misses: [sql select 1, sql select 2]\n";

static bool same(const char *a, const char *b)
{
	struct bs_shape x = policy_shape(a, strlen(a), &key), y = policy_shape(b, strlen(b), &key);

	assert_int_equal(x.a == y.a, x.b == y.b);
	return x.a == y.a;
}

static void shapes(void **state _unused_)
{
	assert_true(same("update a set b = b + 1 where id = 12345678901234567890",
			 "update a set b = b + 30 where id = 7"));
	assert_true(same("a9", "a1"));
	assert_false(same("a9", "a"));
	assert_false(same("a 9 9", "a 9"));
	assert_false(same("update a", "update b"));
	assert_false(same("update a set b = 1", "update a set b = 1 where id = 1"));
	assert_false(same("ab", "ba"));
	assert_false(same("", " "));
}

static void shapes_have_a_key(void **state _unused_)
{
	struct bs_shape other = { 1, 2 };

	assert_int_not_equal(policy_shape("a", 1, &key).a, policy_shape("a", 1, &other).a);
}

/* At all lengths, with the numbers at all places. */
static void no_two_are_the_same(void **state _unused_)
{
	char text[100], other[101];

	memset(text, 'x', sizeof(text));
	for (size_t len = 1; len < sizeof(text); len++)
		for (size_t i = 0; i < len; i++) {
			memcpy(other, text, len);
			other[i] ^= 1;
			assert_int_not_equal(policy_shape(text, len, &key).a,
					     policy_shape(other, len, &key).a);
			text[i] = '7';
			memcpy(other, text, i);
			memcpy(other + i, "12", 2);
			memcpy(other + i + 2, text + i + 1, len - i - 1);
			assert_int_equal(policy_shape(text, len, &key).b,
					 policy_shape(other, len + 1, &key).b);
			text[i] = 'x';
		}
}

static bool is_harmless(const struct policy *p, const char *text, size_t len)
{
	struct wire_message m = { .kind = WIRE_SQL, .text = { text, len }, .uncertain = true };
	struct sending s = { .message = &m };

	assert_false(policy_is_shape_harmless(p, &s));
	m.uncertain = false;
	return policy_is_shape_harmless(p, &s);
}

static void harmless_shapes(void **state _unused_)
{
	static const struct text_case cases[] = {
		{ "update a set b = b + 12 where id = 7", true },
		{ "delete from a where id = $1 and b = $22", true },
		{ "drop table a", false },
		{ "delete from a where 0", false },
		{ "delete from a where 1 < 0", false },
		{ "delete from a where not 1", false },
		{ "delete from a where not 1 = 1", false },
		{ "delete from a where 5 between 6 and 7", false },
		{ "delete from a where id between 6 and 7", true },
		{ "delete from a where id + 5 = id", false },
		{ "delete from a where id * 5 + b = b", false },
		{ "delete from a where id in (6, 7)", true },
		{ "delete from a where id < 5 or id >= 6", false },
		{ "delete from a where case when id = 1 then 2 else 3 end = 4", false },
		{ "delete from a where b1 = b2", false },
		{ "delete from a where b1 = 2 and 1 < 0", true },
		{ "delete from a where b1 = 2 or 1 < 0", false },
		{ "update a set b = 1 where (id = 5 and 1 > 2) or 'a1' > 'a2'", false },
		{ "drop index a", true },
		{ "delete from a where 1 = 2", false },
		{ "delete from a where 'x1' = 'x2'", false },
		{ "select $a1$ x $a1$", false },
		{ "select $$ x $$", false },
		{ "select $1$ x $1$", false },
	};
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(pack);

	check_texts(cases, is_harmless(p, text, len));
}

static void long_ones_have_none(void **state _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p = sample_policy(pack);
	static char text[BS_SHAPE_MAX + 1];
	struct wire_message m = { .kind = WIRE_SQL, .text = { text, BS_SHAPE_MAX } };
	struct sending s = { .message = &m };

	memset(text, ' ', sizeof(text));
	assert_true(policy_is_shape_harmless(p, &s));
	m.text.len++;
	assert_false(policy_is_shape_harmless(p, &s));
	m = (struct wire_message) { .kind = WIRE_COMMAND };
	assert_false(policy_is_shape_harmless(p, &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes),
		cmocka_unit_test(shapes_have_a_key),
		cmocka_unit_test(no_two_are_the_same),
		cmocka_unit_test(harmless_shapes),
		cmocka_unit_test(long_ones_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
