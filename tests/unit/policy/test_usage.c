#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/compile.h"
#include "policy/usage.h"

static struct strbuf out;
static struct faults faults = { .out = &out };

static void reset(void)
{
	strbuf_free(&out);
	faults.count = 0;
}

static bool parse(struct arena *a, const char *line, struct usage *ret)
{
	struct source src = { .name = "x", .text = line, .len = strlen(line), .faults = &faults };

	reset();
	return usage_parse(a, &src, (struct text) { .s = line, .spot = 0 }, ret);
}

static void test_items(void **state _unused_)
{
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct usage u;

	assert_true(parse(&a, "git  push origin (-f|--force) !(-n | --dry-run)", &u));
	assert_string_equal(u.program, "git");
	assert_int_equal(u.items_count, 4);
	assert_int_equal(u.items[0].kind, ITEM_WORD);
	assert_string_equal(u.items[1].alts[0].text, "origin");
	assert_int_equal(u.items[2].kind, ITEM_OPTION);
	assert_int_equal(u.items[2].alts_count, 2);
	assert_false(u.items[2].negated);
	assert_true(u.items[3].negated);
	assert_string_equal(u.items[3].alts[1].text, "--dry-run");
	assert_false(u.open);
	assert_true(parse(&a, "rm x ...", &u));
	assert_true(u.open);
	assert_int_equal(u.items_count, 1);
	assert_true(parse(&a, "git checkout -- - a\\=", &u));
	assert_int_equal(u.items[1].kind, ITEM_OPTION);
	assert_int_equal(u.items[2].kind, ITEM_WORD);
	assert_string_equal(u.items[3].alts[0].text, "a\\=");
	assert_true(parse(&a, "x *!(list|get) (a|b)!c [!d]e!f", &u));
	assert_int_equal(u.items_count, 6);
	assert_string_equal(u.items[0].alts[0].text, "*");
	assert_int_equal(u.items[1].kind, ITEM_EXCEPT);
	assert_true(u.items[1].negated);
	assert_string_equal(u.items[1].alts[1].text, "get");
	assert_int_equal(u.items[2].alts_count, 2);
	assert_string_equal(u.items[3].alts[0].text, "c");
	assert_string_equal(u.items[4].alts[0].text, "[!d]e");
	assert_true(parse(&a, "> (/etc/a|/etc/b) << <-=a* !<=b", &u));
	assert_string_equal(u.program, ">");
	assert_int_equal(u.items[0].kind, ITEM_WORD);
	assert_int_equal(u.items[1].kind, ITEM_FED);
	assert_int_equal(u.items[1].alts[0].cond.kind, COND_NONE);
	assert_string_equal(u.items[2].alts[0].text, "<-");
	assert_int_equal(u.items[3].kind, ITEM_FED);
	assert_true(u.items[3].negated);
}

static void test_values(void **state _unused_)
{
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct usage u;

	assert_true(parse(&a,
			  "x (-c|--command)={sql:destructive} --a=b* of={path:device} "
			  "(a|b)={path:~/x}",
			  &u));
	assert_int_equal(u.items[0].alts[1].cond.kind, COND_SQL);
	assert_int_equal(u.items[1].alts[0].cond.kind, COND_GLOB);
	assert_string_equal(u.items[1].alts[0].cond.arg, "b*");
	assert_int_equal(u.items[2].kind, ITEM_KEY);
	assert_int_equal(u.items[2].alts[0].cond.path_class, PATH_DEVICE);
	assert_int_equal(u.items[3].kind, ITEM_KEY);
	assert_int_equal(u.items[3].alts[0].cond.kind, COND_PATH_GLOB);
	assert_true(parse(&a, "x {re:a{2} (b|c)\\} } {glob:*y*} ({path:root}|{path:home})", &u));
	assert_string_equal(u.items[0].alts[0].cond.arg, "a{2} (b|c)\\} ");
	assert_int_equal(u.items[1].kind, ITEM_OPERAND);
	assert_int_equal(u.items[2].alts_count, 2);
}

