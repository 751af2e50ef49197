#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/strbuf.h"
#include "policy/shell.h"

static void add_feed(struct strbuf *out, const char *name, const char *value)
{
	if (value)
		strbuf_addf(out, " %s[%s]", name, value);
}

struct told {
	struct strbuf out;
	bool feeds;
};

static void collect(void *data, const struct shell_command *c)
{
	struct told *t = data;

	if (c->sets)
		return;
	for (u32 i = 0; i < c->count; i++)
		strbuf_addf(&t->out, "%s%s", i ? "|" : t->out.len ? " ; " : "", c->words[i]);
	assert_null(c->words[c->count]);
	if (!t->feeds)
		return;
	add_feed(&t->out, "<<", c->feed.text);
	add_feed(&t->out, "<", c->feed.file);
	add_feed(&t->out, "<-", c->feed.from);
}

static void check(const char *text, const char *commands, bool literal, bool feeds)
{
	struct told t = { .feeds = feeds };

	assert_int_equal(shell_each_command(text, 4, literal, collect, &t), 0);
	assert_string_equal(strbuf_str(&t.out), commands);
	strbuf_free(&t.out);
}

static void expect(const char *text, const char *commands)
{
	check(text, commands, false, false);
}

static void expect_feeds(const char *text, const char *commands)
{
	check(text, commands, false, true);
}

static void expect_literal(const char *text, const char *commands)
{
	check(text, commands, true, false);
}

static void test_commands(void **state _unused_)
{
	expect("", "");
	expect("rm -rf /", "rm|-rf|/");
	expect("cd a && rm b || c; d & e\nf | g", "cd|a ; rm|b ; c ; d ; e ; f ; g");
	expect("(rm a); { rm b; }", "rm|a ; rm|b");
	expect("if a; then rm b; else rm c; fi", "a ; rm|b ; rm|c");
	expect("for x in a b; do rm $x; done", "rm|$x");
	expect("for ((i=0; i<3; i++)); do rm a; done", "rm|a");
	expect("case $x in a) rm a;; b|c) rm b;; esac; rm c", "rm|a ; b ; c ; rm|b ; rm|c");
	expect("! rm x", "rm|x");
	expect("a # rm b\nc", "a ; c");
	expect("f() { rm a; }; f", "function|f|once ; rm|a ; f");
	expect("f ( ) { rm a; }; f", "f ; rm|a ; f");
	expect("f ()\n(rm a); f b", "function|f|once ; rm|a ; f|b");
	expect("if a; then function f() { b; }; fi", "a ; function|f|once ; b");
	expect(":(){ :|:& };:", "function|:|forks ; : ; : ; :");
	expect("f(){ f x & }", "function|f|forks ; f|x");
	expect("f(){ f | sort; g && f; f >&2; }", "function|f|once ; f ; sort ; g ; f ; f");
	expect("f(){ echo 'f & f' \"f | f\"; }", "function|f|once ; echo|f & f|f | f");
	expect("f() {", "function|f|once");
	expect("a=() { b; }", "b");
	expect("echo $(f(){ f&f; })", "function|f|forks ; f ; f ; echo|$");
	expect_literal("f()  { f&f; }", "f ; f ; f");
	expect_literal("f() { f&f; }", "function|f|forks ; f ; f");
	expect("function f { rm a; }; f", "rm|a ; f");
}

static void test_words(void **state _unused_)
{
	expect("rm '/a b' \"c d\" e\\ f ''", "rm|/a b|c d|e f|");
	expect("A=1 B='x y' rm C=2", "rm|C=2");
	expect("r\"\"m 'a'\"b\"c", "rm|abc");
	expect("echo 'rm -rf /; x'", "echo|rm -rf /; x");
	expect("rm ${x:-a b} $'a\\'b' c", "rm|${x:-a b}|$|c");
	expect("rm a\\\nb \"c\\\nd\"", "rm|ab|cd");
}

static void test_literal(void **state _unused_)
{
	expect_literal("r\"\"m 'a'\"b\"c", "$|$");
	expect_literal("rm 'a'/\"b\" --x=\"y\" \"$HOME\"/z", "rm|a/b|--x=y|$HOME/z");
	expect_literal("rm a\\b \"don't\" 'x'\\''y'", "rm|$|don't|x'y");
	expect_literal("a > p\"q\"", "a ; >|$");
	expect_literal("a /b/c\"d\"e/f' g'h", "a|/b/$/f $");
}

static void test_redirections(void **state _unused_)
{
	expect("rm a >/dev/null 2>&1", "rm|a ; >|/dev/null");
	expect("rm a > out b 2> err c < in d >> log", "rm|a|b|c|d ; >|out ; >|err ; >>|log");
	expect("rm a &> out; x", "rm|a ; >|out ; x");
	expect("rm 2 >out", "rm|2 ; >|out");
	expect("a >| b; c >& d; e >&- ; f 3<> g; h 2>&12 i", "a ; >|b ; c ; >|d ; e ; f ; h|i");
	expect("> a", ">|a");
	expect("{ a; b; } > c", "a ; b ; >|c");
	expect("(a) > c", "a ; >|c");
	expect("for x in y; do a; done >c", "a ; >|c");
	expect("[[ a > b ]] && [ $((1 > 2)) ] && ((a > 1))", "[[|a|>|b|]] ; [|$|]");
	expect("echo '> a' \"> b\" \\> c # > d", "echo|> a|> b|>|c");
	expect("f > $(rm a)", "rm|a ; f ; >|$");
}

