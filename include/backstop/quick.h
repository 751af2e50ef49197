/* The quick look: may a needle end in these bytes?
 *
 * Most bytes that are sent end none, and the scan (match.h) costs each of them two keys. Here each
 * costs one look at a table, by the last symbols up to it; only where that says so is the scan run,
 * from far enough before that it finds what it would have found had it run from the begin.
 *
 * Only for needles that have patterns: letters and marks are not looked for, so these count as
 * found.
 *
 * The side that includes this header has included match.h, and defines
 *	BS_QUICK_MOST		where the last step may begin
 *	BS_QUICK_SCAN(look, at)	bs_quick_scan() of the data, at `at`
 */
#ifndef BACKSTOP_QUICK_H
#define BACKSTOP_QUICK_H

#include "backstop/ends.h"
#include "backstop/match.h"

#define BS_QUICK	32		      /* bytes of a step */
#define BS_QUICK_BEFORE BS_BLOCK	      /* bytes that stand before the first */
#define BS_QUICK_BLOCKS 5		      /* as far as the scan goes back */
#define BS_NOWHERE	0xb5297a4d3f84d5b5ULL /* a word that no needle begins with */

_Static_assert(BS_QUICK_BLOCKS *BS_BLOCK > BS_NEEDLE_MAX + 1, "no needle is longer");
_Static_assert(BS_QUICK % BS_BLOCK == 0, "whole blocks");

struct bs_quick {
	void *of; /* for BS_QUICK_SCAN() */
	const u8 *ends;
	const u8 *data; /* with BS_QUICK_BEFORE bytes before it */
	u64 *symbols; /* the last, elsewhere: the verifier walks each number that is on the stack */
	u32 first;    /* where the first step begins */
};

static __always_inline void bs_quick_begin(struct bs_quick *q)
{
	const u8 *p = q->data + q->first;
	u64 symbols = 0;

#pragma GCC unroll 4
	for (int k = 4; k > 0; k--)
		symbols = symbols << BS_CLASS_BITS | bs_end_class[*(p - k)];
	*q->symbols = symbols;
}

/* A step, for BS_LOOP(): steps up to one with a byte behind the last, which is 0, where none
 * follow. */
static long bs_quick_step(u32 i, void *data)
{
	struct bs_quick *q = data;
	u32 at = q->first + i * BS_QUICK;
	u64 symbols = *q->symbols, ends = 0;
	const u8 *table = q->ends, *p;

	if (at > BS_QUICK_MOST)
		return 1;
	p = q->data + at;
#pragma GCC unroll 32
	for (int k = 0; k < BS_QUICK; k++) {
		symbols = symbols << BS_CLASS_BITS | bs_end_class[p[k]];
		ends |= table[symbols & BS_ENDS_MASK] >> (symbols >> BS_ENDS_BITS & 7);
		/* the compiler would put this off, and run out of stack */
		asm volatile("" : "+r"(ends));
	}
	*q->symbols = symbols;
	if (ends & 1)
		BS_QUICK_SCAN(q, at);
	return 0;
}

static __always_inline u64 bs_quick_boundary(const u8 *p)
{
	u64 found = 0;

#pragma GCC unroll 16
	for (int k = 0; k < BS_BLOCK; k++)
		found |= (u64)bs_class[p[k]] - 1;
	return found >> 63;
}

/* Scans the bytes at `at`, from a block before that has a boundary, or else from so far that no
 * needle that ends in them begins before, or is whole. */
static __always_inline void bs_quick_scan(struct bs_scan *s, const void *tables, const u8 *data,
					  u32 at)
{
	struct bs_scan_ctx c = { .scan = s, .tables = tables };
	const u8 *p = data + at;
	u32 back = 1, first;

#pragma GCC unroll 4
	for (int k = 1; k < BS_QUICK_BLOCKS; k++) {
		if (bs_quick_boundary(p - k * BS_BLOCK))
			break;
		back++;
	}
	if (back > at / BS_BLOCK + 1)
		back = at / BS_BLOCK + 1;
	first = at + BS_QUICK_BEFORE - back * BS_BLOCK;
	asm volatile("" : "+r"(first)); /* for the verifier no difference of others */
	if (first > BS_QUICK_MOST)
		return;
	c.data = data - BS_QUICK_BEFORE + first;
	s->list = s->len = 0;
	s->word = BS_NOWHERE;
	s->gram = BS_GRAM_MASK;
	BS_LOOP(back + BS_QUICK / BS_BLOCK, bs_scan_step, &c);
}

/* What has no pattern. */
static __always_inline void bs_quick_end(struct bs_scan *s)
{
	s->marks |= BS_MARK_QUOTE | BS_MARK_COLON;
	s->have[0] |= BS_ALL_LETTERS;
}

#endif
