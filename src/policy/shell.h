/* Shell text that runs elsewhere (over ssh, in a container), taken apart into simple commands. */
#ifndef POLICY_SHELL_H
#define POLICY_SHELL_H

#include "backstop/types.h"

typedef void (*shell_command_fn)(void *data, char *const *words, u32 count);

/* Calls `fn` for each simple command of `text`, those in substitutions included. Quotes are taken
 * away, nothing is expanded; assignments before a command, redirections and reserved words are left
 * out. `depth`: how deep substitutions may still nest. 0 or -ENOMEM. */
int shell_each_command(const char *text, unsigned int depth, shell_command_fn fn, void *data);

#endif
