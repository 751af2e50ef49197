#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "guard/burst.h"

static void assert_described(const struct gone *g, u64 since, const char *want)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	gone_describe(g, since, &sb);
	assert_string_equal(strbuf_str(&sb), want);
}

static void test_window(void **state _unused_)
{
	struct gone *g = NULL;

	assert_int_equal(gone_count(g, 0), 0);
	assert_described(g, 0, "");
	for (u64 t = 1; t <= 3; t++)
		gone_add(&g, 5, t, "/srv/x");
	assert_int_equal(gone_count(g, 0), 3);
	assert_int_equal(gone_count(g, 1), 2);
	assert_int_equal(gone_count(g, 3), 0);
	for (u64 t = 4; t <= 9; t++)
		gone_add(&g, 5, t, "/srv/y");
	assert_int_equal(gone_count(g, 0), 5); /* no more are kept */
	assert_int_equal(gone_count(g, 7), 2);
	gone_add(&g, 6, 10, "/srv/z"); /* another limit: anew */
	assert_int_equal(gone_count(g, 0), 1);
	gone_free(g);
}

static void test_paths(void **state _unused_)
{
	struct gone *g = NULL;

	gone_add(&g, 10, 1, "/srv/app/a.c");
	assert_described(g, 0, "/srv/app/a.c");
	gone_add(&g, 10, 2, "/srv/app/b\033.c");
	gone_add(&g, 10, 3, "/srv/x");
	assert_described(g, 0, "/srv/app/a.c, b\\e.c, /srv/x");
	assert_described(g, 2, "/srv/x");
	gone_add(&g, 10, 4, "/srv/y");
	gone_add(&g, 10, 5, "/y");
	assert_described(g, 0, "/srv/app/a.c, b\\e.c, /srv/x, y, /y");
	gone_add(&g, 10, 6, "/z");
	assert_described(g, 0, "/srv/app/a.c, b\\e.c, /srv/x, y, /y, …");
	gone_free(g);
}

static void test_the_same_again(void **state _unused_)
{
	struct gone *g = NULL;

	assert_false(gone_has(g, 0, "/srv/x"));
	gone_add(&g, 1000, 1, "/srv/x");
	assert_true(gone_has(g, 0, "/srv/x"));
	assert_false(gone_has(g, 1, "/srv/x")); /* too long ago */
	assert_false(gone_has(g, 0, "/srv/y"));
	for (int i = 0; i < 600; i++)
		gone_add(&g, 1000, 2, "/srv/y");
	assert_false(gone_has(g, 0, "/srv/x")); /* nobody looks back as far */
	assert_true(gone_has(g, 0, "/srv/y"));
	gone_free(g);
}

static void test_long_paths_are_few(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct gone *g = NULL;
	char path[1000];

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	gone_add(&g, 10, 1, path);
	gone_add(&g, 10, 2, path);
	gone_describe(g, 0, &sb);
	assert_true(sb.len < 1100);
	gone_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_the_same_again),
		cmocka_unit_test(test_long_paths_are_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
