/* The regular expressions of an image, compiled once. Each match is limited in steps and memory. */
#ifndef POLICY_REGEX_H
#define POLICY_REGEX_H

#include "policy/image.h"

#define REGEX_MAX 1024 /* bytes of an expression */

struct regexes;

/* Compiles those of all conditions of `im`, which stays the caller's. 0, -EINVAL with `err` saying
 * which is wrong, or -ENOMEM. */
int regexes_new(const struct image *im, struct regexes **ret, struct strbuf *err);
void regexes_free(struct regexes *r);

/* Does `text` match the expression of alternative `alt` of the image? `otherwise` where that could
 * not be found out within the limits. */
bool regexes_match(const struct regexes *r, u32 alt, const char *text, bool otherwise);

/* Is `pattern` one that can be compiled? 0, or -EINVAL with what is wrong and at which byte. */
int regex_check(const char *pattern, size_t *ret_offset, struct strbuf *err);

#endif
