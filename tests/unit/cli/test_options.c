#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli/options.h"

struct options {
	bool all, json;
	const char *name;
	unsigned int count;
};

static const struct option_def defs[] = {
	{ "all", 'a', OPTION_FLAG, NULL, "all", offsetof(struct options, all) },
	{ "json", 0, OPTION_FLAG, NULL, "json", offsetof(struct options, json) },
	{ "name", 'n', OPTION_STRING, "NAME", "name", offsetof(struct options, name) },
	{ "count", 'c', OPTION_UINT, "NUMBER", "count", offsetof(struct options, count) },
	{ 0 },
};

static const struct command plain = { .name = "try",
				      .arguments = "[WORD…]",
				      .options = defs,
				      .options_size = sizeof(struct options),
				      .max_operands = UINT_MAX };

#define WORDS_MAX 8

struct
try {
	char *argv[WORDS_MAX + 1];
	struct options options;
	int operands;
	struct strbuf err;
};

/* Parses the words of `line`, which are parted by single spaces. */
static int parse(struct try *t, const struct command *c, const char *line)
{
	static char words[256];
	char *save, *word;
	int argc = 0;

	strbuf_free(&t->err);
	memset(t, 0, sizeof(*t));
	t->operands = -1;
	strcpy(words, line);
	for (word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save))
		t->argv[argc++] = word;
	return options_parse(c, argc, t->argv, &t->options, &t->operands, &t->err);
}

static void takes_every_spelling(void **state)
{
	static const char *const spellings[] = {
		"--name x --count 7 -a",
		"--name=x --count=7 --all",
		"-n x -c 7 -a",
		"-nx -c7 -a",
		"-an x -c 7",
		"-ac7 -nx",
	};
	struct try t = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		assert_int_equal(parse(&t, &plain, spellings[i]), 0);
		assert_true(t.options.all);
		assert_false(t.options.json);
		assert_string_equal(t.options.name, "x");
		assert_int_equal(t.options.count, 7);
		assert_int_equal(t.operands, 0);
		assert_null(t.argv[0]);
	}
}

static void operands_may_stand_anywhere(void **state)
{
	struct try t = { 0 };

	(void)state;
	assert_int_equal(parse(&t, &plain, "one -a two --name=x three"), 0);
	assert_int_equal(t.operands, 3);
	assert_string_equal(t.argv[0], "one");
	assert_string_equal(t.argv[1], "two");
	assert_string_equal(t.argv[2], "three");
	assert_null(t.argv[3]);
	assert_true(t.options.all);
	assert_int_equal(parse(&t, &plain, "- -a"), 0);
	assert_string_equal(t.argv[0], "-");
}

static void two_dashes_end_the_options(void **state)
{
	struct try t = { 0 };

	(void)state;
	assert_int_equal(parse(&t, &plain, "-a -- --json -- x"), 0);
	assert_int_equal(t.operands, 3);
	assert_string_equal(t.argv[0], "--json");
	assert_string_equal(t.argv[1], "--");
	assert_false(t.options.json);
	assert_int_equal(parse(&t, &plain, "--name -- x"), 0);
	assert_string_equal(t.options.name, "--");
}

static void the_first_operand_may_end_the_options(void **state)
{
	struct command c = plain;
	struct try t = { 0 };

	(void)state;
	c.stops_at_operand = true;
	assert_int_equal(parse(&t, &c, "-a rm --json -- x"), 0);
	assert_int_equal(t.operands, 4);
	assert_string_equal(t.argv[0], "rm");
	assert_string_equal(t.argv[1], "--json");
	assert_string_equal(t.argv[2], "--");
	assert_false(t.options.json);
	assert_int_equal(parse(&t, &c, "-a -- --json"), 0);
	assert_string_equal(t.argv[0], "--json");
}

static void help_can_be_asked_for(void **state)
{
	struct try t = { 0 };

	(void)state;
	assert_int_equal(parse(&t, &plain, "--help"), 1);
	assert_int_equal(parse(&t, &plain, "-h"), 1);
	assert_int_equal(parse(&t, &plain, "-ah"), 1);
	assert_int_equal(parse(&t, &plain, "x --help"), 1);
	assert_int_equal(parse(&t, &plain, "-- --help"), 0);
}

