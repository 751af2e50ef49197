#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/strbuf.h"
#include "policy/shell_vars.h"

struct state {
	struct shell_vars vars;
	struct strbuf out;
};

static void tell(void *data, const struct shell_command *c)
{
	_cleanup_(shell_words_clear) struct shell_words words = { .count = 0 };
	struct state *s = data;

	shell_vars_tell(&s->vars, c);
	if (c->sets)
		return;
	shell_vars_expand(&s->vars, c->words, c->count, true, &words);
	for (u32 i = 0; i < words.count; i++)
		strbuf_addf(&s->out, "%s%s", i ? "|" : s->out.len ? " ; " : "", words.all[i]);
	assert_null(words.all[words.count]);
}

static void expect(const char *text, const char *commands)
{
	char *arguments[] = { (char *)"sh", (char *)"one", (char *)"two words" };
	struct state s = { .out = STRBUF_INIT };

	shell_vars_set(&s.vars, "HOME", "/home/dev");
	shell_vars_set_arguments(&s.vars, arguments, 3);
	assert_int_equal(shell_each_command(text, 4, false, tell, &s), 0);
	assert_string_equal(strbuf_str(&s.out), commands);
	shell_vars_clear(&s.vars);
	strbuf_free(&s.out);
}

static void test_values(void **state _unused_)
{
	expect("a=/x; rm $a ${a}/b \"$a$a\" $b", "rm|/x|/x/b|/x/x|$b");
	expect("a=1 b=2; c=$a$b; x $c", "x|12");
	expect("a=1; a=2; x $a ${a:-3} ${a", "x|2|2|${a");
	expect("export A=/x B; readonly C=$A/y; x $A $C",
	       "export|A=/x|B ; readonly|C=/x/y ; x|/x|/x/y");
	expect("a=1 x; y $a", "x ; y|$a");
	expect("A1=v; x $A1 $A", "x|v|$A");
}

static void test_loops(void **state _unused_)
{
	expect("for d in /etc /home; do rm $d/x; done", "rm|/etc/x|/home/x");
	expect("for a in 1 2; do for b in 3 4; do x $a$b; done; done", "x|13|14|23|24");
	expect("l='a b'; for i in $l; do x \"$i\"; done", "x|a b");
	expect("for i; do x $i; done", "x|$i");
}

static void test_homes_and_arguments(void **state _unused_)
{
	expect("rm ~ ~/x ~root a~ $HOME/y", "rm|/home/dev|/home/dev/x|~root|a~|/home/dev/y");
	expect("x $1 ${2} $3 \"$@\" $0", "x|one|two words|$3|one|two words|sh");
}

static void test_unknown(void **state _unused_)
{
	expect("a=$(date); x $a `y`", "date ; y ; x|$|$");
	expect("t=$(mktemp -d); rm $t/x", "mktemp|-d ; rm|/tmp/mktemp/x");
	expect("x $ $$ $? a$", "x|$|$$|$?|a$");
}

static void test_bounds(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct state s = { .out = STRBUF_INIT };

	for (char c = 'b'; c <= 'z'; c++)
		strbuf_addf(&text, "%c=$%c$%c$%c$%c;", c, c - 1, c - 1, c - 1, c - 1);
	for (int i = 0; i < 64; i++)
		strbuf_addf(&text, "v%d=1;", i);
	strbuf_adds(&text, "for i in $z $z $z $z $z $z $z $z; do x $i$i$i$i$i$i$i$i; done");
	shell_vars_set(&s.vars, "a", "12345678");
	assert_int_equal(shell_each_command(strbuf_str(&text), 4, false, tell, &s), 0);
	assert_true(s.vars.count == SHELL_VARS_MAX);
	assert_true(s.out.len < SHELL_VARS_WORDS * 65536);
	shell_vars_clear(&s.vars);
	strbuf_free(&s.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_loops),
		cmocka_unit_test(test_homes_and_arguments),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
