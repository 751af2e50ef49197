/* The scan: does this action contain all needles of some signature?
 *
 * One header for both sides: the BPF programs and user space (unit tests, fuzzer, explain) run this
 * very code. It works on classes of bytes, so letters match in either case, and every byte that
 * cannot be part of a needle is one class: the boundary.
 *
 * Each byte gives two keys: a hash of the word up to it, with the boundary where it ends the word,
 * and a hash of the last BS_GRAM symbols. A filter tells the few keys that can be a needle's from
 * all others, without a branch and without waiting for memory; buckets tell which needles those
 * have. An action is a candidate when some rule has all its needles. What cannot be decided (too
 * many distinct needles) is a candidate.
 *
 * The head of an action, its names and argv[0], is scanned first. Where it has the name neither of
 * a program with rules nor of a carrier, which runs what its words say, no rule can match; where it
 * has no carrier's, names count nowhere else. What follows a head with one name is looked through
 * with a filter of that name, which has the keys of its rules alone.
 *
 * The side that includes this header defines, before it:
 *	BS_LOOP(count, fn, ctx)		calls fn(i, ctx) for i in 0..count-1 until it returns
 *					non-zero
 *	BS_FILTER(tables, at)		pointer to byte `at` of the filters
 *	BS_MASK(tables, mask)		the mask, no larger than what fits behind any such byte
 *	BS_BUCKET(tables, key)		pointer to the struct bs_bucket of that key, or NULL
 *	BS_LIST(tables, i)		pointer to entry i of the lists, or NULL
 *	BS_ANCHOR(tables, i)		pointer to struct bs_anchor i, or NULL
 *	BS_RULE(tables, i)		pointer to struct bs_rule i, or NULL
 * Bytes are also read 8 at a time, from where a chunk begins: what cannot do that at any address
 * aligns its chunks.
 */
#ifndef BACKSTOP_MATCH_H
#define BACKSTOP_MATCH_H

#include "backstop/class.h"
#include "backstop/key.h"
#include "backstop/scan_tables.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define BS_BLOCK       16 /* bytes a step takes; the loop's body is unrolled over them */
#define BS_CLUSTER     32 /* bytes of a word with short options; with more it has all letters */
#define BS_PAIRS       8  /* needles looked up at a time */
#define BS_PADDING     (BS_BLOCK + BS_CLUSTER)
#define BS_RECENT      64  /* keys that were looked up and need not be again */
#define BS_MAX_FOUND   128 /* distinct needles an action may contain; more is a candidate */
#define BS_PAIRS_MAX   (BS_MAX_FOUND / BS_PAIRS)
#define BS_HAVE_WORDS  (BS_MAX_NEEDLES / 64)
#define BS_HIT_GRAM    (1U << BS_BLOCK) /* beside hits: of the lowest only the gram is left */
#define BS_HITS_MAX    (BS_BLOCK * 2 * (BS_LIST_MAX + 1))
#define BS_ALL_LETTERS ((2ULL << BS_NEEDLE_LETTERS) - 2)

_Static_assert(BS_BLOCK <= 16 && BS_PAIRS_MAX <= 16, "bs_lowest() knows no more");

enum bs_names {
	BS_NAMES_HERE, /* names count: the head */
	BS_NAMES_NOWHERE,
	BS_NAMES_ANYWHERE, /* and so they do in what follows */
	BS_NAMES_NONE,	   /* likewise; it is no command's, and defines no shell's function */
};

/* All state of one scan. It starts zeroed, and bs_scan_end() leaves it so: clearing costs what was
 * found. */
struct bs_scan {
	u64 word, gram;
	u32 names;	  /* enum bs_names */
	u32 marks;	  /* of all bytes, BS_MARK_… among others */
	u32 named;	  /* names found */
	u32 name;	  /* the last of them */
	u32 filter, mask; /* of bytes: where the filter in use begins, and its size less a word */
	u32 found_count;
	u32 overflow;			      /* more needles than there is room for */
	u64 words[BS_BLOCK], grams[BS_BLOCK]; /* the keys of the step in hand */
	u32 recent[BS_RECENT];
	u32 found[BS_MAX_FOUND]; /* entries of lists */
	u8 pairs[BS_PAIRS_MAX];	 /* of the name in hand: which of what was found may have a rule */
	u64 have[BS_HAVE_WORDS]; /* needles found */
	u32 at;			 /* where in the chunk the step in hand began */
	u32 hits;  /* a bit each: bytes of it with a key that the filter has; blocks of pairs with
		      any */
	u32 len;   /* of the chunk, as far as the BS_CLUSTER bytes behind can be seen as well */
	u32 list;  /* the next entry of the key in hand; 0: none */
	u32 under; /* the name in hand; 0: of rules without a name */
	u32 rule;  /* first rule of the anchor in hand */
	u32 all_mask; /* of the filter of all keys */
	u32 candidate;
	u32 looked; /* `recent` has any */
};

