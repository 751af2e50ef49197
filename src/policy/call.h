/* {call:NAME COND…}: a call in code, by its name and by what its arguments may be. */
#ifndef POLICY_CALL_H
#define POLICY_CALL_H

#include "policy/arena.h"
#include "policy/code.h"
#include "policy/paths.h"
#include "policy/work.h"

/* What is wrong with the predicate's argument; NULL: nothing. */
const char *call_check(const char *pattern);

/* Does the code call such a function? `doubtful`: does what is too long to be read? Once `work` is
 * over, the answer says nothing. */
bool call_is_made(const char *pattern, enum code_language language, const char *text,
		  struct paths *paths, bool doubtful, struct work *work);

/* A glob on all code with such a call. */
const char *call_glob(struct arena *a, const char *pattern);

/* The next text that an argument, or the key of one, must be, of letters alone and a few marks;
 * NULL where there is none. `*at` goes on in the pattern from its begin. */
const char *call_text(struct arena *a, const char **at);

#endif