/* Each bad line with where its fault is and what is said. */
static void test_faults(void **state _unused_)
{
	static const struct {
		const char *line, *message;
	} bad[] = {
		{ "", "x:1:1: a usage line begins with the name of a program" },
		{ "-x", "x:1:1: a usage line begins with the name of a program" },
		{ "(a|b) c", "x:1:1: a usage line begins with the name of a program" },
		{ "git (a|b", "x:1:5: this ( is never closed" },
		{ "git (a b)", "x:1:8: | or ) is missing between alternatives" },
		{ "git (a|-b)", "x:1:8: alternatives are of one kind: these began with words" },
		{ "git (a||b)", "x:1:8: a word or an option is missing here" },
		{ "git )", "x:1:5: a word or an option is missing here" },
		{ "git *!-f", "x:1:6: behind a word, ! says which words it is not" },
		{ "git *!{path:/x}", "x:1:6: behind a word, ! says which words it is not" },
		{ "git *!", "x:1:7: a word or an option is missing here" },
		{ "git *!a!b", "x:1:8: unexpected '!': a blank ends an item" },
		{ "git (a!b)", "x:1:7: | or ) is missing between alternatives" },
		{ "git -f!a", "x:1:7: unexpected '!': a blank ends an item" },
		{ "git !", "x:1:6: a word or an option is missing here" },
		{ "git a)b", "x:1:6: unexpected ')': a blank ends an item" },
		{ "git {path:precious", "x:1:5: this { is never closed: write {NAME:…}" },
		{ "git {path}", "x:1:5: a predicate is {NAME:…}, with NAME one of path, re, sql, "
				"glob, exists, missing, git, plan, env, call" },
		{ "git {path:}", "x:1:11: {path:} says nothing: an argument is missing" },
		{ "git {path:precius}",
		  "x:1:11: unknown class of paths 'precius': did you mean 'precious'?" },
		{ "git {git:lost}",
		  "x:1:10: unknown loss 'lost': write modified, unstaged, untracked, "
		  "ignored, stashed, unmerged or worktree" },
		{ "git {plan:x}", "x:1:11: unknown loss 'x': write deletes" },
		{ "git {env:prod}",
		  "x:1:10: 'prod' says nothing of a variable: write production, or "
		  "NAME=GLOB" },
		{ "git -C={git:modified}", "x:1:8: this predicate stands alone: it asks no value" },
		{ "git {pth:x/y}", "x:1:6: unknown predicate 'pth': did you mean 'path'?" },
		{ "git {not-empty:x}", "x:1:6: unknown predicate 'not-empty': write path, re, sql, "
				       "glob, exists, missing, git, plan, env or call" },
		{ "git {sql:drop}",
		  "x:1:10: unknown class of SQL 'drop': write destructive or reads" },
		{ "git -x=", "x:1:8: a value is missing after =" },
		{ "git {exists:}", "x:1:13: {exists:} says nothing: an argument is missing" },
		{ "git ({exists:a}|b)",
		  "x:1:17: alternatives are of one kind: these began with what is around" },
		{ "git ({path:root}|{path:home})=x",
		  "x:1:30: these alternatives cannot have one more value" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_arena_ struct arena a = ARENA_INIT;
		size_t len = strlen(bad[i].message);
		struct usage u;

		assert_false(parse(&a, bad[i].line, &u));
		assert_int_equal(faults.count, 1);
		if (strncmp(strbuf_str(&out), bad[i].message, len) || out.data[len] != '\n')
			fail_msg("'%s' gives %s", bad[i].line, strbuf_str(&out));
	}
	reset();
}

static void test_limits(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct usage u;

	strbuf_adds(&line, "git");
	for (int i = 0; i < USAGE_MAX_ITEMS; i++)
		strbuf_adds(&line, " x");
	assert_true(parse(&a, strbuf_str(&line), &u));
	strbuf_adds(&line, " x");
	assert_false(parse(&a, strbuf_str(&line), &u));
	assert_non_null(strstr(strbuf_str(&out), "more than 64 items"));
	reset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
