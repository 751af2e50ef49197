#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/strbuf.h"
#include "policy/shell.h"

static void collect(void *data, char *const *words, u32 count)
{
	struct strbuf *out = data;

	for (u32 i = 0; i < count; i++)
		strbuf_addf(out, "%s%s", i ? "|" : out->len ? " ; " : "", words[i]);
	assert_null(words[count]);
}

static void expect(const char *text, const char *commands)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	assert_int_equal(shell_each_command(text, 4, collect, &out), 0);
	assert_string_equal(strbuf_str(&out), commands);
}

static void test_commands(void **state _unused_)
{
	expect("", "");
	expect("rm -rf /", "rm|-rf|/");
	expect("cd a && rm b || c; d & e\nf | g", "cd|a ; rm|b ; c ; d ; e ; f ; g");
	expect("(rm a); { rm b; }", "rm|a ; rm|b");
	expect("if a; then rm b; else rm c; fi", "a ; rm|b ; rm|c");
	expect("for x in a b; do rm $x; done", "rm|$x");
	expect("! rm x", "rm|x");
	expect("a # rm b\nc", "a ; c");
}

static void test_words(void **state _unused_)
{
	expect("rm '/a b' \"c d\" e\\ f ''", "rm|/a b|c d|e f|");
	expect("A=1 B='x y' rm C=2", "rm|C=2");
	expect("r\"\"m 'a'\"b\"c", "rm|abc");
	expect("echo 'rm -rf /; x'", "echo|rm -rf /; x");
}

static void test_redirections(void **state _unused_)
{
	expect("rm a >/dev/null 2>&1", "rm|a");
	expect("rm a > out b 2> err c < in d >> log", "rm|a|b|c|d");
	expect("rm a &> out; x", "rm|a ; x");
	expect("rm 2 >out", "rm|2");
}

static void test_substitutions(void **state _unused_)
{
	expect("echo $(rm a)", "rm|a ; echo|$");
	expect("echo \"x $(rm 'a)b') y\" z", "rm|a)b ; echo|x $ y|z");
	expect("echo `rm a`", "rm|a ; echo|$");
	expect("cat <(rm a)", "rm|a ; cat|$");
	expect("echo '$(rm a)'", "echo|$(rm a)");
}

static void test_unfinished(void **state _unused_)
{
	expect("rm 'a", "rm|a");
	expect("rm \"a", "rm|a");
	expect("rm $(a", "a ; rm|$");
	expect("rm \\", "rm");
	expect("$($($($($($(rm a))))))", "$ ; $ ; $ ; $ ; $");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),     cmocka_unit_test(test_words),
		cmocka_unit_test(test_redirections), cmocka_unit_test(test_substitutions),
		cmocka_unit_test(test_unfinished),
	};

	return cmocka_run_group_tests_name("shell", tests, NULL, NULL);
}
