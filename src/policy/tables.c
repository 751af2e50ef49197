/* The tables of the scan, of all needles and rules: see match.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backstop/key.h"
#include "policy/needles.h"

#define FILTER_BITS 64 /* of the filter, a key */

/* A pattern's key and the needle it finds. */
struct entry {
	u32 key, needle;
};

/* Where a rule is looked for. */
struct place {
	u32 name, other;
	const struct needle_rule *rule;
};

struct builder {
	struct arena *arena;
	struct needles *needles;
	struct entry *entries;
	size_t entries_count;
	struct place *places;
	struct tables t;
	size_t lists_count;
	bool crowded; /* one key has more needles than a list has room for */
};

static u32 word_key(const struct pattern *p)
{
	u64 word = 0;

	for (const char *c = p->text; *c; c++)
		word = bs_key_word(word, bs_class[(unsigned char)*c]);
	return (u32)((p->right ? bs_key_word(word, 0) : word) >> 32);
}

static u32 gram_key(const struct pattern *p)
{
	u64 gram = 0;

	for (const char *c = p->text; *c; c++)
		gram = bs_key_shift(gram, bs_class[(unsigned char)*c]);
	return (u32)(bs_key_gram(p->right ? bs_key_shift(gram, 0) : gram) >> 32);
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->needle > y->needle) - (x->needle < y->needle);
}

static void collect_entries(struct builder *b)
{
	for (size_t i = BS_NEEDLE_CARRIER; i < b->needles->all_count; i++) {
		const struct needle *n = &b->needles->all[i];

		for (size_t k = 0; k < n->patterns_count; k++) {
			const struct pattern *p = &n->patterns[k];
			struct entry e = { p->left ? word_key(p) : gram_key(p),
					   (u32)i | (n->name ? BS_LIST_NAME : 0) };

			ARENA_PUSH(b->arena, b->entries, e);
		}
	}
	if (b->entries)
		qsort(b->entries, b->entries_count, sizeof(*b->entries), compare_entries);
}

/* --- lists, one a key */

static void push_list(struct builder *b, u32 entry)
{
	u32 *lists = b->t.lists;
	size_t lists_count = b->lists_count;

	ARENA_PUSH(b->arena, lists, entry);
	b->t.lists = lists;
	b->lists_count = lists_count;
}

/* Writes the list of the entries from `first` on, which have one key; returns where they end. */
static size_t write_list(struct builder *b, size_t first)
{
	size_t end = first, count = 0;
	u32 last = 0;

	while (end < b->entries_count && b->entries[end].key == b->entries[first].key) {
		count += b->entries[end].needle != last;
		last = b->entries[end++].needle;
	}
	last = 0;
	for (size_t i = first; i < end; i++) {
		if (b->entries[i].needle != last)
			push_list(b, b->entries[i].needle);
		last = b->entries[i].needle;
	}
	b->crowded |= count > BS_LIST_MAX;
	b->t.lists[b->lists_count - 1] |= BS_LIST_LAST;
	return end;
}

/* --- buckets and filter */

static bool put_key(struct bs_bucket *bucket, u32 key, u32 list)
{
	for (size_t k = 0; k < BS_BUCKET_KEYS; k++)
		if (!bucket->list[k]) {
			bucket->key[k] = key;
			bucket->list[k] = list;
			return true;
		}
	return false;
}

struct keyed {
	u32 key, list;
};

/* False where a bucket has too many keys. */
static bool fill_buckets(struct builder *b, const struct keyed *keys)
{
	b->t.buckets = arena_alloc(b->arena, b->t.buckets_count * sizeof(*b->t.buckets));
	for (u32 i = 0; i < b->t.keys; i++)
		if (!put_key(&b->t.buckets[keys[i].key & (b->t.buckets_count - 1)], keys[i].key,
			     keys[i].list))
			return false;
	return true;
}

static int write_buckets(struct builder *b, const struct keyed *keys)
{
	b->t.buckets_count = 1;
	while (b->t.buckets_count < b->t.keys / (BS_BUCKET_KEYS / 4))
		b->t.buckets_count *= 2;
	while (b->t.buckets_count <= BS_MAX_BUCKETS) {
		if (fill_buckets(b, keys))
			return 0;
		b->t.buckets_count *= 2;
	}
	return -E2BIG;
}

static void add_to_filter(struct tables *t, u32 key)
{
	t->filter[(key >> (BS_FILTER_SHIFT - 32)) & (t->filter_count - 1)] |= 1ULL << (key & 63);
}

