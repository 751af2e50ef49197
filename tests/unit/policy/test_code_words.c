#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/strbuf.h"
#include "policy/code_words.h"
#include "policy/shellwords.h"

static void expect(const char *line, const char *codes)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	const char *code;
	char **words;
	size_t count;
	u32 at = 0;

	assert_int_equal(shellwords_split(line, &words, &count), 0);
	while ((code = code_next(words[0], words + 1, (u32)count - 1, &at)))
		strbuf_addf(&out, "%s%s", out.len ? "|" : "", code);
	assert_string_equal(strbuf_str(&out), codes);
	shellwords_free(words);
}

static void test_options(void **state _unused_)
{
	expect("python3 -c 'a b' -c d", "a b|d");
	expect("python3.11 -Ic a", "a");
	expect("python -ca", "a");
	expect("python -W ignore -uc a", "a");
	expect("python x.py -c a", "");
	expect("python -m json.tool -c", "");
	expect("node -pe a", "a");
	expect("node --eval=a --print b", "a|b");
	expect("node --require x -e a", "a");
	expect("bun -e a", "a");
	expect("deno eval --ext ts a", "a");
	expect("deno run -e a", "");
	expect("perl -i.bak -lane a -e b file", "a|b");
	expect("perl -MFile::Path=rmtree -e a", "a");
	expect("perl -e'a' -we b", "a|b");
	expect("ruby -rfoo -e a -eb", "a|b");
	expect("ruby -ne", "");
	expect("php -d x=1 -r a", "a");
	expect("awk -F : -v x=1 a file", "a");
	expect("awk -f x.awk file", "file");
	expect("Rscript -e a", "a");
	expect("bash -c a", "");
	expect("python -- -c a", "");
}

static void test_languages(void **state _unused_)
{
	assert_int_equal(code_language_of("python3.11"), CODE_PYTHON);
	assert_int_equal(code_language_of("pypy3"), CODE_PYTHON);
	assert_int_equal(code_language_of("node-18"), CODE_JAVASCRIPT);
	assert_int_equal(code_language_of("perl5.36"), CODE_PERL);
	assert_int_equal(code_language_of("pythonic"), -1);
	assert_int_equal(code_language_of(""), -1);
	assert_int_equal(code_language_of("7z"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_languages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
