/* What needles end with, for the quick look and for the compiler. */
#ifndef BACKSTOP_ENDS_H
#define BACKSTOP_ENDS_H

#include "backstop/class.h"

#define BS_ENDS_BITS   (3 * BS_CLASS_BITS) /* of the last three symbols */
#define BS_ENDS_SIZE   (1 << BS_ENDS_BITS)
#define BS_ENDS_MASK   (BS_ENDS_SIZE - 1)

#define BS_END_PERCENT 41 /* a boundary that is told from the others */

static const u8 bs_end_class[256] = { BS_CLASSES, ['%'] = BS_END_PERCENT };

/* An end, in the image: the last three symbols of a pattern, the last lowest, and above them a bit
 * for each value of the low three bits of the symbol before. The table has a byte for each three
 * symbols: the bits of all. */
#define BS_END_BEFORE 24

#endif