/* Pointers alone: numbers on its stack a verifier tells apart, and walks a step again for each. */
struct bs_scan_ctx {
	struct bs_scan *scan;
	const void *tables;
	const u8 *data; /* a chunk: BS_CHUNK bytes and BS_PADDING more */
};

static __always_inline void bs_scan_needle(struct bs_scan *s, u32 entry)
{
	u32 needle = entry & BS_LIST_MASK, word = (needle >> 6) & (BS_HAVE_WORDS - 1);
	u32 n = s->found_count;
	u64 bit = 1ULL << (needle & 63);

	if (entry & BS_LIST_NAME && s->names == BS_NAMES_NOWHERE)
		return;
	if (s->have[word] & bit)
		return;
	if (n >= BS_MAX_FOUND) {
		s->overflow = 1;
		return;
	}
	s->have[word] |= bit;
	s->found[n & (BS_MAX_FOUND - 1)] = entry;
	s->found_count = n + 1;
	if (entry & BS_LIST_NAME) {
		s->named++;
		s->name = needle;
	}
}

/* The next entry of the list in hand. */
static __always_inline void bs_scan_entry(struct bs_scan_ctx *c)
{
	const u32 *entry = BS_LIST(c->tables, c->scan->list);

	if (!entry) {
		c->scan->list = 0;
		return;
	}
	bs_scan_needle(c->scan, *entry);
	c->scan->list = *entry & BS_LIST_LAST ? 0 : c->scan->list + 1;
}

/* The letters of a word behind its dash, up to the end of argv's word: also what the letters have
 * for a value, as nobody knows which take one. */
static __always_inline void bs_scan_cluster(struct bs_scan_ctx *c, u32 at)
{
	const u8 *p = c->data + (at & (BS_CHUNK - 1));
	u64 letters = 0, inside = 1;

	if (at > c->scan->len) {
		c->scan->have[0] |= BS_ALL_LETTERS;
		return;
	}
	if (p[0] == '-')
		return;
	for (int k = 0; k < BS_CLUSTER; k++) {
		u64 byte = p[k];

		/* the compiler would branch here, and the verifier walk each way */
		asm volatile("" : "+r"(byte));
		inside &= -byte >> 63;
		letters |= inside << bs_letter[p[k]];
	}
	if (inside)
		letters = BS_ALL_LETTERS;
	c->scan->have[0] |= letters & BS_ALL_LETTERS;
}

/* The lowest bit tells whether the filter has the key, which is in the high half. */
static __always_inline u64 bs_scan_passes(const u8 *filter, u64 key, u32 mask)
{
	return *(const u64 *)(filter + (key >> 32 & mask)) >> (key >> BS_FILTER_BIT);
}

/* Takes the filter of this anchor. */
static __always_inline void bs_scan_filter(struct bs_scan *s, const void *tables, u32 anchor)
{
	const struct bs_anchor *a = BS_ANCHOR(tables, anchor);

	if (!a)
		return;
	s->filter = a->filter;
	s->mask = a->mask;
}

/* The first entry of the key's list; 0 where it is none. */
static __always_inline u32 bs_scan_list(const void *tables, u32 key)
{
	const struct bs_bucket *b = BS_BUCKET(tables, key);
	u32 list = 0;

	if (!b)
		return 0;
	for (int k = 0; k < BS_BUCKET_KEYS; k++)
		if (b->key[k] == key)
			list |= b->list[k];
	return list;
}

static __always_inline void bs_scan_key(struct bs_scan_ctx *c, u64 key)
{
	struct bs_scan *s = c->scan;
	u32 *recent = &s->recent[key >> 32 & (BS_RECENT - 1)], mask = BS_MASK(c->tables, s->mask);

	if (*recent == key >> 32 ||
	    !(bs_scan_passes(BS_FILTER(c->tables, s->filter), key, mask) & 1))
		return;
	*recent = key >> 32;
	s->looked = 1;
	c->scan->list = bs_scan_list(c->tables, key >> 32);
}

/* The place of the lowest bit set of 16: each shift of the factor begins with four other
 * bits, which tell where in the constant the place stands. */
