#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "export/threads.h"

static void test_specs(void **state _unused_)
{
	_cleanup_(export_specs_free) struct export_specs s = { 0 };
	char more[32];

	assert_int_equal(export_specs_add(&s, "udp://a:1"), -EINVAL);
	assert_int_equal(export_specs_add(&s, "stdout:,file:/x"), -EINVAL);
	assert_int_equal(export_specs_parse(&s, "file:/a,b,tls://a:1,b:2#ca=/c,stdout:"), 0);
	assert_int_equal(s.count, 3);
	assert_string_equal(s.specs[0], "file:/a,b");
	assert_string_equal(s.specs[1], "tls://a:1,b:2#ca=/c");
	assert_string_equal(s.specs[2], "stdout:");
	assert_int_equal(export_specs_parse(&s, "file:/b,file:/b,stdout:"), 0); /* no event twice */
	assert_int_equal(s.count, 4);
	assert_int_equal(export_specs_parse(&s, "stdout:,file:b"), -EINVAL);
	while (s.count < EXPORT_SINKS_MAX) {
		snprintf(more, sizeof(more), "file:/%zu", s.count);
		assert_int_equal(export_specs_add(&s, more), 0);
	}
	assert_int_equal(export_specs_add(&s, "file:/more"), -E2BIG);
	assert_int_equal(export_specs_parse(&s, "file:/more"), -E2BIG);
}

static void remove_all(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)))
		(void)unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	assert_int_equal(rmdir(dir), 0);
}

/* Whoever reads figures tells sinks apart, though not all of what they are is shown. */
static void test_names(void **state _unused_)
{
	char dir[] = "/tmp/backstop-threads-XXXXXX";
	_cleanup_(export_specs_free) struct export_specs s = { 0 };
	struct export_figures figures[EXPORT_SINKS_MAX];
	struct export_threads *t = NULL;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(export_specs_parse(&s, "https://a/x,stdout:,https://a/y,https://a:1/x,"
						"https://me@a/#class=file"),
			 0);
	assert_int_equal(export_start(dir, dir, &s, &t), 0);
	assert_int_equal(export_figures(t, figures), 5);
	assert_string_equal(figures[0].name, "https://a");
	assert_string_equal(figures[1].name, "stdout:");
	assert_string_equal(figures[2].name, "https://a (2)");
	assert_string_equal(figures[3].name, "https://a:1");
	assert_string_equal(figures[4].name, "https://a (3)");
	assert_false(figures[0].failing || figures[0].lines);
	export_stop(t);
	remove_all(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_specs),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
