/* Runners: programs that start the command in their own words, here with another environment or
 * from a package, or on another machine. */
#ifndef POLICY_RUNNER_H
#define POLICY_RUNNER_H

#include "backstop/types.h"
#include "base/util.h"
#include "policy/grammar.h"

struct runner {
	const char *line;      /* the program and the words that say to run; * is any word */
	struct grammar values; /* options before the command */
	const char *text;      /* options whose value is shell text to run */
	const char *own;       /* words that are no command, but the runner's own */
	const char *program;   /* what is run, where the words have but its arguments */
	u32 operands;	       /* words before the command */
	bool dashes;	       /* the command stands behind -- only */
	bool package;	       /* its name may have a version: prisma@5, black==24 */
	bool assignments;      /* NAME=VALUE may stand before the command */
	bool remote;	       /* elsewhere, where a shell reads it */
	bool exec;	       /* elsewhere, where no shell reads it */
};

extern const struct runner runners[];
extern const u32 runners_count;

/* What a runner runs: `words` with their program's name as `name`, or shell text. */
struct runner_view {
	const struct runner *runner;
	const char *name; /* NULL: it is the first of `words` */
	char *const *words;
	u32 count;
	const char *text;  /* shell text instead of words */
	char package[256]; /* the name without its version; "" where it has none */
};

/* What `name` with these words runs; false where it is no runner, or runs nothing. */
bool runner_read(const char *name, char *const *words, u32 count, struct runner_view *ret);

#endif