static __always_inline u32 bs_lowest(u32 bits)
{
	return 0xcd7ea84fb6935210ULL >> ((u16)((bits & -bits) * 0x09af) >> 12 << 2) &
	       (BS_BLOCK - 1);
}

/* An entry of a list, or else the next keys. One loop for both: stack is scarce. */
static long bs_scan_hit(__attribute__((unused)) u32 i, void *data)
{
	struct bs_scan_ctx *c = data;
	u32 k = bs_lowest(c->scan->hits) & (BS_BLOCK - 1);
	u64 word = c->scan->words[k];

	if (!c->scan->list && !(c->scan->hits & BS_HIT_GRAM)) {
		if (word >> 32 == BS_KEY_DASH)
			bs_scan_cluster(c, c->scan->at + k + 1);
		bs_scan_key(c, word);
		c->scan->hits |= BS_HIT_GRAM;
	}
	if (!c->scan->list) {
		c->scan->hits &= ~BS_HIT_GRAM;
		c->scan->hits &= c->scan->hits - 1;
		bs_scan_key(c, c->scan->grams[k]);
	}
	if (c->scan->list)
		bs_scan_entry(c);
	return !c->scan->list && !c->scan->hits;
}

/* Without a branch in the body the verifier walks it once, and each byte costs the same. */
static long bs_scan_step(u32 i, void *data)
{
	struct bs_scan_ctx *c = data;
	u32 at = (i * BS_BLOCK) & (BS_CHUNK - 1);
	const u8 *p = c->data + at;
	struct bs_scan *s = c->scan;
	u64 word = s->word, gram = s->gram, marks = 0, hits = 0;
	const u8 *filter = BS_FILTER(c->tables, s->filter);
	u32 mask = BS_MASK(c->tables, s->mask);

#pragma GCC unroll 16
	for (int k = 0; k < BS_BLOCK; k++) {
		u64 class = bs_symbol[p[k]], key;

		marks |= class;
		class &= BS_CLASS_MASK;
		word = bs_key_word(word, class);
		gram = bs_key_shift(gram, class);
		key = bs_key_gram(gram);
		s->words[k] = word;
		s->grams[k] = key;
		hits |= ((bs_scan_passes(filter, word, mask) | bs_scan_passes(filter, key, mask)) &
			 1)
			<< k;
		/* the compiler would put this off, and run out of stack */
		asm volatile("" : "+r"(hits));
		word = bs_key_next(word, class);
	}
	s->word = word;
	s->gram = gram;
	s->marks |= marks;
	c->scan->at = at;
	c->scan->hits = hits;
	if (hits)
		BS_LOOP(BS_HITS_MAX, bs_scan_hit, c);
	return 0;
}

/* 1 where the byte is this one, without a branch. */
static __always_inline u64 bs_scan_is(u64 byte, u64 which)
{
	u64 other = byte ^ which;

	asm volatile("" : "+r"(other)); /* the compiler would branch */
	return (other - 1) >> 63;
}

/* Not 0 where one of 8 bytes is a ( and the one behind it, in `next` for the last of them, a ). */
static __always_inline u64 bs_scan_brackets(u64 bytes, u64 next)
{
	u64 other = bytes ^ 0x2828282828282828ULL;

	other |= (bytes >> 8 | next << 56) ^ 0x2929292929292929ULL;
	return (other - 0x0101010101010101ULL) & ~other & 0x8080808080808080ULL;
}

/* Is there a () before a { or a (, perhaps with one blank between them? */
static __always_inline u64 bs_scan_definition(const u8 *p)
{
	u64 defines = 0;

#pragma GCC unroll 16
	for (int k = 0; k < BS_BLOCK; k++) {
		u64 blank = bs_scan_is(p[k + 2], ' ') | bs_scan_is(p[k + 2], '\n') |
			    bs_scan_is(p[k + 2], '\t');
		u64 body = bs_scan_is(p[k + 2], '{') | bs_scan_is(p[k + 2], '('),
		    after = bs_scan_is(p[k + 3], '{') | bs_scan_is(p[k + 3], '(');

		defines |= bs_scan_is(p[k], '(') & bs_scan_is(p[k + 1], ')') &
			   (body | (blank & after));
	}
	return defines;
}

/* Is a shell's function defined here? Most text has not even the brackets of one. */
static long bs_scan_defines(u32 i, void *data)
{
	struct bs_scan_ctx *c = data;
	const u8 *p = c->data + ((i * BS_BLOCK) & (BS_CHUNK - 1));
	const u64 *bytes = (const u64 *)p;

	if (!(bs_scan_brackets(bytes[0], bytes[1]) | bs_scan_brackets(bytes[1], p[BS_BLOCK])) ||
	    !bs_scan_definition(p))
		return 0;
	c->scan->marks |= BS_MARK_DEFINES;
	return 1;
}

