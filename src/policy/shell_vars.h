/* The values of a shell's variables, as far as its text tells them. */
#ifndef POLICY_SHELL_VARS_H
#define POLICY_SHELL_VARS_H

#include "policy/shell.h"

#define SHELL_VARS_MAX	   32  /* variables that are known; of the others nothing is */
#define SHELL_VARS_WORDS   256 /* of one command */
#define SHELL_VARS_UNKNOWN "$" /* what stands for a value that is not known */

struct shell_vars {
	struct {
		char *name, *values; /* several, of a loop, with a newline between them */
	} all[SHELL_VARS_MAX];
	u32 count;
};

/* Words with all that is known in the place of ~, $NAME and ${NAME}; several where NAME has several
 * values. */
struct shell_words {
	char *all[SHELL_VARS_WORDS + 1]; /* NULL behind the last */
	u32 count;
};

void shell_vars_set(struct shell_vars *v, const char *name, const char *values);
/* $1 … of the words that a shell is given behind its text, and its name. */
void shell_vars_set_arguments(struct shell_vars *v, char *const *words, u32 count);
/* What a command sets that only gives values, or export NAME=VALUE and its like. */
void shell_vars_tell(struct shell_vars *v, const struct shell_command *c);
void shell_vars_clear(struct shell_vars *v);

/* `several`: all values of a name that has several, else the first. */
void shell_vars_expand(const struct shell_vars *v, char *const *words, u32 count, bool several,
		       struct shell_words *ret);
void shell_words_clear(struct shell_words *w);

#endif
