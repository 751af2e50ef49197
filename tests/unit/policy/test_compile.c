#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "policy/compile.h"
#include "policy/policy.h"

#define HEAD "pack: t\ntitle: T\nprograms:\n  rm:\n"
#define SIGNATURE                                                                                  \
	"signatures:\n- id: a\n  command: rm -r\n  severity: low\n  verdict: hold\n  why: It "     \
	"is.\n"
#define EXAMPLES "  hits: [rm -r a, rm -r b]\n  misses: [rm a, rm b]\n"
#define GOOD	 HEAD SIGNATURE EXAMPLES

static int compile(const char *text, struct strbuf *image, struct strbuf *err)
{
	struct compile_stats stats;

	return policy_compile_text("p.yaml", text, strlen(text), image, &stats, err);
}

static void test_good(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf image = STRBUF_INIT, err = STRBUF_INIT;
	struct compile_stats s;

	assert_int_equal(policy_compile_text("p.yaml", GOOD, strlen(GOOD), &image, &s, &err), 0);
	assert_string_equal(strbuf_str(&err), "");
	assert_int_equal(s.packs, 1);
	assert_int_equal(s.signatures, 1);
	assert_int_equal(s.programs, 1);
	assert_int_equal(s.examples, 4);
	assert_true(s.needles > 1 && s.keys > s.needles && s.rules > 1);
}

