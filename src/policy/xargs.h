/* The command that xargs makes of its words and of what it reads. */
#ifndef POLICY_XARGS_H
#define POLICY_XARGS_H

#include "policy/shell_vars.h"

/* `words` include xargs itself; `feed` is what it reads, NULL: not known. No words where it has no
 * command of its own. What it reads but nobody knows is one operand, SHELL_VARS_UNKNOWN. */
void xargs_words(char *const *words, u32 count, const struct shell_feed *feed,
		 struct shell_words *ret);

#endif
