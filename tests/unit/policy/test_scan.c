#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "naive.h"
#include "policy/scan.h"

#define ROUNDS 300
#define INPUTS 40

static u64 seed = 20261122;

static u32 random_below(u32 n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(seed >> 33) % n;
}

/* Few letters, so that needles overlap, begin and end in each other. */
static char random_letter(void)
{
	return "abAB-1"[random_below(6)];
}

static const char *random_word(struct arena *a)
{
	size_t len = 1 + random_below(5);
	char *word = arena_alloc(a, len + 1);

	for (size_t i = 0; i < len; i++)
		word[i] = random_letter();
	return word;
}

/* A usage line of words, some of them globs, some alternatives. */
static void random_line(struct arena *a, struct needles *n)
{
	struct program p = { .key.s = random_word(a) };
	struct usage u = { 0 };

	while (random_below(3))
		ARENA_PUSH(a, p.also, (struct text) { .s = random_word(a) });
	while (random_below(3)) {
		struct item item = { .kind = ITEM_WORD, .negated = !random_below(5) };

		do {
			const char *word = random_word(a);
			struct alt alt = { .text = word };

			if (!random_below(3))
				alt.text = arena_printf(a, "%s*%s", random_below(2) ? word : "",
							random_word(a));
			else if (!random_below(4))
				alt.text = arena_printf(a, "%s:%s", word, random_word(a));
			ARENA_PUSH(a, item.alts, alt);
		} while (random_below(2));
		ARENA_PUSH(a, u.items, item);
	}
	assert_true(needles_add_line(n, &p, &u));
}

/* Words of the same few letters, often around the end of a chunk. */
static size_t random_input(u8 *data, size_t max)
{
	size_t len = random_below(4) ? random_below(60) : BS_CHUNK - 20 + random_below(60);

	memset(data, 0, max);
	for (size_t i = len > 200 ? len - 60 : 0; i < len; i++)
		data[i] = random_below(4) ? (u8)random_letter() : (u8) " \0/:"[random_below(4)];
	return len + 1; /* the last word is ended as well */
}

static struct scan_tables tables_of(const struct tables *t)
{
	return (struct scan_tables) {
		.filter = t->filter,
		.buckets = t->buckets,
		.lists = t->lists,
		.anchors = t->anchors,
		.rules = t->rules,
		.filter_count = t->filter_count,
		.buckets_count = t->buckets_count,
		.lists_count = t->lists_count,
		.anchors_count = t->anchors_count,
		.rules_count = t->rules_count,
	};
}

/* The scan says exactly what a naive search says; only where more needles are in play than it can
 * count may it say candidate all the same. */
static void test_against_naive_search(void **state _unused_)
{
	static u8 data[2 * BS_CHUNK];
	unsigned int candidates = 0, total = 0;

	for (int round = 0; round < ROUNDS; round++) {
		_cleanup_arena_ struct arena a = ARENA_INIT;
		struct scan_tables t;
		struct tables m;
		struct needles n;
		size_t rules;

		needles_init(&n, &a);
		for (u32 i = 1 + random_below(6); i > 0; i--)
			random_line(&a, &n);
		rules = n.rules_count;
		assert_int_equal(tables_build(&n, &m), 0);
		t = tables_of(&m);
		for (int i = 0; i < INPUTS; i++) {
			size_t len = random_input(data, sizeof(data));
			bool naive = naive_candidate(&n, rules, data, len);
			bool found = scan_bytes(&t, data, len);

			if (naive && !found)
				fail_msg("round %d: missed", round);
			if (found && !naive && n.rules_count == rules && n.all_count < 60)
				fail_msg("round %d: false alarm", round);
			candidates += naive;
			total++;
		}
		needles_free(&n);
	}
	print_message("%u of %u inputs are candidates\n", candidates, total);
	assert_in_range(candidates, total / 20, total - total / 20);
}

