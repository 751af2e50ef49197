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

static const char *code(char **words, bool *input)
{
	u32 count = 0;

	while (words[count])
		count++;
	return carrier_shell_code(words, count, input);
}

static void test_shell_code(void **state _unused_)
{
	bool input;

	assert_string_equal(code(WORDS(W("-lc"), W("a"), W("b")), &input), "a");
	assert_false(input);
	assert_string_equal(code(WORDS(W("-c"), W("-o"), W("x"), W("+e"), W("a")), &input), "a");
	assert_null(code(WORDS(W("x.sh"), W("-c"), W("a")), &input));
	assert_false(input);
	assert_null(code(WORDS(W("-o"), W("c")), &input));
	assert_true(input);
	assert_null(code(WORDS(W("-s"), W("a")), &input));
	assert_true(input);
	assert_null(code(WORDS(W("-c")), &input));
	assert_false(input);
}

static void test_input_code(void **state _unused_)
{
	assert_string_equal(carrier_input_code("python3", WORDS(W("-u"), W("-")), 2), "-c");
	assert_string_equal(carrier_input_code("node", WORDS(NULL), 0), "-e");
	assert_string_equal(carrier_input_code("php", WORDS(NULL), 0), "-r");
	assert_null(carrier_input_code("python", WORDS(W("x.py")), 1));
	assert_null(carrier_input_code("python", WORDS(W("-m"), W("json.tool")), 2));
	assert_null(carrier_input_code("ruby", WORDS(W("-e"), W("1")), 2));
	assert_null(carrier_input_code("bash", WORDS(NULL), 0));
	assert_null(carrier_input_code("cat", WORDS(NULL), 0));
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
		cmocka_unit_test(test_script),	   cmocka_unit_test(test_long_package),
		cmocka_unit_test(test_base_name),  cmocka_unit_test(test_shell_code),
		cmocka_unit_test(test_input_code),
	};

	return cmocka_run_group_tests_name("carrier", tests, NULL, NULL);
}
