/* The scan: does this action contain all needles of some signature?
 *
 * One header for both sides: the BPF programs and user space (unit tests, fuzzer, explain) run this
 *very code. An action's bytes go through one Aho-Corasick automaton; it works on byte classes, so
 *letters match in either case, and every byte that cannot be part of a needle is one class: the
 *boundary. A needle that is found sets a bit; an action is a candidate when some rule has all its
 *bits. What cannot be decided (too many distinct needles) is a candidate.
 *
 * The side that includes this header defines, before it:
 *	BS_LOOP(count, fn, ctx)		calls fn(i, ctx) for i in 0..count-1 until it returns
 *non-zero BS_TRANS(tables, index)		the u16 at that index of the transition table
 *	BS_ACCEPTS(tables)		number of accepting states; states below are accepting, this
 *one is the root BS_ACCEPT(tables, i)		pointer to struct bs_accept i, or NULL
 *	BS_ANCHOR(tables, i)		pointer to struct bs_anchor i, or NULL
 *	BS_RULE(tables, i)		pointer to struct bs_rule i, or NULL
 */
#ifndef BACKSTOP_MATCH_H
#define BACKSTOP_MATCH_H

#include "backstop/class.h"
#include "backstop/scan_tables.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define BS_BLOCK   16 /* bytes a walk takes a step; the loop's body is unrolled over them */
#define BS_OVERLAP 32 /* bytes that both walks see: a needle and its two boundaries */
#define BS_PADDING (BS_OVERLAP + BS_BLOCK)
_Static_assert(BS_NEEDLE_MAX + 2 <= BS_OVERLAP, "the far walk would miss a needle");
#define BS_MAX_HITS   64  /* distinct accepting states an action may reach; more is a candidate */
#define BS_MAX_FOUND  128 /* distinct needles an action may contain; more is a candidate */
#define BS_SEEN_WORDS (BS_MAX_ACCEPTS / 64)
#define BS_HAVE_WORDS (BS_MAX_NEEDLES / 64)

/* All state of one scan. It starts zeroed, and bs_scan_end() leaves it so: clearing costs what was
 * found. */
struct bs_scan {
	u32 state;
	u32 hits_count;
	u32 found_count;
	u32 overflow;		/* more hits or needles than there is room for */
	u16 step[4 * BS_BLOCK]; /* accepting states of the step in hand */
	u16 hits[BS_MAX_HITS];
	u16 found[BS_MAX_FOUND];
	u64 seen[BS_SEEN_WORDS]; /* accepting states reached */
	u64 have[BS_HAVE_WORDS]; /* needles found */
};

struct bs_scan_ctx {
	struct bs_scan *scan;
	const void *tables;
	const u8 *data; /* a chunk: BS_CHUNK bytes and BS_PADDING more */
	u32 state, far_state;
	u32 far;  /* where the far walk begins, in data */
	u32 rule; /* first rule of the anchor in hand */
	u32 candidate;
};

static long bs_scan_hit(u32 i, void *data)
{
	struct bs_scan_ctx *c = data;
	struct bs_scan *s = c->scan;
	u32 state = s->step[i & (4 * BS_BLOCK - 1)], n = s->hits_count;
	u32 word = (state >> 6) & (BS_SEEN_WORDS - 1);
	u64 bit = 1ULL << (state & 63);

	if (s->seen[word] & bit)
		return 0;
	if (n >= BS_MAX_HITS) {
		s->overflow = 1;
		return 1;
	}
	s->seen[word] |= bit;
	s->hits[n & (BS_MAX_HITS - 1)] = state;
	s->hits_count = n + 1;
	return 0;
}

/* A step goes over two blocks far apart, as each byte waits for the one before: two walks at once
 * take little longer than one. Without a branch in the body the verifier walks it once, and each
 * byte costs the same. */
static long bs_scan_step(u32 i, void *data)
{
	struct bs_scan_ctx *c = data;
	const u8 *p = c->data + ((i * BS_BLOCK) & (BS_CHUNK - 1));
	const u8 *q = c->data + ((c->far + i * BS_BLOCK) & (BS_CHUNK - 1));
	u32 near = c->state, far = c->far_state, accepts = BS_ACCEPTS(c->tables), n = 0;
	struct bs_scan *s = c->scan;

#pragma GCC unroll 16
	for (int k = 0; k < BS_BLOCK; k++) {
		near = BS_TRANS(c->tables, near << BS_CLASS_BITS | bs_class[p[k]]);
		far = BS_TRANS(c->tables, far << BS_CLASS_BITS | bs_class[q[k]]);
		s->step[n & (4 * BS_BLOCK - 1)] = near;
		n += (near - accepts) >> 31; /* 1 where near < accepts */
		s->step[n & (4 * BS_BLOCK - 1)] = far;
		n += (far - accepts) >> 31;
	}
	c->state = near;
	c->far_state = far;
	if (n)
		BS_LOOP(n, bs_scan_hit, c);
	return 0;
}

