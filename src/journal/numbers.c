#include "journal/numbers.h"

#include <errno.h>
#include <string.h>

void numbers_free(struct numbers *s)
{
	free(s->ranges);
	*s = NUMBERS_INIT;
}

/* How many ranges begin at or below `n`. Numbers come nearly in order: it is mostly all. */
static size_t count_below(const struct numbers *s, uint64_t n)
{
	size_t low = 0, high = s->count;

	if (!high || s->ranges[high - 1].first <= n)
		return high;
	while (low < high) {
		size_t mid = (low + high) / 2;

		if (s->ranges[mid].first <= n)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool numbers_has(const struct numbers *s, uint64_t n)
{
	size_t below = count_below(s, n);

	return below && n <= s->ranges[below - 1].last;
}

static void remove_range(struct numbers *s, size_t at)
{
	s->count--;
	memmove(s->ranges + at, s->ranges + at + 1, (s->count - at) * sizeof(*s->ranges));
}

static int grow(struct numbers *s)
{
	size_t cap = s->cap ? s->cap * 2 : 16;
	struct number_range *ranges = realloc(s->ranges, cap * sizeof(*ranges));

	if (!ranges)
		return -ENOMEM;
	s->ranges = ranges;
	s->cap = cap;
	return 0;
}

int numbers_append(struct numbers *s, struct number_range range)
{
	int err = s->count == s->cap ? grow(s) : 0;

	if (!err)
		s->ranges[s->count++] = range;
	return err;
}

static int insert_range(struct numbers *s, size_t at, uint64_t n)
{
	if (s->count == s->cap) {
		int err = grow(s);

		if (err)
			return err;
	}
	memmove(s->ranges + at + 1, s->ranges + at, (s->count - at) * sizeof(*s->ranges));
	s->ranges[at] = (struct number_range) { n, n };
	s->count++;
	if (s->count > NUMBERS_RANGES) {
		s->ranges[1].first = s->ranges[0].first;
		remove_range(s, 0);
	}
	return 1;
}

int numbers_add(struct numbers *s, uint64_t n)
{
	size_t at = count_below(s, n);
	struct number_range *before = at ? &s->ranges[at - 1] : NULL;
	struct number_range *after = at < s->count ? &s->ranges[at] : NULL;

	if (before && n <= before->last)
		return 0;
	if (before && n == before->last + 1) {
		before->last = n;
		if (after && after->first == n + 1) {
			before->last = after->last;
			remove_range(s, at);
		}
		return 1;
	}
	if (after && after->first == n + 1) {
		after->first = n;
		return 1;
	}
	return insert_range(s, at, n);
}
