/* A project's globs -> what the kernel looks for. */
#include <string.h>

#include "policy/project.h"
#include "policy/search.h"

#define WORD (sizeof(u64))

struct end {
	char bytes[WORD], mask[WORD];
	u32 known; /* bytes, 0: none */
	bool tail;
};

static void set_byte(struct end *e, size_t at, char c)
{
	e->bytes[at] = c;
	e->mask[at] = (char)0xff;
	e->known++;
}

/* `open`: more of the component may follow. */
static struct end head_of(const char *part, size_t len, bool open)
{
	struct end e = { .tail = false };
	size_t n = 0;

	for (; n < len && n < WORD && !strchr("*?", part[n]); n++)
		set_byte(&e, n, part[n]);
	if (n == len && n < WORD && n && !open)
		set_byte(&e, n, '\0');
	return e;
}

static struct end tail_of(const char *part, size_t len)
{
	struct end e = { .tail = true };
	size_t n = 0;

	for (; n < len && n < WORD - 1 && !strchr("*?", part[len - 1 - n]); n++)
		set_byte(&e, WORD - 2 - n, part[len - 1 - n]);
	if (n)
		set_byte(&e, WORD - 1, '\0');
	return e;
}

static void keep_longer(struct end *e, struct end other)
{
	if (other.known > e->known)
		*e = other;
}

/* The longest end of a component, up to the first set or backslash. */
static struct end end_of(const char *glob)
{
	size_t known = strcspn(glob, "[\\"), at = glob[0] == '~';
	struct end e = { .known = 0 };

	while (at < known) {
		size_t len = strcspn(glob + at, "/");
		bool open = at + len > known;

		len = open ? known - at : len;
		keep_longer(&e, head_of(glob + at, len, open));
		if (!open)
			keep_longer(&e, tail_of(glob + at, len));
		at += len + 1;
	}
	return e;
}

static struct bs_hint hint_of(const struct end *e)
{
	struct bs_hint hint;

	memcpy(&hint.word, e->bytes, sizeof(hint.word));
	memcpy(&hint.mask, e->mask, sizeof(hint.mask));
	return hint;
}

void project_hints(const struct project *p, struct bs_hints *ret)
{
	_Static_assert(PROJECT_GLOBS == BS_HINTS, "each glob has one");
	ret->count = ret->heads = 0;
	for (int tail = 0; tail <= 1; tail++) {
		for (u32 i = 0; p && i < MIN(p->precious_count, PROJECT_GLOBS); i++) {
			struct end e = end_of(p->precious[i]);

			if (e.tail == tail)
				ret->all[ret->count++] = hint_of(&e);
		}
		if (!tail)
			ret->heads = ret->count;
	}
}