/* What an exec has in its head, and in argv. */
struct exec {
	u8 head[200], args[400];
	size_t head_len, args_len;
	bool carrier;
};

/* Is it there, as policy and scan must see it alike? `more`: what the scan may see beyond. */
static bool naive_in_exec(const struct needles *n, u32 needle, const struct exec *e, bool more)
{
	bool name = needle >= BS_NEEDLE_CARRIER && n->all[needle].name;

	return ((name || more) && naive_has(n, needle, e->head, e->head_len)) ||
	       ((!name || e->carrier) && naive_has(n, needle, e->args, e->args_len));
}

static bool naive_exec(const struct needles *n, const struct exec *e, bool more)
{
	for (size_t i = 0; i < n->rules_count; i++) {
		const u32 *need = n->rules[i].needles;
		size_t k = 0;

		while (k < BS_RULE_NEEDLES && (!need[k] || naive_in_exec(n, need[k], e, more)))
			k++;
		if (k == BS_RULE_NEEDLES)
			return true;
	}
	return false;
}

static void put(u8 *data, size_t *len, const char *text)
{
	memcpy(data + *len, text, strlen(text) + 1);
	*len += strlen(text) + 1;
}

/* An action of random words, its program's name sometimes that of a carrier. */
static struct exec random_exec(struct arena *a, const struct needles *n, char **argv,
			       struct action *ret)
{
	const char *name = random_below(4) ? random_word(a) : "sh";
	struct exec e = { .carrier = false };
	size_t count = 1 + random_below(8);

	argv[0] = arena_printf(a, "/bin/%s", random_below(4) ? name : random_word(a));
	for (size_t i = 1; i < count; i++)
		argv[i] = arena_printf(a, random_below(4) ? "%s" : "%s:%s", random_word(a),
				       random_word(a));
	argv[count] = NULL;
	*ret = (struct action) { .argv = argv, .path = name, .name = name, .root_fd = -1 };
	put(e.head, &e.head_len, name);
	put(e.head, &e.head_len, argv[0]);
	for (size_t i = 0; i < count; i++)
		put(e.args, &e.args_len, argv[i]);
	e.carrier = naive_needle(&n->all[BS_NEEDLE_CARRIER], e.head, e.head_len);
	return e;
}

/* The head tells which filter argv is looked through with, and nothing is missed by that. */
static void test_heads(void **state _unused_)
{
	unsigned int candidates = 0, alarms = 0, total = 0;

	for (int round = 0; round < ROUNDS; round++) {
		_cleanup_arena_ struct arena a = ARENA_INIT;
		struct scan_tables t;
		struct tables m;
		struct needles n;

		needles_init(&n, &a);
		needles_add_carriers(&n);
		for (u32 i = 1 + random_below(12); i > 0; i--)
			random_line(&a, &n);
		assert_int_equal(tables_build(&n, &m), 0);
		t = tables_of(&m);
		for (int i = 0; i < INPUTS; i++, total++) {
			char *argv[16];
			struct action action;
			struct exec e = random_exec(&a, &n, argv, &action);
			bool found = scan_action(&t, &action), must = naive_exec(&n, &e, false);

			if (must && !found)
				fail_msg("round %d: missed %s", round, argv[0]);
			candidates += must;
			alarms += found && !naive_exec(&n, &e, true);
		}
		needles_free(&n);
	}
	print_message("%u of %u are candidates, and %u more\n", candidates, total, alarms);
	assert_in_range(candidates, total / 20, total - total / 20);
	assert_in_range(alarms, 0, total / 1000); /* keys that are the same */
}

