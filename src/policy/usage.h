/* The command language: one usage line, parsed. */
#ifndef POLICY_USAGE_H
#define POLICY_USAGE_H

#include "policy/arena.h"
#include "policy/paths.h"
#include "policy/source.h"

#define USAGE_MAX_ITEMS 64 /* of one usage line */

enum option_style { STYLE_GETOPT, STYLE_GNU, STYLE_GO, STYLE_COUNT };

enum cond_kind {
	COND_NONE, /* true of any value, and of none */
	COND_GLOB,
	COND_PATH,	/* a class of paths */
	COND_PATH_GLOB, /* a glob on the resolved path */
	COND_RE,
	COND_SQL,
	COND_SQL_READS,
	COND_EXISTS,  /* a file, in the directory that the value names or else in the cwd */
	COND_MISSING, /* the same, but it is not there */
	COND_CALL,    /* a call in the program's code: see call.h */
	COND_GIT,     /* what git would lose: a fact */
	COND_PLAN,    /* the same of a saved plan */
	COND_PRODUCTION,
	COND_VARIABLE, /* NAME=GLOB */
	COND_COUNT
};

struct cond {
	enum cond_kind kind;
	enum path_class path_class;
	const char *arg; /* of glob, path glob, re, exists, missing, call and variable; the fact's
			    name */
};

enum item_kind {
	ITEM_WORD,    /* the next operand */
	ITEM_OPTION,  /* an option, anywhere */
	ITEM_OPERAND, /* an operand that no word took */
	ITEM_KEY,     /* an operand key=value */
	ITEM_AROUND,  /* no one word of the command, but what is around it: files, git, variables;
			 or the code that it is given */
	ITEM_FED,     /* what shell text gives the command to read: <<, <, <-; where it writes: > */
	ITEM_EXCEPT,  /* behind a word: words that its operand is none of */
	ITEM_COUNT
};

/* One of the alternatives of an item. */
struct alt {
	const char *text; /* the word, the option with its dashes, or the key; "" for an operand */
	struct cond cond;
	size_t spot; /* in the source */
};

struct item {
	enum item_kind kind;
	bool negated;
	struct alt *alts;
	size_t alts_count;
};

struct usage {
	struct text line;
	const char *program;
	struct item *items;
	size_t items_count;
	bool open; /* of an allow rule: ended by ... */
};

/* Parses `line`. Faults are told through `src`: false, nothing is returned. */
bool usage_parse(struct arena *a, const struct source *src, struct text line, struct usage *ret);
/* The same for a line without its program, which is given. */
bool usage_parse_items(struct arena *a, const struct source *src, const char *program,
		       struct text line, struct usage *ret);

#endif
