/* The exact match of one command with one usage line of an image. */
#ifndef POLICY_EXACT_H
#define POLICY_EXACT_H

#include "policy/work.h"
#include "policy/args.h"
#include "policy/context.h"
#include "policy/paths.h"
#include "policy/regex.h"
#include "policy/shell.h"

struct exact {
	struct args args;
	const struct image_line *line;
	const struct regexes *regexes;
	struct paths *paths;
	struct context *context;       /* NULL: nothing is known around it */
	const struct shell_feed *feed; /* NULL: none */
	const char *target;	       /* of a redirection */
	enum verdict verdict;	       /* of the line */
	const char *const *production; /* the owner's globs; NULL behind the last */
	struct work *work;	       /* once it is over, nothing matches */
};

/* In a signature what is doubtful counts as a match, for a miss is worse than a false alarm. In an
 * allow rule it is the other way round: each operand, and each value of an option that the line
 * names, must be one that the line states. */
bool exact_match(const struct exact *e);

/* Does what this command works with point at production? See production.h. */
bool exact_production(const struct exact *e, bool words, struct strbuf *ret);

#endif