/* At the end of a chunk that another follows nobody sees what is behind a bracket. */
static __always_inline u64 bs_scan_cut_off(const u8 *data, u32 len)
{
	u64 open = 0;

	for (u32 k = 1; k <= 3; k++)
		open |= bs_scan_is(data[(len - k) & (BS_CHUNK - 1)], '(');
	return open;
}

/* Scans `len` (at most BS_CHUNK) bytes of `data` as what follows the bytes scanned before. Where
 * `more` bytes follow, it is a multiple of BS_BLOCK; else the caller has put BS_PADDING zero bytes
 * behind, boundaries. */
static __always_inline void bs_scan_chunk(struct bs_scan *s, const void *tables, const u8 *data,
					  u32 len, u32 more)
{
	struct bs_scan_ctx c = { .scan = s, .tables = tables, .data = data };
	u32 steps = (len + (more ? 0 : BS_BLOCK)) / BS_BLOCK;

	s->list = 0;
	s->len = more && len >= BS_CLUSTER ? len - BS_CLUSTER : more ? 0 : len;
	BS_LOOP(steps, bs_scan_step, &c);
	if (s->names != BS_NAMES_ANYWHERE)
		return;
	BS_LOOP(steps, bs_scan_defines, &c);
	if (more)
		s->marks |= bs_scan_cut_off(data, len) * BS_MARK_DEFINES;
}

static __always_inline int bs_scan_has(const struct bs_scan *s, u32 needle)
{
	return s->have[(needle >> 6) & (BS_HAVE_WORDS - 1)] >> (needle & 63) & 1;
}

/* Begins a scan in which names count anywhere: of bytes of which nobody knows the head. */
static __always_inline void bs_scan_begin(struct bs_scan *s, const void *tables)
{
	s->names = BS_NAMES_ANYWHERE;
	bs_scan_filter(s, tables, BS_FILTER_ALL);
}

/* A scan begins with the head: these before and after its bytes. 1 where what follows them has to
 * be scanned. `whole`: the end of argv[0] is in them. */
static __always_inline void bs_scan_begin_head(struct bs_scan *s, const void *tables)
{
	s->names = BS_NAMES_HERE;
	bs_scan_filter(s, tables, BS_FILTER_NAMES);
}

static __always_inline u32 bs_scan_end_head(struct bs_scan *s, const void *tables, u32 whole)
{
	s->marks = 0;
	if (!whole || bs_scan_has(s, BS_NEEDLE_CARRIER))
		s->names = BS_NAMES_ANYWHERE;
	else
		s->names = BS_NAMES_NOWHERE;
	if (s->names == BS_NAMES_NOWHERE && s->named == 1)
		bs_scan_filter(s, tables, s->name);
	else
		bs_scan_filter(s, tables, BS_FILTER_ALL);
	return s->named || s->overflow || !whole;
}

/* The head as one chunk. */
static __always_inline u32 bs_scan_head(struct bs_scan *s, const void *tables, const u8 *data,
					u32 len, u32 whole)
{
	bs_scan_begin_head(s, tables);
	bs_scan_chunk(s, tables, data, len, 0);
	return bs_scan_end_head(s, tables, whole);
}

static long bs_scan_rule(u32 i, void *data)
{
	struct bs_scan_ctx *c = data;
	const struct bs_rule *r = BS_RULE(c->tables, c->scan->rule + i);

	if (!r)
		return 1;
	for (u32 k = 0; k < BS_RULE_NEEDLES; k++)
		if (r->need[k] && !bs_scan_has(c->scan, r->need[k]))
			return 0;
	c->scan->candidate = 1;
	return 1;
}

static __always_inline void bs_scan_rules(struct bs_scan_ctx *c, u32 anchor)
{
	const struct bs_anchor *a = BS_ANCHOR(c->tables, anchor);

	if (!a || !a->count)
		return;
	c->scan->rule = a->first;
	BS_LOOP(a->count, bs_scan_rule, c);
}

