#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "policy/needles.h"
#include "sample.h"

/* Parses a usage line and adds its rules for a program of that name. */
static bool add(struct needles *n, struct program p, const char *line)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct faults faults = { .out = &err };
	struct source src = { "x", line, strlen(line), &faults };
	struct usage u;

	assert_true(usage_parse(n->arena, &src, (struct text) { .s = line }, &u));
	p.key.s = u.program;
	return needles_add_line(n, &p, &u);
}

static size_t rules_of(const char *line, enum option_style style, size_t *ret_needles)
{
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct needles n;
	size_t rules;

	needles_init(&n, &a);
	assert_true(add(&n, (struct program) { .style = style }, line));
	rules = n.rules_count;
	*ret_needles = n.all_count - BS_NEEDLE_FIRST;
	needles_free(&n);
	return rules;
}

static void test_rules(void **state _unused_)
{
	static const struct {
		const char *line;
		enum option_style style;
		size_t rules, needles;
	} samples[] = {
		{ "rm", STYLE_GNU, 1, 1 },
		{ "rm -r {path:precious}", STYLE_GNU, 1, 1 },
		{ "rm (-r|-R|-d)", STYLE_GNU, 3, 1 }, /* letters have needles of their own */
		{ "git push (-f|--force)", STYLE_GNU, 2, 3 },
		{ "git push --force", STYLE_GETOPT, 1, 3 },
		{ "git push --", STYLE_GETOPT, 1, 3 },
		{ "curl (-X|--request)=DELETE", STYLE_GETOPT, 2, 4 },
		{ "dd of=/dev/sd*", STYLE_GETOPT, 1, 4 },
		{ "dd of={path:device}", STYLE_GETOPT, 1, 2 },
		{ "x {glob:*prod*}", STYLE_GETOPT, 1, 2 },
		{ "x {re:^dev-|prod}", STYLE_GETOPT, 2, 3 },
		{ "x {re:drop_all\\(}", STYLE_GETOPT, 1, 2 },
		{ "kubectl delete (ns|namespace)", STYLE_GNU, 2, 4 },
		{ "kubectl delete !ns", STYLE_GNU, 1, 2 },
		{ "aws rds delete-*", STYLE_GNU, 1, 3 },
		{ "aws * *", STYLE_GNU, 1, 1 },
		{ "rails db:drop", STYLE_GNU, 1, 3 },
		{ "psql -c={sql:destructive}", STYLE_GNU, 6, 12 },
		{ "find -delete", STYLE_GO, 1, 2 },
		{ "find (-delete|-exec)", STYLE_GO, 2, 3 },
		{ "find -d", STYLE_GO, 1, 2 },
		{ "python {call:open path:data arg:w}", STYLE_GETOPT, 1, 3 },
		{ "python {call:open arg:/etc/* arg:*w}", STYLE_GETOPT, 1, 2 },
		{ "python {call:open arg:w?}", STYLE_GETOPT, 1, 2 },
		{ "node {call:rmSync named:recursive=true no:w}", STYLE_GETOPT, 1, 3 },
		{ "x (a|b|c|d|e) (f|g|h|i|j) (k|l|m|n|o) (p|q|r|s|t)", STYLE_GNU, 125, 21 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		size_t needles, rules = rules_of(samples[i].line, samples[i].style, &needles);

		if (rules != samples[i].rules || needles != samples[i].needles)
			fail_msg("%s: %zu rules, %zu needles", samples[i].line, rules, needles);
	}
}

/* Lines that ask for the same share needles and rules. */
static void test_shared(void **state _unused_)
{
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct needles n;

	needles_init(&n, &a);
	assert_true(add(&n, (struct program) { 0 }, "git push -f"));
	assert_true(add(&n, (struct program) { 0 }, "git push -n"));
	assert_true(add(&n, (struct program) { 0 }, "git PUSH -f"));
	assert_int_equal(n.rules_count, 3);
	assert_int_equal(n.all_count - BS_NEEDLE_FIRST, 3);
	needles_free(&n);
}

/* Of a glob all runs are looked for, here the first, with what must be beside it. */
static void test_runs(void **state _unused_)
{
	static const struct {
		const char *glob, *text;
		bool left, right;
	} samples[] = {
		{ "delete-*", "delete-", true, false },
		{ "*-all", "-all", false, true },
		{ "\\0e:", "0e", true, true },
		{ "a\\*bcd", "a", true, true },
		{ "x\\yz*", "xyz", true, false },
		{ "[]ab]bcd", "abcd", false, true },
		{ "ab[cd", "ab", true, true },
		{ "[!]x]abc[", "aabc", false, true },
		{ "ab?cde:f", "ab", true, false },
		{ "*:ab", "ab", true, true },
		{ "?\\", "", false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		_cleanup_arena_ struct arena a = ARENA_INIT;
		const struct pattern *p = &(struct pattern) { .text = "" };
		struct needles n;

		needles_init(&n, &a);
		add(&n, (struct program) { 0 }, arena_printf(&a, "p %s", samples[i].glob));
		if (n.all_count > BS_NEEDLE_FIRST + 1)
			p = &n.all[BS_NEEDLE_FIRST + 1].patterns[0];
		if (strcmp(p->text, samples[i].text) != 0 || p->left != samples[i].left ||
		    p->right != samples[i].right)
			fail_msg("%s: '%s', %d, %d", samples[i].glob, p->text, p->left, p->right);
		needles_free(&n);
	}
}

static void test_no_needle(void **state _unused_)
{
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct needles n;

	needles_init(&n, &a);
	assert_false(add(&n, (struct program) { 0 }, "@@ x"));
	assert_false(add(&n, (struct program) { 0 }, "* x"));
	assert_true(add(&n, (struct program) { 0 }, "python3.* x"));
	assert_false(add(&n, (struct program) { 0 }, "> {path:precious}"));
	assert_false(add(&n, (struct program) { 0 }, "> {path:/etc/**}"));
	assert_false(add(&n, (struct program) { 0 }, "> << {path:device}"));
	assert_true(add(&n, (struct program) { 0 }, "> {path:/etc/pa*}"));
	assert_true(add(&n, (struct program) { 0 }, ">> {path:data}"));
	needles_free(&n);
}

/* However the text of an argument is put together, it is found: sample_ask() fails where what
 * matches is no candidate. */
static void test_pieces(void **state _unused_)
{
	static const char pack[] =
		"pack: p\ntitle: P\nprograms: {python3: }\nsignatures:\n  - id: w\n    command: "
		"python3 ({call:open path:data arg:wb}|{call:open path:data named:mode=w*})\n"
		"    severity: high\n    verdict: hold\n    why: Empties it.\n"
		"    hits: [\"python3 -c \\\"open('a.db','wb')\\\"\",\n"
		"      \"python3 -c \\\"open('a.db',mode='w')\\\"\"]\n"
		"    misses: [\"python3 -c \\\"open('a.db')\\\"\", python3 wb]\n";
	static const char *const lines[] = {
		"python3 -c \"open('a.db', 'w' + 'b')\"",
		"python3 -c \"open('a.db', '' 'wb')\"",
		"python3 -c \"open('a.db', 'w' 'b')\"",
		"python3 -c \"open('a.db', r'''wb''')\"",
		"python3 -c \"open('a.db', b'w\\\\b')\"",
		"python3 -c \"m='wb';open('a.db',m)\"",
		"python3 -c \"with open('a.db',\nmode='wt') as f: pass\"",
		"bash -c 'printf \"open(\\\"a.db\\\",\\n\\nmode=\\\"w\\\")\" | python3'",
		"bash -c 'printf \"open(\\\"a.db\\\",\\\"\\\\\\\\\\nwb\\\")\" | python3'",
	};
	struct policy *p = sample_policy(pack);

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_string_equal(sample_ask(p, lines[i]),
				    strncmp(lines[i], "bash", 4) == 0 ? "p.w via sh -c" : "p.w");
	policy_free(p);
}

static void test_tables(void **state _unused_)
{
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct tables m;
	struct needles n;

	needles_init(&n, &a);
	needles_add_carriers(&n);
	assert_true(add(&n, (struct program) { 0 }, "git push -f"));
	assert_int_equal(tables_build(&n, &m), 0);
	assert_int_equal(m.needles, n.all_count - 1);
	assert_int_equal(m.rules_count, n.rules_count);
	for (u32 i = 0; i < m.buckets_count; i++)
		for (u32 k = 0; k < BS_BUCKET_KEYS; k++)
			assert_in_range(m.buckets[i].list[k], 0, m.lists_count - 1);
	for (u32 i = 1; i < m.lists_count; i++)
		assert_in_range(m.lists[i] & BS_LIST_MASK, 1, m.anchors_count - 1);
	needles_free(&n);
}

static void test_too_many(void **state _unused_)
{
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct tables m;
	struct needles n;

	needles_init(&n, &a);
	for (int i = 0; i < BS_MAX_NEEDLES; i++)
		add(&n, (struct program) { 0 }, arena_printf(&a, "p%d", i));
	assert_int_equal(tables_build(&n, &m), -E2BIG);
	needles_free(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),	  cmocka_unit_test(test_shared),
		cmocka_unit_test(test_no_needle), cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_tables),	  cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_runs),
	};

	return cmocka_run_group_tests_name("needles", tests, NULL, NULL);
}
