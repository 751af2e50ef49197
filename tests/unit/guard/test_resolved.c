#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guard/resolved.h"

static const u8 *address(unsigned int n)
{
	static u8 addr[16];

	addr[12] = (u8)(n >> 24);
	addr[13] = (u8)(n >> 16);
	addr[14] = (u8)(n >> 8);
	addr[15] = (u8)n;
	return addr;
}

/* The names with blanks behind. */
static const char *names(const struct resolved *h, u64 session, unsigned int addr, u64 now)
{
	static char text[512];
	const char *found[RESOLVED_NAMES_MAX + 1];
	size_t count = resolved_names(h, session, address(addr), now, found);

	text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		strcat(text, found[i]);
		strcat(text, " ");
	}
	assert_null(found[count]);
	return text;
}

static void names_of_addresses(void **state _unused_)
{
	_cleanup_(resolved_free_ptr) struct resolved *h = resolved_new();

	assert_string_equal(names(h, 1, 5, 0), "");
	assert_int_equal(resolved_learn(h, 1, address(5), "a.test", 300, 0), 0);
	assert_int_equal(resolved_learn(h, 1, address(5), "b.test", 300, 0), 0);
	assert_int_equal(resolved_learn(h, 1, address(5), "a.test", 300, 0), 0);
	assert_int_equal(resolved_learn(h, 2, address(5), "c.test", 300, 0), 0);
	assert_string_equal(names(h, 1, 5, 1), "a.test b.test ");
	assert_string_equal(names(h, 2, 5, 1), "c.test ");
	assert_string_equal(names(h, 1, 6, 1), "");
}

static void names_expire(void **state _unused_)
{
	_cleanup_(resolved_free_ptr) struct resolved *h = resolved_new();

	resolved_learn(h, 1, address(5), "short.test", 1, 1000);
	resolved_learn(h, 1, address(5), "long.test", 3600, 1000);
	assert_string_equal(names(h, 1, 5, 1599), "short.test long.test ");
	assert_string_equal(names(h, 1, 5, 1600), "long.test ");
	resolved_learn(h, 1, address(5), "short.test", 1, 1600);
	assert_string_equal(names(h, 1, 5, 1700), "short.test long.test ");
	assert_string_equal(names(h, 1, 5, 4600), "");
}

static void sessions_end(void **state _unused_)
{
	_cleanup_(resolved_free_ptr) struct resolved *h = resolved_new();

	for (unsigned int i = 0; i < 100; i++) {
		resolved_learn(h, 1, address(i), "a.test", 300, 0);
		resolved_learn(h, 2, address(i), "b.test", 300, 0);
	}
	resolved_forget(h, 1);
	resolved_forget(h, 3);
	for (unsigned int i = 0; i < 100; i++) {
		assert_string_equal(names(h, 1, i, 1), "");
		assert_string_equal(names(h, 2, i, 1), "b.test ");
	}
}

static void a_session_knows_so_many(void **state _unused_)
{
	_cleanup_(resolved_free_ptr) struct resolved *h = resolved_new();

	for (unsigned int i = 0; i < RESOLVED_MAX; i++)
		assert_int_equal(resolved_learn(h, 1, address(i), "a.test", i ? 300 : 3600, 0), 0);
	assert_false(resolved_is_full(h, 1));
	assert_int_equal(resolved_learn(h, 1, address(RESOLVED_MAX), "b.test", 300, 599), -ENOSPC);
	assert_true(resolved_is_full(h, 1));
	assert_false(resolved_is_full(h, 2));
	assert_string_equal(names(h, 1, 7, 599), "a.test ");
	/* room is made of what has expired */
	assert_int_equal(resolved_learn(h, 1, address(RESOLVED_MAX), "b.test", 300, 600), 0);
	assert_string_equal(names(h, 1, RESOLVED_MAX, 600), "b.test ");
	assert_string_equal(names(h, 1, 0, 600), "a.test ");
	resolved_forget(h, 1);
	assert_false(resolved_is_full(h, 1));
}

static void an_address_has_so_many(void **state _unused_)
{
	_cleanup_(resolved_free_ptr) struct resolved *h = resolved_new();
	const char *found[RESOLVED_NAMES_MAX + 1];
	char name[32];

	for (int i = 0; i <= RESOLVED_NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "%d.test", i);
		assert_int_equal(resolved_learn(h, 1, address(1), name, 300, 0),
				 i == RESOLVED_NAMES_MAX ? -ENOSPC : 0);
	}
	assert_int_equal(resolved_names(h, 1, address(1), 1, found), RESOLVED_NAMES_MAX);
	assert_true(resolved_is_full(h, 1));
	assert_int_equal(resolved_learn(h, 1, address(1), "late.test", 300, 600), 0);
	assert_string_equal(names(h, 1, 1, 601), "late.test ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_addresses),	  cmocka_unit_test(names_expire),
		cmocka_unit_test(sessions_end),		  cmocka_unit_test(a_session_knows_so_many),
		cmocka_unit_test(an_address_has_so_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