/* Each bad input with the message that it must give, all of it or its beginning. */
static const struct {
	const char *text, *message;
} bad[] = {
	{ "", "p.yaml:1:1: the file is empty: a pack begins with pack: NAME\n" },
	{ "# only this\n", "p.yaml:1:1: the file is empty: a pack begins with pack: NAME\n" },
	{ "%YAML 1.2\n---\npack: t\n",
	  "p.yaml:1:1: a line that begins with % is a directive, which is not used here\n" },
	{ "pack: a: b\n", "p.yaml:1:8: no YAML: invalid nested block mapping on the same line\n"
			  "    pack: a: b\n"
			  "           ^\n" },
	{ "pack: [a\n", "p.yaml:2:1: no YAML: flow sequence without a closing bracket\n" },
	{ "- a\n", "p.yaml:1:3: the file needs a mapping (key: value), but this is a list\n" },
	{ "pack: t\ntitle: T\npack: u\n", "p.yaml:3:1: no YAML: duplicate key\n" },
	{ "pack: t\ntitel: T\n", "p.yaml:2:1: unknown key 'titel': did you mean 'title'?\n"
				 "    titel: T\n"
				 "    ^\n"
				 "p.yaml:1:1: 'title:' is missing here\n" },
	{ "pack: t\ntitle: T\nzzzzzzzz: 1\n", "p.yaml:3:1: unknown key 'zzzzzzzz': known here are "
					      "pack, title, programs, signatures, allow "
					      "or local\n" },
	{ "pack: T\ntitle: T\n",
	  "p.yaml:1:7: pack: 'T' is no name: write small letters, digits and -, a letter first\n" },
	{ "pack:\ntitle: T\n", "p.yaml:1:1: pack: needs text, but this is nothing\n" },
	{ "pack: [t]\ntitle: T\n", "p.yaml:1:8: pack: needs text, but this is a list\n" },
	{ "pack: &a t\ntitle: *a\n",
	  "p.yaml:2:1: title: needs text, but this is an alias, which is not used here\n" },
	{ "pack: t\ntitle: T\nprograms:\n  rm: {options: gun}\n",
	  "p.yaml:4:17: options: cannot be 'gun': did you mean 'gnu'?\n" },
	{ "pack: t\ntitle: T\nprograms:\n  rm: {values: [x]}\n",
	  "p.yaml:4:17: 'x' is no option: it begins with - or --\n" },
	{ "pack: t\ntitle: T\nprograms:\n  rm: {values: [-name]}\n",
	  "p.yaml:4:17: '-name': one letter follows a single dash here; where longer names do, the "
	  "program needs options: go\n" },
	{ "pack: t\ntitle: T\nprograms:\n  rm: {nocase: maybe}\n",
	  "p.yaml:4:16: nocase: cannot be 'maybe': write false or true\n" },
	{ "pack: t\ntitle: T\nprograms:\n  rm: gnu\n",
	  "p.yaml:4:7: program rm needs a mapping such as {options: gnu}, or nothing\n" },
	{ "pack: t\ntitle: T\nprograms:\n  rm: {also: [bin/x]}\n",
	  "p.yaml:4:15: 'bin/x': a program's name has no / in it\n" },
	{ HEAD "signatures:\n- x\n",
	  "p.yaml:6:3: a signature is a mapping that begins with id: NAME\n" },
	{ HEAD "signatures: x\n",
	  "p.yaml:5:13: signatures: needs a list ([a, b], or lines that begin with -), but this is "
	  "a single value\n" },
	{ HEAD SIGNATURE "  verdct: hold\n" EXAMPLES,
	  "p.yaml:11:3: unknown key 'verdct': did you mean 'verdict'?\n"
	  "      verdct: hold\n"
	  "      ^\n" },
	{ HEAD SIGNATURE "  hits: [rm -r a]\n  misses: [rm a, rm b]\n",
	  "p.yaml:11:10: hits: needs at least 2 examples\n" },
	{ HEAD SIGNATURE "  attack: X1\n" EXAMPLES,
	  "p.yaml:11:11: attack: is the id of a technique, such as T1485\n" },
	{ HEAD SIGNATURE EXAMPLES "- id: a\n  command: rm -f\n  severity: low\n  verdict: hold\n"
				  "  why: It is.\n  hits: [rm -f a, rm -f b]\n  misses: [rm, ls]\n",
	  "p.yaml:13:7: id 'a' is taken: a signature above has it, each needs its own\n" },
	{ HEAD SIGNATURE "  hits: [rm -r a, rm -f b]\n  misses: [rm a, rm b]\n",
	  "p.yaml:11:19: hits: 'rm -f b' does not match t.a\n"
	  "      hits: [rm -r a, rm -f b]\n"
	  "                      ^\n" },
	{ HEAD SIGNATURE "  hits: [rm -r a, rm -r b]\n  misses: [rm a, rm -r b]\n",
	  "p.yaml:12:18: misses: 'rm -r b' does match t.a\n" },
	{ HEAD SIGNATURE "  instead: rm -r -i x\n" EXAMPLES,
	  "p.yaml:11:12: instead: 'rm -r -i x' is not allowed itself: t.a says hold\n" },
	{ HEAD SIGNATURE "  hits: [\"rm -r 'a\", rm -r b]\n  misses: [rm a, rm b]\n",
	  "p.yaml:11:11: a quote is left open in this command\n" },
	{ "pack: t\ntitle: T\nallow: [rmdri x]\nprograms:\n  rmdir:\n",
	  "p.yaml:3:9: unknown program 'rmdri': did you mean 'rmdir'?\n" },
	{ "pack: t\ntitle: T\nallow: [zzz x]\nprograms:\n  rmdir:\n",
	  "p.yaml:3:9: unknown program 'zzz': list it under programs:\n" },
	{ "pack: t\ntitle: T\nprograms: {'[': }\nallow: ['\\[ x']\n",
	  "p.yaml:4:10: unknown program '\\\\[': did you mean '['?\n" },
	{ "pack: t\ntitle: T\nprograms: {'%%': }\nsignatures:\n- id: a\n  command: '%% x'\n"
	  "  severity: low\n  verdict: hold\n  why: It is.\n  hits: ['%% x', '%% x y']\n"
	  "  misses: [rm, ls]\n",
	  "p.yaml:3:13: program '%%' has a name that cannot be searched for: letters or digits are "
	  "needed in it and in each of also:\n" },
	{ HEAD "allow: ['rm {re:(}']\n",
	  "p.yaml:5:13: no regular expression: missing closing parenthesis, at byte 2 of '('\n" },
	{ HEAD "allow: [rm -rf]\n",
	  "p.yaml:5:12: '-rf': one letter follows a single dash here; write -r -f …, or set "
	  "options: go for the program\n" },
	{ HEAD "allow: [\"rm \\\"(a|\\\"\"]\n",
	  "p.yaml:5:15: unexpected '(': a blank ends an item\n" },
};

