/* The ends of all patterns: see backstop/ends.h. */
#include <string.h>

#include "backstop/ends.h"
#include "backstop/key.h"
#include "policy/needles.h"

#define SYMBOLS_MAX (BS_NEEDLE_MAX + 2)
#define LAST	    3
#define BOUNDARY    0

/* BOUNDARY stands for any. */
static size_t symbols_of(const struct pattern *p, u8 ret[SYMBOLS_MAX])
{
	size_t len = strlen(p->text), n = 0;

	if (p->left)
		ret[n++] = p->percent ? BS_END_PERCENT : BOUNDARY;
	for (size_t i = 0; i < len && n < SYMBOLS_MAX - 1; i++)
		ret[n++] = bs_class[(unsigned char)p->text[i]];
	if (p->right)
		ret[n++] = BOUNDARY;
	return n;
}

static u32 bits_before(u8 symbol)
{
	return symbol == BOUNDARY ? 1U | 1U << (BS_END_PERCENT & 7) : 1U << (symbol & 7);
}

/* Of the last `left` symbols before those in `end`, `known` are at `symbols`. */
static void push_ends(struct needles *n, struct ends *e, const u8 *symbols, size_t known, u32 end,
		      u32 left)
{
	u32 at = BS_CLASS_BITS * (LAST - left);
	u8 symbol = known ? symbols[known - 1] : 0;

	if (!left) {
		end |= (known ? bits_before(symbol) : 0xff) << BS_END_BEFORE;
		ARENA_PUSH(n->arena, e->all, end);
	} else if (!known) {
		for (u32 i = 0; i <= BS_END_PERCENT; i++)
			push_ends(n, e, symbols, 0, end | i << at, left - 1);
	} else {
		push_ends(n, e, symbols, known - 1, end | (u32)symbol << at, left - 1);
		if (symbol == BOUNDARY)
			push_ends(n, e, symbols, known - 1, end | BS_END_PERCENT << at, left - 1);
	}
}

struct ends ends_of(struct needles *n)
{
	struct ends e = { 0 };
	u8 symbols[SYMBOLS_MAX];

	for (size_t i = BS_NEEDLE_CARRIER; i < n->all_count; i++)
		for (size_t k = 0; k < n->all[i].patterns_count; k++)
			push_ends(n, &e, symbols, symbols_of(&n->all[i].patterns[k], symbols), 0,
				  LAST);
	return e;
}
