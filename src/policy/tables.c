/* The tables of the scan, of all needles and rules: see match.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backstop/key.h"
#include "policy/needles.h"

#define OWN_KEYS 4096 /* of one name: with more it has the filter of all */

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
	u32 filter_room; /* in words */
	bool crowded;	 /* one key has more needles than a list has room for */
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

static u32 pattern_key(const struct pattern *p)
{
	return p->left ? word_key(p) : gram_key(p);
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
			struct entry e = { pattern_key(p), (u32)i | (n->name ? BS_LIST_NAME : 0) };

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

/* --- buckets */

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

/* --- filters */

static void add_to_filter(struct builder *b, const struct bs_anchor *a, u32 key)
{
	b->t.filter[(a->filter + (key & a->mask)) / sizeof(u64)] |=
		1ULL << (key >> (BS_FILTER_BIT - 32));
}

/* A filter of its own for an anchor, with 32 to 64 bits for each key. */
static void new_filter(struct builder *b, struct bs_anchor *a, size_t keys)
{
	u64 *old = b->t.filter;
	u32 words = 1, used = b->t.filter_count;

	while (words < keys / 2 && words < BS_MAX_FILTER / 2)
		words *= 2;
	if (used + words > b->filter_room) {
		b->filter_room = 2 * (used + words);
		b->t.filter = arena_alloc(b->arena, b->filter_room * sizeof(u64));
		if (used)
			memcpy(b->t.filter, old, used * sizeof(u64));
	}
	a->filter = used * sizeof(u64);
	a->mask = (words - 1) * sizeof(u64);
	b->t.filter_count += words;
}

static void write_all_filter(struct builder *b, const struct keyed *keys)
{
	struct bs_anchor *all = &b->t.anchors[BS_FILTER_ALL];

	new_filter(b, all, 2 * b->t.keys);
	add_to_filter(b, all, BS_KEY_DASH);
	for (u32 i = 0; i < b->t.keys; i++)
		add_to_filter(b, all, keys[i].key);
	for (u32 i = 0; i < b->t.anchors_count; i++)
		b->t.anchors[i].mask = all->mask;
}

static void add_needle_keys(struct builder *b, const struct bs_anchor *a, u32 needle)
{
	const struct needle *n = &b->needles->all[needle];

	for (size_t k = 0; k < n->patterns_count; k++)
		add_to_filter(b, a, pattern_key(&n->patterns[k]));
}

static void write_names_filter(struct builder *b)
{
	const struct needles *n = b->needles;
	size_t keys = 0;

	for (u32 i = BS_NEEDLE_CARRIER; i < n->all_count; i++)
		keys += n->all[i].name ? n->all[i].patterns_count : 0;
	new_filter(b, &b->t.anchors[BS_FILTER_NAMES], keys);
	for (u32 i = BS_NEEDLE_CARRIER; i < n->all_count; i++)
		if (n->all[i].name)
			add_needle_keys(b, &b->t.anchors[BS_FILTER_NAMES], i);
}

/* The needles with keys, no names, of the rules under a name whose places begin at `first`; `seen`
 * has the last name under which each was. */
static size_t needles_of_name(const struct builder *b, size_t first, u32 *seen, u32 *ret)
{
	const struct needles *n = b->needles;
	u32 name = b->places[first].name;
	size_t count = 0;

	for (size_t i = first; i < n->rules_count && b->places[i].name == name; i++)
		for (size_t k = 0; k < BS_RULE_NEEDLES; k++) {
			u32 needle = b->places[i].rule->needles[k];

			if (needle < BS_NEEDLE_FIRST || n->all[needle].name || seen[needle] == name)
				continue;
			seen[needle] = name;
			ret[count++] = needle;
		}
	return count;
}

static void write_name_filter(struct builder *b, u32 name, const u32 *needles, size_t count)
{
	size_t keys = 1;

	for (size_t i = 0; i < count; i++)
		keys += b->needles->all[needles[i]].patterns_count;
	if (keys > OWN_KEYS || b->t.filter_count + 2 * keys > BS_MAX_FILTER)
		return;
	new_filter(b, &b->t.anchors[name], keys);
	add_to_filter(b, &b->t.anchors[name], BS_KEY_DASH);
	for (size_t i = 0; i < count; i++)
		add_needle_keys(b, &b->t.anchors[name], needles[i]);
}

static void write_name_filters(struct builder *b)
{
	u32 *seen = arena_alloc(b->arena, b->needles->all_count * sizeof(*seen));
	u32 *own = arena_alloc(b->arena, b->needles->all_count * sizeof(*own));

	for (size_t i = 0; i < b->needles->rules_count; i++) {
		u32 name = b->places[i].name;

		if (!name || name == BS_NEEDLE_CARRIER || (i && b->places[i - 1].name == name))
			continue;
		write_name_filter(b, name, own, needles_of_name(b, i, seen, own));
	}
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
	write_all_filter(b, keys);
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
	write_names_filter(&b);
	write_name_filters(&b);
	*ret = b.t;
	return 0;
}
