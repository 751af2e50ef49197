/* Globs: * ? [a-z] [!a-z] and \ before a byte that stands for itself. */
#ifndef POLICY_GLOB_H
#define POLICY_GLOB_H

#include "base/util.h"

/* Does all of `text` match? `*` spans any bytes. */
bool glob_match(const char *pattern, const char *text, bool nocase);

/* The same for paths: `*` and `?` stay inside a component, `**` spans components, and / at the end
 * of the pattern with it stands for nothing as well ("a/ **" without the blank matches "a"). */
bool glob_match_path(const char *pattern, const char *path);

/* Moves on behind the next element of a pattern that is not at its end. True where that is a byte
 * which stands for itself: `ret`. */
bool glob_next(const char **pattern, char *ret);

/* The bytes that a text must begin with, up to `size` of them, are put into `ret`, unterminated.
 * How many there are; `ret_all`: nothing may follow them. */
size_t glob_prefix(const char *pattern, char *ret, size_t size, bool *ret_all);

bool glob_has_wildcard(const char *text);

#endif