/* The rules that have the next of the needles that may have some under the name in hand. */
static long bs_scan_pair(__attribute__((unused)) u32 i, void *data)
{
	struct bs_scan_ctx *c = data;
	u32 block = bs_lowest(c->scan->hits) & (BS_PAIRS_MAX - 1), bits = c->scan->pairs[block];
	u32 at = (block * BS_PAIRS + bs_lowest(bits)) & (BS_MAX_FOUND - 1);
	u64 key = bs_key_pair(c->scan->under, c->scan->found[at] & BS_LIST_MASK);
	u32 list = bs_scan_list(c->tables, key >> 32);
	const u32 *pair = list ? BS_LIST(c->tables, list) : NULL;

	bits &= bits - 1;
	c->scan->pairs[block] = (u8)bits;
	if (!bits)
		c->scan->hits &= c->scan->hits - 1;
	if (pair)
		bs_scan_rules(c, *pair & BS_LIST_MASK);
	return c->scan->candidate || !c->scan->hits;
}

/* What was found, so many at a time; without a branch, as in bs_scan_step(). */
static long bs_scan_pairs(u32 i, void *data)
{
	struct bs_scan_ctx *c = data;
	const u32 *found = &c->scan->found[(i * BS_PAIRS) & (BS_MAX_FOUND - 1)];
	const u8 *filter = BS_FILTER(c->tables, 0);
	u32 mask = BS_MASK(c->tables, c->scan->all_mask);
	u64 hits = 0;

#pragma GCC unroll 8
	for (int k = 0; k < BS_PAIRS; k++) {
		u64 key = bs_key_pair(c->scan->under, found[k] & BS_LIST_MASK);

		hits |= (bs_scan_passes(filter, key, mask) & 1) << k;
		asm volatile("" : "+r"(hits)); /* as there */
	}
	c->scan->pairs[i & (BS_PAIRS_MAX - 1)] = (u8)hits;
	if (hits)
		c->scan->hits |= 1U << (i & (BS_PAIRS_MAX - 1));
	return 0;
}

/* The rules under a name that was found. Behind the last of them, those without a name. */
static long bs_scan_name(u32 i, void *data)
{
	struct bs_scan_ctx *c = data;
	struct bs_scan *s = c->scan;
	u32 entry = s->found[i & (BS_MAX_FOUND - 1)];

	if (i >= s->found_count)
		entry = s->names >= BS_NAMES_ANYWHERE ? BS_LIST_NAME : 0;
	if (!(entry & BS_LIST_NAME))
		return 0;
	c->scan->under = entry & BS_LIST_MASK;
	bs_scan_rules(c, c->scan->under);
	if (c->scan->candidate)
		return 1;
	c->scan->hits = 0;
	BS_LOOP((s->found_count + BS_PAIRS - 1) / BS_PAIRS, bs_scan_pairs, c);
	if (c->scan->hits)
		BS_LOOP(BS_MAX_FOUND, bs_scan_pair, c);
	return c->scan->candidate != 0;
}

static long bs_scan_forget(u32 i, void *data)
{
	struct bs_scan_ctx *c = data;
	u32 *found = &c->scan->found[i & (BS_MAX_FOUND - 1)], needle = *found & BS_LIST_MASK;

	c->scan->have[(needle >> 6) & (BS_HAVE_WORDS - 1)] = 0;
	*found = 0;
	return 0;
}

/* Ends the scan: 1 where the bytes are a candidate, else 0. `s` is zeroed, ready for the next. */
static __always_inline u32 bs_scan_end(struct bs_scan *s, const void *tables)
{
	struct bs_scan_ctx c = { .scan = s, .tables = tables };
	const struct bs_anchor *all;

	if (s->marks & BS_MARK_QUOTE)
		s->have[0] |= 1ULL << BS_NEEDLE_QUOTE;
	if (s->marks & BS_MARK_COLON)
		s->have[1] |= 1ULL << (BS_NEEDLE_COLON - 64);
	if (s->marks & BS_MARK_DEFINES)
		s->have[1] |= 1ULL << (BS_NEEDLE_DEFINES - 64);
	all = BS_ANCHOR(tables, BS_FILTER_ALL);
	s->candidate = 0;
	s->all_mask = all ? all->mask : 0;
	if (s->named || s->names >= BS_NAMES_ANYWHERE)
		BS_LOOP(s->found_count + 1, bs_scan_name, &c);
	if (s->found_count)
		BS_LOOP(s->found_count, bs_scan_forget, &c);
	if (s->looked)
		__builtin_memset(s->recent, 0, sizeof(s->recent));
	s->candidate |= s->overflow;
	s->have[0] = s->have[1] = s->word = s->gram = 0;
	s->names = s->marks = s->named = s->name = s->found_count = s->overflow = s->looked = 0;
	return s->candidate;
}

#endif
