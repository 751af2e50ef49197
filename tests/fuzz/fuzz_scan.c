/* The scan against a naive search. The input: up to eight lines, each a program's name and words
 * (alternatives with | between them), an empty line, and the bytes that are scanned. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../naive.h"
#include "policy/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_item(struct arena *a, struct usage *u, char *word)
{
	struct item item = { .kind = ITEM_WORD };
	char *text;

	while ((text = strsep(&word, "|"))) {
		struct alt alt = { .text = arena_strdup(a, text) };

		ARENA_PUSH(a, item.alts, alt);
	}
	ARENA_PUSH(a, u->items, item);
}

static void add_line(struct arena *a, struct needles *n, char *line)
{
	struct program p = { .key.s = arena_strdup(a, strsep(&line, " ")) };
	struct usage u = { 0 };
	char *word;

	while ((word = strsep(&line, " ")))
		add_item(a, &u, word);
	needles_add_line(n, &p, &u);
}

static void compare(struct needles *n, size_t rules, const struct tables *m, const u8 *data,
		    size_t len)
{
	struct scan_tables t = {
		.filter = m->filter,
		.buckets = m->buckets,
		.lists = m->lists,
		.anchors = m->anchors,
		.rules = m->rules,
		.filter_count = m->filter_count,
		.buckets_count = m->buckets_count,
		.lists_count = m->lists_count,
		.anchors_count = m->anchors_count,
		.rules_count = m->rules_count,
	};
	bool naive = naive_candidate(n, rules, data, len), found = scan_bytes(&t, data, len);

	if (naive && !found)
		abort();
	/* there may be more needles than the scan counts: then it says so without looking further
	 */
	if (found && !naive && n->rules_count == rules && n->all_count < 60)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memmem(data, size, "\n\n", 2);
	_cleanup_strbuf_ struct strbuf lines = STRBUF_INIT, text = STRBUF_INIT;
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct tables m;
	struct needles n;
	char *line, *more;
	size_t rules;

	if (!end || end == data || end - data > 400 || size > 10000 ||
	    memchr(data, '\0', (size_t)(end - data)))
		return 0;
	strbuf_add(&lines, data, (size_t)(end - data));
	strbuf_add(&text, end + 2, size - (size_t)(end - data) - 2);
	strbuf_addc(&text, '\0');
	needles_init(&n, &a);
	more = lines.data;
	for (int i = 0; i < 8 && (line = strsep(&more, "\n")); i++)
		add_line(&a, &n, line);
	rules = n.rules_count;
	if (tables_build(&n, &m) == 0)
		compare(&n, rules, &m, (const u8 *)text.data, text.len);
	needles_free(&n);
	return 0;
}
