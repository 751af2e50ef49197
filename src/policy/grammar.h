/* Just enough of a program's options to find its operands, for carriers. */
#ifndef POLICY_GRAMMAR_H
#define POLICY_GRAMMAR_H

#include "backstop/types.h"
#include "base/util.h"

/* Either the options that take a value, or those that take none. */
struct grammar {
	const char *letters; /* short options; NULL: none */
	const char *names;   /* long ones (and short words such as -jar), with their dashes */
	bool flags;	     /* the lists are of those without a value, all others take one */
};

/* Is `word` in a list of names with blanks between them? The list may be NULL. */
bool grammar_lists(const char *list, const char *word, size_t len);
/* Does the option in `word` take the word behind it? */
bool grammar_takes_next(const struct grammar *g, const char *word);
/* The index of the first word from `at` on that is neither an option nor an option's value; -- is
 * passed. */
u32 grammar_skip_options(const struct grammar *g, char *const *words, u32 count, u32 at);

#endif
