/* What must stand in a text that a regular expression matches. */
#ifndef POLICY_REGEX_RUN_H
#define POLICY_REGEX_RUN_H

#include "policy/arena.h"

/* The longest run of bytes with a class (see backstop/class.h) that every match contains, in either
 * case; "" where that cannot be told by a simple reading. */
const char *regex_run(struct arena *a, const char *re);

#endif