static void test_documents(void **state _unused_)
{
	expect_feeds("a <<E\nx > y\n'\nE\nb", "a <<[x > y\n'\n] ; b");
	expect_feeds("a <<-'E F'|b\n\tx\n\tE F\nc", "a <<[\tx\n] ; b <-[a] ; c");
	expect_feeds("a <<X <<Y; b\n1\nX\n2\nY\nc", "a <<[2\n] ; b ; c");
	expect_feeds("a <<E\n$(rm b) $x\nE", "rm|b ; a <<[$(rm b) $x\n]");
	expect_feeds("a <<'E'\n$(rm b)\nE", "a <<[$(rm b)\n]");
	expect_feeds("a <<E\nx", "a <<[x]");
	expect_feeds("g -m \"$(cat <<'E'\ndon't) > x\nE\n)\" && h",
		     "cat <<[don't) > x\n] ; g|-m|$ <-[cat <<'E'\ndon't) > x\nE\n] ; h");
	expect_feeds("a <<< 'x y' >z", "a <<[x y] ; >|z <-[a]");
	expect_feeds("a < f", "a <[f]");
}

static void test_pipes(void **state _unused_)
{
	expect_feeds("echo x y | a b | c",
		     "echo|x|y ; a|b <<[x y\n] <-[echo x y] ; c <-[echo x y | a b]");
	expect_feeds("cat f | a", "cat|f ; a <[f] <-[cat f]");
	expect_feeds("cat <<E | a\nx\nE", "cat <<[x\n] ; a <<[x\n] <-[cat]");
	expect_feeds("echo a | tee f | c",
		     "echo|a ; tee|f <<[a\n] <-[echo a] ; c <<[a\n] <-[echo a | tee f]");
	expect_feeds("echo a || b; echo c\nd", "echo|a ; b ; echo|c ; d");
	expect_feeds("echo a |\n b", "echo|a ; b <<[a\n] <-[echo a]");
	expect_feeds("z; { echo a; echo b; } | c", "z ; echo|a ; echo|b ; c <<[a\nb\n] <-[echo b]");
	expect_feeds("(printf a; printf b) | c", "printf|a ; printf|b ; c <<[a b] <-[printf b]");
	expect_feeds("(echo a) |& c", "echo|a ; c <<[a\n] <-[echo a]");
	expect_feeds("a <(curl u)", "curl|u ; a|$ <-[curl u]");
}

static void test_outputs(void **state _unused_)
{
	expect_feeds("echo -n a > f", "echo|-n|a ; >|f <<[a\n] <-[echo -n a]");
	expect_feeds(": > f", ": ; >|f <<[] <-[:]");
	expect_feeds("cat /dev/null > f", "cat|/dev/null ; >|f <<[] <-[cat /dev/null]");
	expect_feeds("a > f 2> g", "a ; >|f <-[a] ; >|g <-[a]");
	expect_feeds("echo a 2> g", "echo|a ; >|g <-[echo a]");
	expect_feeds("printf 'a %s\\n' x y > f",
		     "printf|a %s\\n|x|y ; >|f <<[a x\na y\n] <-[printf a %s\\n x y]");
	expect_feeds("printf 'a%s' x > f", "printf|a%s|x ; >|f <-[printf a%s x]");
	expect_feeds("echo '\\x41' > f", "echo|\\x41 ; >|f <-[echo \\x41]");
	expect_feeds("echo '\\d t' > f", "echo|\\d t ; >|f <<[\\d t\n] <-[echo \\d t]");
}

static void test_substitutions(void **state _unused_)
{
	expect("echo $(rm a)", "rm|a ; echo|$");
	expect("echo \"x $(rm 'a)b') y\" z", "rm|a)b ; echo|x $ y|z");
	expect("echo `rm a`", "rm|a ; echo|$");
	expect("cat <(rm a)", "rm|a ; cat|$");
	expect("echo '$(rm a)'", "echo|$(rm a)");
	expect("echo $(case x in a) rm b;; esac) c", "rm|b ; echo|$|c");
	expect("echo $(rm a; (rm b)) c", "rm|a ; rm|b ; echo|$|c");
	expect("echo $((1 + (2 > 1))) c", "echo|$|c");
}

static void test_unfinished(void **state _unused_)
{
	expect("rm 'a", "rm|a");
	expect("rm \"a", "rm|a");
	expect("rm $(a", "a ; rm|$");
	expect("rm \\", "rm");
	expect("rm >", "rm");
	expect("rm <<", "rm");
	expect("$($($($($($(rm a))))))", "$ ; $ ; $ ; $ ; $");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),   cmocka_unit_test(test_words),
		cmocka_unit_test(test_literal),	   cmocka_unit_test(test_redirections),
		cmocka_unit_test(test_documents),  cmocka_unit_test(test_pipes),
		cmocka_unit_test(test_outputs),	   cmocka_unit_test(test_substitutions),
		cmocka_unit_test(test_unfinished),
	};

	return cmocka_run_group_tests_name("shell", tests, NULL, NULL);
}