/* More distinct needles than can be counted: a candidate, and the next scan starts clean. */
static void test_overflow(void **state _unused_)
{
	_cleanup_arena_ struct arena a = ARENA_INIT;
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct usage u = { 0 };
	struct scan_tables t;
	struct tables m;
	struct needles n;

	needles_init(&n, &a);
	for (int i = 0; i < 200; i++) {
		struct program p = { .key.s = arena_printf(&a, "prog%d", i) };
		struct item item = { .kind = ITEM_WORD };
		struct alt alt = { .text = "never" };

		u.items_count = 0;
		ARENA_PUSH(&a, item.alts, alt);
		ARENA_PUSH(&a, u.items, item);
		needles_add_line(&n, &p, &u);
		strbuf_addf(&text, "prog%d ", i);
	}
	assert_int_equal(tables_build(&n, &m), 0);
	t = tables_of(&m);
	assert_true(scan_bytes(&t, text.data, text.len));
	assert_false(scan_bytes(&t, text.data, 100));
	assert_false(scan_bytes(&t, "never", 5));
	assert_true(scan_bytes(&t, "never prog7", 12));
	assert_true(scan_bytes(&t, "x/PROG7\0NEVER", 14));
	assert_false(scan_bytes(&t, "xprog7 never", 12));
	needles_free(&n);
}

/* A state in which more needles end than it can name. */
static void test_crowded_state(void **state _unused_)
{
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct program p = { .key.s = "tool" };
	struct scan_tables t;
	struct tables m;
	struct needles n;
	const char *word = "abcdefghijkl";

	needles_init(&n, &a);
	for (int i = 0; i < 10; i++) {
		struct usage u = { 0 };
		struct item item = { .kind = ITEM_WORD };
		struct alt alt = { .text = arena_printf(&a, "*%s", word + i) };

		ARENA_PUSH(&a, item.alts, alt);
		ARENA_PUSH(&a, u.items, item);
		needles_add_line(&n, &p, &u);
	}
	assert_int_equal(tables_build(&n, &m), 0);
	t = tables_of(&m);
	assert_true(scan_bytes(&t, "tool xabcdefghijkl", 19));
	assert_true(scan_bytes(&t, "tool jkl", 9));
	assert_false(scan_bytes(&t, "tool xyz", 8));
	needles_free(&n);
}

/* A shell's function is found wherever it is defined; a bracket at the end of a chunk, behind which
 * nothing is seen yet, may be one. */
static void test_definitions(void **state _unused_)
{
	static const char symbols[] = "(((()))){{ \n\taz;:";
	static u8 data[2 * BS_CHUNK];
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct program p = { .key = { .s = "function" } };
	u32 defined = 0, open = 0;
	struct usage u = { 0 };
	struct scan_tables t;
	struct tables m;
	struct needles n;

	needles_init(&n, &a);
	assert_true(needles_add_line(&n, &p, &u));
	assert_int_equal(tables_build(&n, &m), 0);
	t = tables_of(&m);
	for (int i = 0; i < 20000; i++) {
		size_t begin = random_below(2) ? 0 : BS_CHUNK - 20, len = begin + random_below(40);
		bool naive, found;

		memset(data, 'x', sizeof(data));
		for (size_t k = begin; k < len; k++)
			data[k] = (u8)symbols[random_below(sizeof(symbols) - 1)];
		naive = naive_candidate(&n, 1, data, len);
		found = scan_bytes(&t, data, len);
		if (naive && !found)
			fail_msg("missed: %.*s", (int)(len - begin), data + begin);
		if (found && !naive) {
			assert_true(len >= BS_CHUNK);
			assert_non_null(memchr(data + BS_CHUNK - 3, '(', 3));
			open++;
		}
		defined += naive;
	}
	assert_in_range(defined, 1000, 19000);
	assert_in_range(open, 1, 10000);
	needles_free(&n);
}

static void test_nothing(void **state _unused_)
{
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct scan_tables t;
	struct tables m;
	struct needles n;

	needles_init(&n, &a);
	assert_int_equal(tables_build(&n, &m), 0);
	t = tables_of(&m);
	assert_false(scan_bytes(&t, "rm -rf /", 8));
	assert_false(scan_bytes(&t, "", 0));
	needles_free(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_naive_search),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_crowded_state),
		cmocka_unit_test(test_definitions),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
