/* The classes of bytes that the scan works on, for the scan and for the compiler. */
#ifndef BACKSTOP_CLASS_H
#define BACKSTOP_CLASS_H

#include "backstop/types.h"

#define BS_CLASS_BITS 6
#define BS_CLASS_MASK ((1 << BS_CLASS_BITS) - 1)
#define BS_CLASS_LAST 40

/* Marks of bytes that count wherever they stand: those by which a shell takes words apart or puts
 * them together otherwise than they stand there, and the colon. */
#define BS_MARK_QUOTE	0x40
#define BS_MARK_COLON	0x80
#define BS_MARK_DEFINES 0x100 /* of no single byte: see bs_scan_defines() */

/* The class of each byte: 0 is the boundary, then letters (case folded), digits and - _ . + */
#define BS_CLASSES                                                                                 \
	['a'] = 1, ['b'] = 2, ['c'] = 3, ['d'] = 4, ['e'] = 5, ['f'] = 6, ['g'] = 7, ['h'] = 8,    \
	['i'] = 9, ['j'] = 10, ['k'] = 11, ['l'] = 12, ['m'] = 13, ['n'] = 14, ['o'] = 15,         \
	['p'] = 16, ['q'] = 17, ['r'] = 18, ['s'] = 19, ['t'] = 20, ['u'] = 21, ['v'] = 22,        \
	['w'] = 23, ['x'] = 24, ['y'] = 25, ['z'] = 26, ['A'] = 1, ['B'] = 2, ['C'] = 3,           \
	['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10, ['K'] = 11,  \
	['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,        \
	['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25,        \
	['Z'] = 26, ['0'] = 27, ['1'] = 28, ['2'] = 29, ['3'] = 30, ['4'] = 31, ['5'] = 32,        \
	['6'] = 33, ['7'] = 34, ['8'] = 35, ['9'] = 36, ['-'] = 37, ['_'] = 38, ['.'] = 39,        \
	['+'] = 40
static const u8 bs_class[256] = { BS_CLASSES };
/* The same with the marks. */
static const u8 bs_symbol[256] = {
	BS_CLASSES,
	['\''] = BS_MARK_QUOTE,
	['"'] = BS_MARK_QUOTE,
	['\\'] = BS_MARK_QUOTE,
	['$'] = BS_MARK_QUOTE,
	['`'] = BS_MARK_QUOTE,
	[':'] = BS_MARK_COLON,
};

#endif
