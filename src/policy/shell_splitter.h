/* The state of the splitter of shell text: shell.c reads the text into words and redirections,
 * shell_command.c makes commands of them. */
#ifndef POLICY_SHELL_SPLITTER_H
#define POLICY_SHELL_SPLITTER_H

#include "policy/shell.h"

struct redirection {
	char op;      /* '>', 'a' appends, '<', 'w' has a word as text */
	bool output;  /* of standard output */
	char *target; /* in the splitter's text */
};

/* A shell_feed that owns what it has. */
struct source {
	char *text, *file, *from;
};

struct splitter {
	const char *p, *last; /* last: where the last byte of the word came from */
	char **words;
	u32 count;
	char *out;  /* end of the word in hand */
	char *text; /* of all words of this command */
	bool in_word, quoted, spliced, literal;
	struct redirection *redirections;
	u32 redirections_count;
	char op; /* the next word is a redirection's */
	bool output;
	const char *bodies; /* where the here-documents of this line end */
	char *body;	    /* of this command's here-document */
	char *inside;	    /* of its last substitution */
	struct source fed;  /* by a | before the command */
	struct source past; /* what the commands before wrote, since the group began */
	bool grouped;	    /* nothing but redirections may follow a group */
	bool nested;	    /* in $(…): ends at its ) */
	bool ended;
	unsigned int level, base, cases, depth; /* base: the level where it began */
	unsigned int *substitutions;
	bool *stop;
	shell_command_fn fn;
	void *data;
	int error;
};

/* The byte at s->p, or a $ in its place, belongs to the word in hand. */
void splitter_put(struct splitter *s, char c);
/* Begins a word, perhaps an empty one. */
void splitter_begin_word(struct splitter *s);
void splitter_end_word(struct splitter *s);

/* Tells the command in hand. `piped`: the next one reads what it writes. */
void splitter_end_command(struct splitter *s, bool piped);
/* A group of commands begins. */
void splitter_open_group(struct splitter *s);
/* Tells the definition of a function, whose name is the word in hand, and where it goes on. False
 * where it is none. */
bool splitter_define(struct splitter *s, const char *body);
/* Frees all but what the caller gave. */
void splitter_clear(struct splitter *s);

#endif
