/* The keys of the scan, for the scan and for the compiler. */
#ifndef BACKSTOP_KEY_H
#define BACKSTOP_KEY_H

#include "backstop/class.h"
#include "backstop/scan_tables.h"

#define BS_CLASS_DASH 37
#define BS_KEY_WORD   0x9e3779b97f4a7c15ULL
#define BS_KEY_GRAM   0xd6e8feb86659fd93ULL
#define BS_GRAM_MASK  ((1ULL << (BS_GRAM * BS_CLASS_BITS)) - 1)
#define BS_KEY_DASH   ((u32)((BS_CLASS_DASH * BS_KEY_WORD) >> 32)) /* of a word's first dash */
#define BS_KEY_PAIR   0xa0761d6478bd642fULL
#define BS_FILTER_BIT 58 /* from there on a key tells the bit of a filter's word */

_Static_assert(BS_NEEDLE_MAX >= BS_GRAM, "a shortened needle has a key");

/* Letters of short options, and digits: the needles of theirs. Case tells, as it does for most
 * programs. */
static const u8 bs_letter[256] = {
	['a'] = 1,  ['b'] = 2,	['c'] = 3,  ['d'] = 4,	['e'] = 5,  ['f'] = 6,	['g'] = 7,
	['h'] = 8,  ['i'] = 9,	['j'] = 10, ['k'] = 11, ['l'] = 12, ['m'] = 13, ['n'] = 14,
	['o'] = 15, ['p'] = 16, ['q'] = 17, ['r'] = 18, ['s'] = 19, ['t'] = 20, ['u'] = 21,
	['v'] = 22, ['w'] = 23, ['x'] = 24, ['y'] = 25, ['z'] = 26, ['A'] = 27, ['B'] = 28,
	['C'] = 29, ['D'] = 30, ['E'] = 31, ['F'] = 32, ['G'] = 33, ['H'] = 34, ['I'] = 35,
	['J'] = 36, ['K'] = 37, ['L'] = 38, ['M'] = 39, ['N'] = 40, ['O'] = 41, ['P'] = 42,
	['Q'] = 43, ['R'] = 44, ['S'] = 45, ['T'] = 46, ['U'] = 47, ['V'] = 48, ['W'] = 49,
	['X'] = 50, ['Y'] = 51, ['Z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62,
};

/* The key, in the high half, of a word with one more symbol: a boundary ends it. */
static inline u64 bs_key_word(u64 word, u64 class)
{
	return (word ^ class) * BS_KEY_WORD;
}

/* The word goes on, or behind a boundary a new one begins, with 0. */
static inline u64 bs_key_next(u64 word, u64 class)
{
	s64 mask = -(s64) class;

	/* the compiler would branch here */
	asm volatile("" : "+r"(mask));
	return word & (u64)(mask >> 63);
}

static inline u64 bs_key_shift(u64 gram, u64 class)
{
	return (gram << BS_CLASS_BITS | class) & BS_GRAM_MASK;
}

/* The key, in the high half, of rules that have both this name and this other needle. */
static inline u64 bs_key_pair(u32 name, u32 needle)
{
	return (name * BS_KEY_GRAM ^ needle) * BS_KEY_PAIR;
}

/* The key, in the high half, of the last symbols. */
static inline u64 bs_key_gram(u64 gram)
{
	return gram * BS_KEY_GRAM;
}

#endif
