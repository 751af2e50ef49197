/* The state of a search, and its parts: search.c tries lines, search_carrier.c follows what
 * carriers carry, search_shell.c what shells read, search_started.c what is started. */
#ifndef POLICY_SEARCH_STATE_H
#define POLICY_SEARCH_STATE_H

#include "policy/paths.h"
#include "policy/search.h"
#include "policy/shell.h"
#include "policy/work.h"

#define SEARCH_MAX_DEPTH 8 /* carriers and wrappers in each other */

/* Which lines count. */
enum part {
	PART_ALL,
	PART_SHELL, /* what a shell does itself, and what it feeds to others, which it execs */
	PART_FED    /* the latter */
};

struct search {
	const struct policy *policy;
	const struct project *project;
	u32 only;
	bool allowing; /* allow rules are tried, else signatures */
	enum part part;
	bool builtin; /* the shell runs this command without an exec */
	bool found;   /* what is searched is a candidate however it is quoted */
	const struct shell_feed *feed;
	const char *target;	/* of a redirection */
	struct strbuf *started; /* see struct action */
	/* where the shell went, and what is true again behind the subshell that went there */
	char cwd[PATHS_MAX], cwd_outside[PATHS_MAX];
	unsigned int level, cwd_level;
	struct paths *paths;
	struct paths local, remote;
	unsigned int depth;
	const char *carrier;
	struct context *context;
	struct work work;
	struct search_result result;
};

/* The lines of all programs of a name. True where an allow rule matches. */
bool search_name(struct search *s, const char *name, char *const *words, u32 count);

/* A command by all names of its program, and what it carries. An allow rule covers all that, but
 * for its own name only: argv[0] says what an agent likes. */
void search_command(struct search *s, const char *const *names, u32 names_count, char *const *words,
		    u32 count);

/* A simple command of text that runs elsewhere, by applets, or in a shell: here wrappers are
 * unwrapped as well, since what they start is no exec of ours, or is not told what it is fed. */
void search_words(struct search *s, char *const *words, u32 count);
/* The words, joined by blanks, are shell text. */
void search_shell(struct search *s, char *const *words, u32 count);
/* A shell, here or elsewhere, runs what it is fed. */
void search_input(struct search *s);
/* Goes to a directory, in the shell of this machine. */
void search_enter(struct search *s, const char *dir);
/* Leaves the subshell that went elsewhere, once a command is outside of it. */
void search_leave(struct search *s, unsigned int level);
/* What a command starts by execs of their own, where that is asked. */
void search_started(struct search *s, char *const *words, u32 count);
/* What a shell of this name does itself, and what an interpreter is fed. */
void search_code(struct search *s, const char *name, char *const *words, u32 count);

#endif
