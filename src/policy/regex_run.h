/* What must stand in a text that a regular expression matches. */
#ifndef POLICY_REGEX_RUN_H
#define POLICY_REGEX_RUN_H

#include "policy/arena.h"

/* The longest run of bytes with a class (see backstop/class.h) that every match contains, in either
 * case; "" where that cannot be told by a simple reading. */
const char *regex_run(struct arena *a, const char *re);

#define REGEX_RUNS 32

/* What every match contains: one of some runs, most often those of the alternatives of a group,
 * and the longest run that is in none. */
struct regex_runs {
	const char *all[REGEX_RUNS];
	size_t count;	   /* 0: nothing is known */
	const char *plain; /* "": nothing is known */
	bool first;	   /* the text begins with `plain` */
	bool colon;	   /* the text begins with a colon */
};
void regex_runs(struct arena *a, const char *re, struct regex_runs *ret);

#endif