/* Scans `len` (at most BS_CHUNK) bytes of `data` as what follows the bytes scanned before. Where it
 * is less than BS_CHUNK, the caller has put BS_PADDING zero bytes behind it, boundaries, and
 * nothing follows.
 *
 * The far walk starts BS_OVERLAP bytes before the near one ends, at the root: whatever ends behind
 * the overlap it finds, as no needle is longer, and by then it is in the state in which the near
 * walk would be. */
static __always_inline void bs_scan_chunk(struct bs_scan *s, const void *tables, const u8 *data,
					  u32 len)
{
	const u32 overlap = BS_OVERLAP / BS_BLOCK;
	u32 blocks = (len + BS_BLOCK - 1) / BS_BLOCK, steps;
	struct bs_scan_ctx c = { .scan = s, .tables = tables, .data = data, .state = s->state };

	if (blocks < overlap)
		blocks = overlap;
	steps = (blocks + overlap + 1) / 2;
	c.far = (steps - overlap) * BS_BLOCK;
	c.far_state = BS_ACCEPTS(tables);
	BS_LOOP(steps, bs_scan_step, &c);
	s->state = c.far_state;
}

static __always_inline void bs_scan_needle(struct bs_scan *s, u32 needle)
{
	u64 bit = 1ULL << (needle & 63);
	u32 word = (needle >> 6) & (BS_HAVE_WORDS - 1), n = s->found_count;

	if (s->have[word] & bit)
		return;
	if (n >= BS_MAX_FOUND) {
		s->overflow = 1;
		return;
	}
	s->have[word] |= bit;
	s->found[n & (BS_MAX_FOUND - 1)] = needle;
	s->found_count = n + 1;
}

/* Hit -> needles; also forgets the hit. */
static long bs_scan_take_hit(u32 i, void *data)
{
	struct bs_scan_ctx *c = data;
	struct bs_scan *s = c->scan;
	u32 state = s->hits[i & (BS_MAX_HITS - 1)];
	const struct bs_accept *a = BS_ACCEPT(c->tables, state);

	s->seen[(state >> 6) & (BS_SEEN_WORDS - 1)] = 0;
	if (!a)
		return 0;
	for (u32 k = 0; k < BS_ACCEPT_NEEDLES; k++)
		if (k < a->count)
			bs_scan_needle(s, a->needle[k]);
	return 0;
}

static __always_inline int bs_scan_has(const struct bs_scan *s, u32 needle)
{
	return s->have[(needle >> 6) & (BS_HAVE_WORDS - 1)] >> (needle & 63) & 1;
}

static long bs_scan_rule(u32 i, void *data)
{
	struct bs_scan_ctx *c = data;
	const struct bs_rule *r = BS_RULE(c->tables, c->rule + i);

	if (!r)
		return 1;
	for (u32 k = 0; k < BS_RULE_NEEDLES; k++)
		if (r->need[k] && !bs_scan_has(c->scan, r->need[k]))
			return 0;
	c->candidate = 1;
	return 1;
}

static long bs_scan_anchor(u32 i, void *data)
{
	struct bs_scan_ctx *c = data;
	const struct bs_anchor *a = BS_ANCHOR(c->tables, c->scan->found[i & (BS_MAX_FOUND - 1)]);

	if (!a)
		return 0;
	c->rule = a->first;
	BS_LOOP(a->count, bs_scan_rule, c);
	return c->candidate;
}

static long bs_scan_forget(u32 i, void *data)
{
	struct bs_scan_ctx *c = data;
	u32 needle = c->scan->found[i & (BS_MAX_FOUND - 1)];

	c->scan->have[(needle >> 6) & (BS_HAVE_WORDS - 1)] = 0;
	return 0;
}

static __always_inline void bs_scan_begin(struct bs_scan *s, u32 start)
{
	s->state = start;
}

/* Ends the scan: 1 where the bytes are a candidate, else 0. `s` is zeroed, ready for the next. */
static __always_inline u32 bs_scan_end(struct bs_scan *s, const void *tables)
{
	struct bs_scan_ctx c = { .scan = s, .tables = tables };

	if (!s->hits_count)
		return 0;
	BS_LOOP(s->hits_count, bs_scan_take_hit, &c);
	BS_LOOP(s->found_count, bs_scan_anchor, &c);
	BS_LOOP(s->found_count, bs_scan_forget, &c);
	c.candidate |= s->overflow;
	s->state = s->hits_count = s->found_count = s->overflow = 0;
	return c.candidate;
}

#endif