static void test_bad(void **state _unused_)
{
	unsigned int wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_strbuf_ struct strbuf image = STRBUF_INIT, err = STRBUF_INIT;

		assert_int_equal(compile(bad[i].text, &image, &err), -EINVAL);
		assert_int_equal(image.len, 0);
		if (strncmp(strbuf_str(&err), bad[i].message, strlen(bad[i].message)) != 0) {
			print_error("%s\ngives:\n%s\n", bad[i].text, strbuf_str(&err));
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* All faults are told, not just the first, and examples are tried beside them. */
static void test_all_faults(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf image = STRBUF_INIT, err = STRBUF_INIT;

	compile(HEAD SIGNATURE
		"  hits: [rm -r a, ls]\n  misses: [rm a, rm b]\n"
		"- id: b\n  command: rm (\n  severity: hih\n  verdict: hold\n  why: no\n"
		"  hits: [rm -f a, rm -f b]\n  misses: [rm, ls]\n",
		&image, &err);
	assert_non_null(strstr(strbuf_str(&err), "'ls' does not match t.a"));
	assert_non_null(strstr(strbuf_str(&err), "this ( is never closed"));
	assert_non_null(strstr(strbuf_str(&err), "did you mean 'high'?"));
	assert_non_null(strstr(strbuf_str(&err), "why: is one sentence"));
}

static void test_many_faults(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf image = STRBUF_INIT, err = STRBUF_INIT, text = STRBUF_INIT;

	strbuf_adds(&text, GOOD);
	for (int i = 0; i < 150; i++)
		strbuf_addf(&text, "x%d: 1\n", i);
	assert_int_equal(compile(strbuf_str(&text), &image, &err), -EINVAL);
	assert_non_null(strstr(strbuf_str(&err), "and 50 faults more\n"));
}

static void write_file(const char *dir, const char *name, const char *text)
{
	_cleanup_strbuf_ struct strbuf path = STRBUF_INIT;

	strbuf_addf(&path, "%s/%s", dir, name);
	assert_int_equal(io_replace_file(strbuf_str(&path), text, strlen(text), 0600), 0);
}

static void test_files(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf image = STRBUF_INIT, err = STRBUF_INIT,
				       command = STRBUF_INIT;
	char dir[] = "/tmp/backstop-compile-XXXXXX", none[] = "/tmp/backstop-none";
	char *paths[] = { dir, none };
	struct compile_stats s;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(policy_compile(paths, 1, NULL, &image, &s, &err), -EINVAL);
	assert_non_null(strstr(strbuf_str(&err), "there is no pack (NAME.yaml) in this directory"));
	write_file(dir, "a.yaml", GOOD);
	write_file(dir, "b.txt", "no pack");
	write_file(dir, ".c.yaml", "no pack");
	strbuf_reset(&err);
	assert_int_equal(policy_compile(paths, 1, NULL, &image, &s, &err), 0);
	assert_int_equal(s.packs, 1);
	write_file(dir, "b.yaml", GOOD);
	assert_int_equal(policy_compile(paths, 1, NULL, &image, &s, &err), -EINVAL);
	assert_non_null(strstr(strbuf_str(&err), "pack 't' is taken: "));
	strbuf_reset(&err);
	write_file(dir, "b.yaml", "pack: u\ntitle: U\nallow: [rm -r x]\n");
	assert_int_equal(policy_compile(paths, 1, NULL, &image, &s, &err), 0);
	assert_int_equal(policy_compile(paths, 2, NULL, &image, &s, &err), -EINVAL);
	assert_non_null(strstr(strbuf_str(&err), "/tmp/backstop-none: No such file or directory"));
	strbuf_addf(&command, "rm -r %s", dir);
	assert_int_equal(system(strbuf_str(&command)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	   cmocka_unit_test(test_bad),
		cmocka_unit_test(test_all_faults), cmocka_unit_test(test_many_faults),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests_name("compile", tests, NULL, NULL);
}
