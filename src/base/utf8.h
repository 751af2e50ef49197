/* UTF-8, for bytes that may be anything. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdint.h>

#include "base/util.h"

/* The length (1 to 4) of the well-formed sequence that `data` starts with, and its code point; 0
 * where there is none: overlong forms, surrogates and what is beyond U+10FFFF are not well-formed.
 */
size_t utf8_decode(const char *data, size_t len, uint32_t *ret_code);

#endif