static void errors_name_the_value_and_what_is_right(void **state)
{
	static const struct {
		const char *line, *error;
	} cases[] = {
		{ "--jsom", "try: --jsom is no option: did you mean --json? 'backstop try --help' "
			    "lists all" },
		{ "--quite-another",
		  "try: --quite-another is no option: 'backstop try --help' lists all" },
		{ "-x", "try: -x is no option: 'backstop try --help' lists all" },
		{ "-ax", "try: -ax is no option: 'backstop try --help' lists all" },
		{ "--=x", "try: --=x is no option: 'backstop try --help' lists all" },
		{ "--conut=7", "try: --conut=7 is no option: did you mean --count? 'backstop try "
			       "--help' lists all" },
		{ "--all=yes", "try: --all=yes has a value: --all takes none" },
		{ "--name", "try: --name needs a value: --name NAME" },
		{ "-n", "try: --name needs a value: --name NAME" },
		{ "--count 10abc",
		  "try: 10abc is no NUMBER for --count: give a whole number from 1 to 4294967295" },
		{ "--count=",
		  "try: '' is no NUMBER for --count: give a whole number from 1 to 4294967295" },
		{ "-c-1",
		  "try: -1 is no NUMBER for --count: give a whole number from 1 to 4294967295" },
		{ "--count 0",
		  "try: 0 is no NUMBER for --count: give a whole number from 1 to 4294967295" },
		{ "-c +1",
		  "try: +1 is no NUMBER for --count: give a whole number from 1 to 4294967295" },
		{ "-c 4294967296", "try: 4294967296 is no NUMBER for --count: give a whole number "
				   "from 1 to 4294967295" },
		{ "-c 99999999999999999999999", "try: 99999999999999999999999 is no NUMBER for "
						"--count: give a whole number from 1 to "
						"4294967295" },
	};
	struct try t = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(parse(&t, &plain, cases[i].line), -EINVAL);
		assert_string_equal(strbuf_str(&t.err), cases[i].error);
		assert_int_equal(t.operands, -1);
	}
	strbuf_free(&t.err);
}

static void operands_are_counted(void **state)
{
	struct command c = {
		.name = "two", .arguments = "A B", .min_operands = 2, .max_operands = 2
	};
	struct command none = { .name = "none", .arguments = "" };
	struct try t = { 0 };

	(void)state;
	assert_int_equal(parse(&t, &none, "a"), -EINVAL);
	assert_string_equal(strbuf_str(&t.err), "none: a is one operand too many: backstop none");
	assert_int_equal(parse(&t, &c, "a b"), 0);
	assert_int_equal(parse(&t, &c, "a"), -EINVAL);
	assert_string_equal(strbuf_str(&t.err), "two: an operand is missing: backstop two A B");
	assert_int_equal(parse(&t, &c, "a b c"), -EINVAL);
	assert_string_equal(strbuf_str(&t.err), "two: c is one operand too many: backstop two A B");
	assert_int_equal(parse(&t, &c, "a --b"), -EINVAL);
	assert_string_equal(strbuf_str(&t.err),
			    "two: --b is no option: 'backstop two --help' lists all");
	strbuf_free(&t.err);
}

static void numbers_are_checked_whole(void **state)
{
	static const char *const bad[] = {
		"", " 1", "1 ", "0x10", "1e3", "-0", "18446744073709551616"
	};
	uint64_t n = 42;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse_number(bad[i], UINT64_MAX, &n), -EINVAL);
	assert_int_equal(n, 42);
	assert_int_equal(parse_number("18446744073709551615", UINT64_MAX, &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(parse_number("007", 7, &n), 0);
	assert_int_equal(n, 7);
	assert_int_equal(parse_number("8", 7, &n), -EINVAL);
	assert_int_equal(parse_number("4", 3, &n), -EINVAL);
}

static const char *fruit_at(const void *data, size_t i)
{
	static const char *const fruit[] = { "apple", "pear", "plum", NULL };

	(void)data;
	return fruit[i];
}

static void the_nearest_name_is_found(void **state)
{
	(void)state;
	assert_string_equal(nearest_name("aple", fruit_at, NULL), "apple");
	assert_string_equal(nearest_name("paer", fruit_at, NULL), "pear");
	assert_string_equal(nearest_name("plums", fruit_at, NULL), "plum");
	assert_null(nearest_name("banana", fruit_at, NULL));
	assert_null(nearest_name("", fruit_at, NULL));
	assert_null(nearest_name("a-word-that-is-far-too-long-to-be-any-name", fruit_at, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_every_spelling),
		cmocka_unit_test(operands_may_stand_anywhere),
		cmocka_unit_test(two_dashes_end_the_options),
		cmocka_unit_test(the_first_operand_may_end_the_options),
		cmocka_unit_test(help_can_be_asked_for),
		cmocka_unit_test(errors_name_the_value_and_what_is_right),
		cmocka_unit_test(operands_are_counted),
		cmocka_unit_test(numbers_are_checked_whole),
		cmocka_unit_test(the_nearest_name_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
