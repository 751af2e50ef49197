/* The regular expressions of an image, compiled when they are needed first. Each match is limited
 * in steps and memory. */
#ifndef POLICY_REGEX_H
#define POLICY_REGEX_H

#include "policy/image.h"

#define REGEX_MAX 1024 /* bytes of an expression */

struct regexes;

/* `im` stays the caller's, and must outlive them. 0 or -ENOMEM. */
int regexes_new(const struct image *im, struct regexes **ret);
void regexes_free(struct regexes *r);

/* Does `text` match the expression of alternative `alt` of the image? `otherwise` where that could
 * not be found out within the limits, or the expression is none. */
bool regexes_match(const struct regexes *r, u32 alt, const char *text, bool otherwise);

/* Is `pattern` one that can be compiled? 0, or -EINVAL with what is wrong and at which byte. */
int regex_check(const char *pattern, size_t *ret_offset, struct strbuf *err);

#endif
