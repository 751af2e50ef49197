#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/escape.h"
#include "base/utf8.h"

static void assert_escaped(const char *in, size_t len, const char *want)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	escape_bytes(&sb, in, len);
	assert_string_equal(strbuf_str(&sb), want);
}

static void test_bytes(void **state _unused_)
{
	assert_escaped("", 0, "");
	assert_escaped("plain text, 'quotes' and ümläut 漢 🙂", 42,
		       "plain text, 'quotes' and ümläut 漢 🙂");
	assert_escaped("a\nb\tc\rd\033[31m", 12, "a\\nb\\tc\\rd\\e[31m");
	assert_escaped("\0\x01\x1f\x7f", 4, "\\x00\\x01\\x1f\\x7f");
	assert_escaped("\\n", 2, "\\\\n");
	assert_escaped("\xff\xc3(\xed\xa0\x80", 6, "\\xff\\xc3(\\xed\\xa0\\x80");
	assert_escaped("\xc2\x9b"
		       "31m",
		       5, "\\xc2\\x9b31m"); /* CSI as one C1 character */
	assert_escaped("\u202e\u2066\u200b\ufeff\u2028", 15,
		       "\\u{202e}\\u{2066}\\u{200b}\\u{feff}\\u{2028}");
	assert_escaped("rm\u00a0x", 5, "rm\\u{00a0}x");
	assert_escaped("\U000e0041", 4, "\\u{e0041}");
}

/* No input makes an output that could steer a terminal or hide something. */
static void assert_harmless(const char *s, size_t len)
{
	uint32_t code = 0;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = utf8_decode(s + i, len - i, &code);
		assert_true(n > 0);
		assert_true(code >= 0x20 && (code < 0x7f || code > 0xa0));
		assert_false(code >= 0x200b && code <= 0x200f);
		assert_false(code >= 0x2028 && code <= 0x202e);
		assert_false(code >= 0x2060 && code <= 0x206f);
	}
}

static void fill_hostile(char *bytes, size_t len, unsigned int *seed)
{
	static const char *const pieces[] = { "\u202e", "\xc2\x85", "\033]0;", "\\",
					      "'",	"\xe2\x80", "\n",      "é",
					      "\u2067", "$",	    "`",       "\xff" };
	size_t i = 0;

	while (i < len) {
		const char *p = pieces[rand_r(seed) % ARRAY_SIZE(pieces)];
		size_t n = MIN(strlen(p), len - i);

		if (rand_r(seed) & 1)
			bytes[i++] = (rand_r(seed) >> 7) % 255 + 1;
		else
			memcpy(bytes + i, p, n), i += n;
	}
}

static void test_hostile_bytes_come_out_harmless(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	unsigned int seed = 1;
	char bytes[65] = "";

	for (int i = 0; i < 20000; i++) {
		size_t len = rand_r(&seed) % (sizeof(bytes) - 1);

		fill_hostile(bytes, len, &seed);
		bytes[len] = '\0';
		strbuf_reset(&sb);
		escape_bytes(&sb, bytes, len);
		escape_word(&sb, bytes);
		assert_harmless(strbuf_str(&sb), sb.len);
	}
}

static void assert_word(const char *in, const char *want)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	escape_word(&sb, in);
	assert_string_equal(strbuf_str(&sb), want);
}

static void test_words(void **state _unused_)
{
	assert_word("terraform", "terraform");
	assert_word("-chdir=/srv/infra", "-chdir=/srv/infra");
	assert_word("", "''");
	assert_word("a b", "'a b'");
	assert_word("it's", "'it'\\''s'");
	assert_word("$HOME", "'$HOME'");
	assert_word("~", "'~'");
	assert_word("a\\b", "'a\\b'");
	assert_word("größe", "'größe'");
	assert_word("a\nb", "$'a\\nb'");
	assert_word("it's\033\\", "$'it\\'s\\e\\\\'");
	assert_word("\xff"
		    "0",
		    "$'\\xff0'");
	assert_word("x\u202ey", "$'x\\xe2\\x80\\xaey'");
}

/* What a shell makes of the words is what went in. */
static void test_a_shell_reads_the_words_back(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf script = STRBUF_INIT;
	unsigned int seed = 3;
	char words[40][33] = { "" }, got[4096];
	size_t want = 0;
	FILE *shell;

	strbuf_adds(&script, "exec bash -c 'printf \"%s\\0\" \"$@\"' -");
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		fill_hostile(words[i], 32, &seed);
		strbuf_addc(&script, ' ');
		escape_word(&script, words[i]);
		want += strlen(words[i]) + 1;
	}
	setenv("SCRIPT", strbuf_str(&script), 1);
	shell = popen("exec bash -c \"$SCRIPT\"", "r");
	assert_non_null(shell);
	assert_int_equal(fread(got, 1, sizeof(got), shell), want);
	assert_int_equal(pclose(shell), 0);
	for (size_t i = 0, at = 0; i < ARRAY_SIZE(words); at += strlen(words[i++]) + 1)
		assert_string_equal(got + at, words[i]);
}

static void assert_argv(char *const *argv, size_t max, const char *want)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_adds(&sb, "> ");
	escape_argv(&sb, argv, max);
	assert_string_equal(strbuf_str(&sb), want);
}

static void test_argv(void **state _unused_)
{
	static char rm[] = "rm", rf[] = "-rf", spaced[] = "a b", e[] = "éé";
	char *argv[] = { rm, rf, spaced, NULL }, *none[] = { NULL }, *wide[] = { e, NULL };

	assert_argv(argv, 0, "> rm -rf 'a b'");
	assert_argv(argv, 12, "> rm -rf 'a b'");
	assert_argv(argv, 11, "> rm -rf 'a b…");
	assert_argv(argv, 2, "> rm…");
	assert_argv(none, 0, "> ");
	assert_argv(wide, 3, "> 'é…");
	assert_argv(wide, 4, "> 'é…");
}

static void test_markup(void **state _unused_)
{
	static const char text[] = "<b> & \\n \"é\"\0>";
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	escape_markup(&sb, text, sizeof(text) - 1);
	assert_string_equal(strbuf_str(&sb), "&lt;b&gt; &amp; \\n \"é\"");
	assert_memory_equal(sb.data + sb.len - 5, "\0&gt;", 5);
	strbuf_reset(&sb);
	escape_markup(&sb, text, 1);
	assert_string_equal(strbuf_str(&sb), "&lt;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_hostile_bytes_come_out_harmless),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_a_shell_reads_the_words_back),
		cmocka_unit_test(test_argv),
		cmocka_unit_test(test_markup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
