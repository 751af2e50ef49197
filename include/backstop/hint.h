/* What a session's project calls precious, as the kernel looks for it: by the first or the last
 * bytes of a component of the path. Where it finds them the guard decides by the whole glob. For
 * both sides. */
#ifndef BACKSTOP_HINT_H
#define BACKSTOP_HINT_H

#include "backstop/types.h"

/* Bytes as they stand in memory, the NUL behind a name included. No mask: every name has them. */
struct bs_hint {
	u64 word, mask;
};
#define BS_HINTS 64
struct bs_hints {
	u32 count, heads; /* those of first bytes come first, then those of last bytes */
	struct bs_hint all[BS_HINTS];
};

/* Wherever it stands: for the kernel in one load, as every machine of ours can. */
static __always_inline u64 bs_word_at(const void *p)
{
#ifdef __bpf__
	return *(const u64 *)p;
#else
	u64 word;

	__builtin_memcpy(&word, p, sizeof(word));
	return word;
#endif
}

/* A name's first 8 bytes, with zeros behind, and its last 8 with its NUL, with zeros before. */
struct bs_ends {
	u64 head, tail;
};

/* `n` bytes with the NUL, 1 … 256; 8 can be read in any case. */
static __always_inline struct bs_ends bs_ends_of(const void *name, u32 n)
{
	struct bs_ends e = { bs_word_at(name), 0 };

	if (n >= sizeof(u64)) {
		/* a byte, so that the verifier sees a bound */
		e.tail = bs_word_at((const u8 *)name + (u8)(n - sizeof(u64)));
	} else {
		e.head &= (1ULL << (n * 8 & 63)) - 1;
		e.tail = e.head << ((64 - n * 8) & 63);
	}
	return e;
}

static __always_inline int bs_is_hinted(const struct bs_hints *h, const struct bs_ends *e)
{
	for (u32 i = 0; i < BS_HINTS && i < h->count; i++)
		if (((i < h->heads ? e->head : e->tail) & h->all[i].mask) == h->all[i].word)
			return 1;
	return 0;
}

#endif
