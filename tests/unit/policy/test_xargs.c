#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/strbuf.h"
#include "policy/shellwords.h"
#include "policy/xargs.h"

static void expect(const char *line, struct shell_feed feed, const char *made)
{
	_cleanup_(shell_words_clear) struct shell_words words = { .count = 0 };
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	char **argv;
	size_t count;

	assert_int_equal(shellwords_split(line, &argv, &count), 0);
	xargs_words(argv, (u32)count, &feed, &words);
	for (u32 i = 0; i < words.count; i++)
		strbuf_addf(&out, "%s%s", i ? "|" : "", words.all[i]);
	assert_null(words.all[words.count]);
	assert_string_equal(strbuf_str(&out), made);
	shellwords_free(argv);
}

#define TEXT(t) ((struct shell_feed) { .text = (t) })
#define FROM(t) ((struct shell_feed) { .from = (t) })

static void test_text(void **state _unused_)
{
	expect("xargs rm -rf", TEXT("/etc /home\n/srv\n"), "rm|-rf|/etc|/home|/srv");
	expect("xargs -0 -n 1 -P4 rm", TEXT("a"), "rm|a");
	expect("xargs -I{} rm {}/x y", TEXT("a b"), "rm|a/x|b/x|y");
	expect("xargs -I % sh -c %", TEXT("ls"), "sh|-c|ls");
	expect("xargs --replace cp {} x", TEXT("a"), "cp|a|x");
	expect("xargs", TEXT("a"), "");
}

static void test_commands(void **state _unused_)
{
	expect("xargs rm", FROM("find /home/dev -print0"), "rm|/home/dev/*");
	expect("xargs rm", FROM("find a b -type f -name *.o | grep x"), "rm|a/*.o|b/*.o");
	expect("xargs rm", FROM("find -iname x"), "rm|x");
	expect("xargs rm", FROM("printf %s\\n /home/* x"), "rm|/home/*|x");
	expect("xargs rm", FROM("git ls-files"), "rm|$");
	expect("xargs rm", FROM("ls -1 /home/dev/*.pem x"), "rm|/home/dev/*.pem");
	expect("xargs rm", FROM("find 'a"), "rm|$");
	expect("xargs rm", TEXT(NULL), "rm|$");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
