#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sample.h"
#include "policy/terminal.h"

/* The text that the command hands over; NULL where it is none. */
static const char *handed(const char *line)
{
	static char text[256];
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	char **words;
	size_t count;
	bool found;

	assert_int_equal(shellwords_split(line, &words, &count), 0);
	found = terminal_text(words[0], words + 1, (u32)count - 1, &out);
	snprintf(text, sizeof(text), "%s", strbuf_str(&out));
	shellwords_free(words);
	return found ? text : NULL;
}

static void test_tmux_runs(void **state _unused_)
{
	assert_string_equal(handed("tmux new-session -d -s a 'make all'"), "make all\n");
	assert_string_equal(handed("tmux -L x -f y neww -n a -c /d make all"), "make all\n");
	assert_string_equal(handed("tmux split-w -h make"), "make\n");
	assert_string_equal(handed("tmux run-shell -b 'a; b'"), "a; b\n");
	assert_null(handed("tmux ls"));
	assert_null(handed("tmux"));
	assert_null(handed("tmuxx new a"));
}

static void test_tmux_types(void **state _unused_)
{
	assert_string_equal(handed("tmux send-keys -t a:1 'make all' Enter"), "make all\n\n");
	assert_string_equal(handed("tmux send make Space all C-m"), "make all\n\n");
	assert_string_equal(handed("tmux send -l make Enter"), "make$Enter\n");
	assert_string_equal(handed("tmux send a/ b"), "a/b\n");
	assert_string_equal(handed("tmux new -d a \\; send 'b c' Enter; send d"), "a\nb c\n\nd\n");
}

static void test_screen(void **state _unused_)
{
	assert_string_equal(handed("screen -S a -p 0 -X stuff 'make all\\n'"), "make all\n\n");
	assert_string_equal(handed("screen -X stuff 'a^Mb^M'"), "a\n$b\n\n");
	assert_string_equal(handed("screen -r a -X at 1 stuff 'make\\015'"), "make\n\n");
	assert_string_equal(handed("screen -X eval 'stuff make' title"), "make\n");
	assert_string_equal(handed("screen -X screen make all"), "make all\n");
	assert_null(handed("screen -ls"));
	assert_null(handed("screen -dmS a make"));
}

static const char pack[] = "pack: p\ntitle: P\nprograms: {foo: }\nsignatures:\n"
			   "  - id: all\n    command: foo (drop|wipe) !{path:scratch}\n"
			   "    severity: high\n    verdict: hold\n    why: Drops all.\n"
			   "    hits: [foo drop /srv/x, \"tmux send 'foo drop x' Enter\"]\n"
			   "    misses: [foo list, \"tmux send 'foo list' Enter\"]\n";

static void test_carried(void **state _unused_)
{
	struct policy *p = sample_policy(pack);

	assert_string_equal(sample_ask(p, "tmux send-keys -t a 'cd x && foo drop y' Enter"),
			    "p.all via tmux");
	assert_string_equal(sample_ask(p, "tmux new -d foo wipe"), "p.all via tmux");
	assert_string_equal(sample_ask(p, "screen -X stuff 'foo wipe\\n'"), "p.all via screen");
	assert_string_equal(sample_ask(p, "tmux new -d ssh h 'foo wipe'"), "p.all via tmux");
	assert_string_equal(sample_ask(p, "tmux send 'fo' 'o drop x' Enter"), "");
	assert_string_equal(sample_ask(p, "tmux send 'foo drop /tmp/x' Enter"), "");
	assert_string_equal(sample_ask(p, "tmux send 'git commit -m \"foo drop\"' Enter"), "");
	policy_free(p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tmux_runs),
		cmocka_unit_test(test_tmux_types),
		cmocka_unit_test(test_screen),
		cmocka_unit_test(test_carried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
