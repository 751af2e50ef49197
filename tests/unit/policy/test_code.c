#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/strbuf.h"
#include "policy/code.h"

/* Names as they are, 'strings', `commands`, marks, \n. */
static void expect(enum code_language language, const char *text, const char *tokens)
{
	static const char *const around[] = { [CODE_STRING] = "'", [CODE_COMMAND] = "`" };
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct code code;

	assert_int_equal(code_read(language, text, &code), 0);
	for (u32 i = 0; code.tokens[i].kind != CODE_END; i++) {
		const struct code_token *t = &code.tokens[i];
		bool quoted = t->kind == CODE_STRING || t->kind == CODE_COMMAND;
		const char *quote = quoted ? around[t->kind] : "";

		strbuf_addf(&out, "%s%s%s%s", i ? " " : "", quote,
			    t->kind == CODE_NEWLINE ? "\\n" : t->text, quote);
	}
	code_free(&code);
	assert_string_equal(strbuf_str(&out), tokens);
}

static void test_strings(void **state _unused_)
{
	expect(CODE_PYTHON, "a('b', \"c'd\", r'e\\'f', f\"g{h}i\")",
	       "a ( 'b' , 'c'd' , 'e'f' , 'g$i' )");
	expect(CODE_PYTHON, "'''a'b''' \"\"\"c\nd\"\"\" ''", "'a'b' 'c\nd' ''");
	expect(CODE_JAVASCRIPT, "`a${b}c` 'd\\n' 'e\\x41'", "'a$c' 'd\n' 'e$41'");
	expect(CODE_PERL, "q(a(b)c) qq{$d e} qw/f g/ \"$h::i\" '$j'",
	       "'a(b)c' '$ e' 'f g' '$::i' '$j'");
	expect(CODE_RUBY, "\"a#{b}c\" %w[d e] `ls`", "'a$c' 'd e' `ls`");
	expect(CODE_PHP, "\"a{$b}\" . `c`", "'a{$}' + `c`");
	expect(CODE_PYTHON, "'open", "'open'");
	expect(CODE_JAVASCRIPT, "`open\\", "'open\\'");
}

static void test_comments(void **state _unused_)
{
	expect(CODE_PYTHON, "a # 'b\nc", "a \\n c");
	expect(CODE_JAVASCRIPT, "a // b\n/* c */ d '//' /* e", "a \\n d '//'");
	expect(CODE_PHP, "a # b\n// c\n/* d */ e", "a \\n \\n e");
	expect(CODE_LUA, "a -- b\nc", "a \\n c");
	expect(CODE_PYTHON, "'# a' // b", "'# a' / / b");
}

static void test_patterns(void **state _unused_)
{
	expect(CODE_JAVASCRIPT, "a = /b(c\\/d/.test(e) / f / g", "a = ~ . test ( e ) / f / g");
	expect(CODE_PERL, "s/unlink x/y/; $a =~ m{b}; tr/c/d/", "; $a ~ ;");
	expect(CODE_AWK, "/rm(/ { print $1 }", "~ { print $1 }");
}

static void test_marks(void **state _unused_)
{
	expect(CODE_PHP, "$a->b::c?->d . e === f", "$a . b . c . d + e ~ f");
	expect(CODE_JAVASCRIPT, "a?.b => c == d", "a . b > c ~ d");
	expect(CODE_PYTHON, "f(a\n,b)\n{c:\n1}", "f ( a , b ) \\n { c : \\n 1 }");
	expect(CODE_RUBY, "@a $b c? :d", "@a $b c ? : d");
}

static void test_brackets(void **state _unused_)
{
	struct code code;

	assert_int_equal(code_read(CODE_PYTHON, "(a[b)c]", &code), 0);
	assert_int_equal(code.tokens[0].match, 6);
	assert_int_equal(code.tokens[2].match, 4);
	assert_int_equal(code.tokens[1].match, 1);
	code_free(&code);
	assert_int_equal(code_read(CODE_PYTHON, ")](", &code), 0);
	for (u32 i = 0; i < code.count; i++)
		assert_int_equal(code.tokens[i].match, i);
	code_free(&code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),	 cmocka_unit_test(test_comments),
		cmocka_unit_test(test_patterns), cmocka_unit_test(test_marks),
		cmocka_unit_test(test_brackets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
