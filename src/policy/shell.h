/* Shell text taken apart into simple commands. */
#ifndef POLICY_SHELL_H
#define POLICY_SHELL_H

#include "backstop/types.h"
#include "base/util.h"

/* What a command reads, or, of a redirection, what is written; NULL where that is not known. */
struct shell_feed {
	const char *text; /* of echo, printf, a here-document or a here-string */
	const char *file; /* of < FILE, or of cat FILE before a | */
	const char *from; /* commands before a |, or the last one in a substitution */
};

/* A simple command; a redirection, as a command > or >> with the target as its operand; what
 * defines a function, as a command `function NAME HOW`, where HOW is `forks` if the function starts
 * itself in the background or at both ends of a pipe, else `once`; or what
 * only gives variables values: NAME=VALUE …, for NAME in WORD …, with what its last substitution
 * runs as feed.from. */
struct shell_command {
	char *const *words; /* NULL behind the last */
	u32 count;
	struct shell_feed feed;
	unsigned int level; /* of subshells around it: what they change is not seen outside */
	bool sets;	    /* it is no command, but gives variables values */
	const char *body;   /* of the function that it defines, else NULL */
	bool *skip;	    /* set by the callee: the body is not read as well */
	bool *stop;	    /* the same: no more is told */
};

typedef void (*shell_command_fn)(void *data, const struct shell_command *c);

/* Calls `fn` for each simple command of `text`, those in substitutions included, and for each
 * redirection that writes to a file. Quotes are taken away, nothing is expanded; assignments before
 * a command and reserved words are left out. `depth`: how deep substitutions may still nest.
 * `literal`: words whose letters do not stand side by side in the text, such as p"sq"l, are told as
 * $, since a scan of the text cannot find them. 0 or -ENOMEM. */
int shell_each_command(const char *text, unsigned int depth, bool literal, shell_command_fn fn,
		       void *data);

/* Is this the name of a redirection, of what defines a function? */
bool shell_is_redirection(const char *name);
bool shell_is_definition(const char *name);

/* What a command that reads `in` writes: to be freed; NULL where that is not known. */
char *shell_output(char *const *words, u32 count, const struct shell_feed *in);

/* All words with blanks between them, behind `before`, which may be NULL; to be freed. */
char *shell_join(const char *before, char *const *words, u32 count);

#endif
