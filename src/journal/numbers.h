/* A set of numbers that come nearly in order and nearly all: kept as ranges. */
#ifndef JOURNAL_NUMBERS_H
#define JOURNAL_NUMBERS_H

#include <stdint.h>

#include "base/util.h"

/* With more, the lowest gaps are forgotten: what is missing there then counts as being in the set.
 */
#define NUMBERS_RANGES 65536

struct number_range {
	uint64_t first, last;
};

struct numbers {
	struct number_range *ranges; /* in order, with gaps between them; NULL while empty */
	size_t count, cap;
};

#define NUMBERS_INIT ((struct numbers) { 0 })

void numbers_free(struct numbers *s);
/* 1 where it was not in the set before, 0 where it was, or -ENOMEM. */
int numbers_add(struct numbers *s, uint64_t n);
/* A range behind all others, with a gap before it. 0 or -ENOMEM. */
int numbers_append(struct numbers *s, struct number_range range);
bool numbers_has(const struct numbers *s, uint64_t n);

#endif