static void write_filter(struct builder *b, const struct keyed *keys)
{
	b->t.filter_count = 1;
	while (b->t.filter_count < BS_MAX_FILTER &&
	       b->t.filter_count < b->t.keys * FILTER_BITS / 64)
		b->t.filter_count *= 2;
	b->t.filter = arena_alloc(b->arena, b->t.filter_count * sizeof(*b->t.filter));
	add_to_filter(&b->t, BS_KEY_DASH);
	for (u32 i = 0; i < b->t.keys; i++)
		add_to_filter(&b->t, keys[i].key);
}

static int write_keys(struct builder *b)
{
	struct keyed *keys = NULL;
	size_t keys_count = 0;

	push_list(b, 0);
	for (size_t i = 0; i < b->entries_count;) {
		struct keyed key = { b->entries[i].key, (u32)b->lists_count };

		ARENA_PUSH(b->arena, keys, key);
		i = write_list(b, i);
	}
	b->t.lists_count = (u32)b->lists_count;
	b->t.keys = (u32)keys_count;
	if (b->crowded || b->lists_count > BS_MAX_LISTS)
		return -E2BIG;
	write_filter(b, keys);
	return write_buckets(b, keys);
}

/* --- rules, each under a name, and the needle that the fewest rules share */

static bool is_name(const struct needles *n, u32 needle)
{
	return needle >= BS_NEEDLE_CARRIER && n->all[needle].name;
}

static void count_uses(const struct needles *n, u32 *uses)
{
	for (size_t i = 0; i < n->rules_count; i++)
		for (size_t k = 0; k < BS_RULE_NEEDLES; k++)
			uses[n->rules[i].needles[k]]++;
}

/* Where the rule is looked for. `other`: 0 where only letters and marks stand beside the name. */
static struct place find_place(const struct needles *n, const struct needle_rule *r,
			       const u32 *uses)
{
	struct place p = { .rule = r };

	for (size_t i = 0; i < BS_RULE_NEEDLES; i++) {
		u32 needle = r->needles[i], *best = is_name(n, needle) ? &p.name : &p.other;

		if (needle >= BS_NEEDLE_CARRIER && (!*best || uses[needle] < uses[*best]))
			*best = needle;
	}
	return p;
}

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->name != y->name)
		return x->name < y->name ? -1 : 1;
	return (x->other > y->other) - (x->other < y->other);
}

static void collect_places(struct builder *b)
{
	const struct needles *n = b->needles;
	u32 *uses = arena_alloc(b->arena, n->all_count * sizeof(*uses));

	count_uses(n, uses);
	b->places = arena_alloc(b->arena, (n->rules_count + 1) * sizeof(*b->places));
	for (size_t i = 0; i < n->rules_count; i++)
		b->places[i] = find_place(n, &n->rules[i], uses);
	qsort(b->places, n->rules_count, sizeof(*b->places), compare_places);
}

static bool begins_anchor(const struct builder *b, size_t i)
{
	return i == 0 || compare_places(&b->places[i - 1], &b->places[i]) != 0;
}

static int write_rules(struct builder *b)
{
	struct needles *n = b->needles;
	struct bs_anchor *anchors = NULL, *a = NULL;
	size_t anchors_count = 0;

	b->t.needles = (u32)n->all_count - 1;
	b->t.rules_count = (u32)n->rules_count;
	b->t.rules = arena_alloc(b->arena, (n->rules_count + 1) * sizeof(*b->t.rules));
	for (size_t i = 0; i < n->all_count; i++)
		ARENA_PUSH(b->arena, anchors, (struct bs_anchor) { 0 });
	for (size_t i = 0; i < n->rules_count; i++) {
		const struct place *p = &b->places[i];

		if (begins_anchor(b, i) && p->other) {
			struct entry e = { (u32)(bs_key_pair(p->name, p->other) >> 32),
					   (u32)anchors_count };

			ARENA_PUSH(b->arena, anchors, (struct bs_anchor) { 0 });
			ARENA_PUSH(b->arena, b->entries, e);
		}
		a = p->other ? &anchors[anchors_count - 1] : &anchors[p->name];
		a->first = a->count ? a->first : (u32)i;
		a->count++;
		memcpy(b->t.rules[i].need, p->rule->needles, sizeof(b->t.rules[i].need));
	}
	b->t.anchors = anchors;
	b->t.anchors_count = (u32)anchors_count;
	return anchors_count > BS_MAX_ANCHORS ? -E2BIG : 0;
}

int tables_build(struct needles *n, struct tables *ret)
{
	struct builder b = { .arena = n->arena, .needles = n };
	int r;

	if (n->full)
		return -E2BIG;
	collect_places(&b);
	r = write_rules(&b);
	if (r)
		return r;
	collect_entries(&b);
	r = write_keys(&b);
	if (r)
		return r;
	*ret = b.t;
	return 0;
}
