/* What the reader says of the world around a command, asked as the user who asks. */
#ifndef CLI_CONTEXT_H
#define CLI_CONTEXT_H

#include "policy/context.h"

/* Answers all questions of `c`, from the directory `cwd`; what is not known by CONTEXT_TIME is not
 * known. */
void context_read(struct context *c, const char *cwd);

#endif
