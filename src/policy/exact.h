/* The exact match of one command with one usage line of an image. */
#ifndef POLICY_EXACT_H
#define POLICY_EXACT_H

#include "policy/args.h"
#include "policy/paths.h"
#include "policy/regex.h"

struct exact {
	struct args args;
	const struct image_line *line;
	const struct regexes *regexes;
	struct paths *paths;
};

/* In a signature what is doubtful counts as a match, for a miss is worse than a false alarm. In an
 * allow rule it is the other way round: each operand, and each value of an option that the line
 * names, must be one that the line states. */
bool exact_match(const struct exact *e);

#endif
