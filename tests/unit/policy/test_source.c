#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "policy/source.h"

static void test_fault(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct faults faults = { .out = &out };
	const char *text = "a: b\n\tä: x\033\nend";
	struct source src = { "f.yaml", text, strlen(text), &faults };

	source_fault(&src, 10, "not '%s'", "x\n");
	assert_string_equal(strbuf_str(&out), "f.yaml:2:5: not 'x\\n'\n"
					      "    \tä: x?\n"
					      "    \t   ^\n");
	strbuf_reset(&out);
	source_fault(&src, 1000, "end");
	assert_string_equal(strbuf_str(&out), "f.yaml:3:4: end\n    end\n       ^\n");
	assert_int_equal(faults.count, 2);
}

/* As in a project file, which a session wrote: nothing of it acts on the terminal, or fills it. */
static void test_hostile_line(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT, text = STRBUF_INIT;
	struct faults faults = { .out = &out };
	struct source src = { "f", "a\\b \xc2\x9b \xff \xe2\x80\xae \177 x", 16, &faults };

	source_fault(&src, 15, "x");
	assert_string_equal(strbuf_str(&out), "f:1:13: x\n    a\\b ? ? ? ? x\n"
					      "                ^\n");
	for (int i = 0; i < 100000; i++)
		strbuf_adds(&text, i == 50000 ? "x" : "ä");
	src = (struct source) { "f", strbuf_str(&text), text.len, &faults };
	strbuf_reset(&out);
	source_fault(&src, 100000, "x");
	assert_true(out.len < 500);
	assert_non_null(strstr(strbuf_str(&out), "f:1:50001: x\n    …ä"));
	assert_non_null(strstr(strbuf_str(&out), "ä…\n     "));
}

static void test_spot(void **state _unused_)
{
	const char *text = "k: \"a\\\"b\"\nl: 'it''s'\nm: x\n   y\n";
	struct source src = { .text = text, .len = strlen(text) };

	assert_int_equal(source_spot(&src, (struct text) { "a\"b", 4 }, 0), 4);
	assert_int_equal(source_spot(&src, (struct text) { "a\"b", 4 }, 2), 7);
	assert_int_equal(source_spot(&src, (struct text) { "it's", 14 }, 3), 18);
	assert_int_equal(source_spot(&src, (struct text) { "x y", 24 }, 2), 29);
	assert_int_equal(source_spot(&src, (struct text) { "zz", 24 }, 1), strlen(text));
}

static void test_nearest(void **state _unused_)
{
	static const char *const names[] = { "verdict", "severity", "why" };
	char word[200];

	assert_string_equal(source_nearest("verdct", names, 3), "verdict");
	assert_string_equal(source_nearest("vredict", names, 3), "verdict");
	assert_string_equal(source_nearest("wyh", names, 3), "why");
	assert_null(source_nearest("nothing", names, 3));
	assert_null(source_nearest("", names, 3));
	memset(word, 'v', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	assert_null(source_nearest(word, names, 3));
	assert_null(source_nearest("x", names, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fault),
		cmocka_unit_test(test_hostile_line),
		cmocka_unit_test(test_spot),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
