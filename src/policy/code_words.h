/* Where interpreters have code among their words: behind -c, -e, in clusters, more than once. */
#ifndef POLICY_CODE_WORDS_H
#define POLICY_CODE_WORDS_H

#include "policy/code.h"

/* The language of a program, such as python3.11; -1 where it is none that is read. */
int code_language_of(const char *program);

/* The next code among the words behind the program's name; NULL where there is no more. `*at` is
 * where to look on, 0 at first. */
const char *code_next(const char *program, char *const *words, u32 count, u32 *at);

#endif
