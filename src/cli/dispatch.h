/* From the words of a command line to a command of the table, and the texts made from the table. */
#ifndef CLI_DISPATCH_H
#define CLI_DISPATCH_H

#include "base/strbuf.h"
#include "cli/command.h"

/* Runs what argv asks for; `commands` is ended by NULL. The exit status. */
int dispatch(const struct command *const *commands, int argc, char **argv);

void usage_all(struct strbuf *out, const struct command *const *commands);
void usage_command(struct strbuf *out, const struct command *c);

#endif
