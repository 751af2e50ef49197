/* Text that a shell would split, for examples, explain and what ssh or docker exec carry. No
 * expansion. */
#ifndef POLICY_SHELLWORDS_H
#define POLICY_SHELLWORDS_H

#include <stddef.h>

/* Splits a command line into words by POSIX quoting. A NULL-terminated vector, freed by
 * shellwords_free(); -EINVAL at an open quote. `ret_count` may be NULL. */
int shellwords_split(const char *line, char ***ret_words, size_t *ret_count);
void shellwords_free(char **words);

#endif
