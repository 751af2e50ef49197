#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "policy/carrier.h"

static const char *run(const char *name, char **words, struct command_view *v)
{
	u32 count = 0;

	while (words[count])
		count++;
	return carrier_local(name, words, count, v);
}

#define WORDS(...) ((char *[]) { __VA_ARGS__, NULL })
#define W(s)	   ((char *)(s))

static void test_script(void **state _unused_)
{
	char **words = WORDS(W("-u"), W("/x/node_modules/@a/pkg/run.py"), W("y"), W("z"));
	struct command_view v;

	assert_string_equal(run("python3.11", words, &v), "python");
	assert_int_equal(v.names_count, 2);
	assert_string_equal(v.names[0], "run.py");
	assert_string_equal(v.names[1], "pkg");
	assert_int_equal(v.count, 2);
	assert_ptr_equal(v.words, words + 2);
	assert_null(run("python3.11x", words, &v));
	assert_null(run("python3", WORDS(W("-"), W("x")), &v));
	assert_null(run("python3", WORDS(W("-u")), &v));
	assert_null(run("ls", words, &v));
}

/* A package's name that is longer than any name is left out, not cut. */
static void test_long_package(void **state _unused_)
{
	char path[400] = "node_modules/";
	struct command_view v;

	memset(path + 13, 'a', 300);
	strcpy(path + 313, "/x.js");
	assert_string_equal(run("node", WORDS(path), &v), "node");
	assert_int_equal(v.names_count, 1);
	assert_string_equal(v.names[0], "x.js");
}

static void test_base_name(void **state _unused_)
{
	assert_string_equal(carrier_base_name("/usr/bin/rm"), "rm");
	assert_string_equal(carrier_base_name("rm"), "rm");
	assert_string_equal(carrier_base_name("a/"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_script),
		cmocka_unit_test(test_long_package),
		cmocka_unit_test(test_base_name),
	};

	return cmocka_run_group_tests_name("carrier", tests, NULL, NULL);
}
