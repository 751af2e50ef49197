/* The words of a command, read by the option grammar of its program. */
#ifndef POLICY_ARGS_H
#define POLICY_ARGS_H

#include "policy/image.h"

#define ARGS_ABBREVIATION                                                                          \
	5 /* bytes of an abbreviated option, at least: the dashes and three letters */

/* A command and the program whose grammar applies. */
struct args {
	const struct image *image;
	const struct image_program *program;
	char *const *words; /* behind the program's name */
	u32 count;
};

/* Reads a command from left to right. Copying one marks a place to come back to. */
struct args_cursor {
	const struct args *args;
	const u32 *taken; /* operands that are known to be words of a usage line, ascending; an
			     operand before the last of them that is not listed is the value of the
			     unknown option before it */
	u32 taken_count;
	u32 at;
	bool ended;	     /* -- has passed */
	const char *sub;     /* the first operand, NULL before it */
	const char *cluster; /* what is left of -abc */
};

struct arg {
	bool option;
	bool dashes;	  /* -- itself, which is told as an option */
	bool taken;	  /* an operand that is in `taken` */
	bool maybe_value; /* an unknown option: the operand behind it could be its value */
	bool exact;	  /* an option whose name is known in full, so it abbreviates none */
	char letter;	  /* a short option; 0: a long one */
	const char *name; /* of a long option, with its dashes; go style: without */
	size_t name_len;
	const char *value; /* of an option, NULL where it has none; of an operand the operand */
	bool attached;	   /* the value of a short option stands in the same word */
	u32 index;	   /* of an operand */
};

struct args_cursor args_begin(const struct args *args);
bool args_next(struct args_cursor *c, struct arg *ret);
/* After an option with maybe_value: take the operand behind it as its value. */
void args_skip(struct args_cursor *c);

/* Is this the option that a usage line calls `name`? An abbreviation counts; where it could be
 * another option's as well, only if `doubtful` may count. */
bool args_is_option(const struct args *args, const struct arg *arg, const char *name,
		    bool doubtful);

#endif
