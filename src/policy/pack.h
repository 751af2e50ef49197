/* A pack as its file states it, with where each thing stands. All memory is in the arena. */
#ifndef POLICY_PACK_H
#define POLICY_PACK_H

#include "policy/context.h"
#include "policy/arena.h"
#include "policy/delete_rule.h"
#include "policy/destination.h"
#include "policy/policy.h"
#include "policy/send_rule.h"
#include "policy/source.h"
#include "policy/usage.h"

struct option_name { /* of values: and flags: */
	const char *name;
	const char *sub; /* only where this is the first operand; NULL: always */
	bool attached;	 /* its value stands in the same word or nowhere */
};

struct program {
	struct text key;
	struct text *also;
	size_t also_count;
	enum option_style style;
	struct option_name *values, *flags;
	size_t values_count, flags_count;
	bool nocase;
	struct usage *reads; /* what only reads, without the program */
	size_t reads_count;
	struct pack *pack;
	unsigned int number; /* in the image */
};

struct stated {
	enum fact fact;
	unsigned int count;
};

struct example {
	struct text run;    /* the command, or the destination */
	bool own;	    /* the destination is the host's own */
	const char *cwd;    /* NULL: the usual one */
	const char **files; /* that exist, NULL behind the last; NULL: none */
	size_t files_count;
	struct stated *facts; /* what would be lost */
	size_t facts_count;
	const char **vars; /* of the environment, NAME=VALUE, NULL behind the last; NULL: unknown */
	size_t vars_count;
	const char *file; /* of an agent's: the file that is loaded; NULL: not known */
	const char *name; /* of an agent's: as given to execve; NULL: as argv[0] */
	/* of a deletion: the command that does it, its ancestors' programs, the file's names */
	const char *by;
	const char **behind;
	size_t behind_count;
	const char **precious; /* globs of the project's, by which its file is protected */
	size_t precious_count;
	u32 links;
};

struct signature {
	struct text id, why, instead; /* instead.s: NULL where there is none */
	const char *attack;
	enum severity severity;
	enum verdict verdict;
	struct usage *commands;
	size_t commands_count;
	struct destination *connects; /* instead of commands */
	size_t connects_count;
	struct delete_rules deletes; /* likewise */
	struct send_rules sends;
	struct example *hits, *misses;
	size_t hits_count, misses_count;
	unsigned int number; /* in the image */
	bool read_only;	     /* made of the preset: what the programs' reads: do not name */
	bool off;	     /* by the owner's settings: is not compiled */
	bool faulty;	     /* has a fault: is not compiled, its examples are not tried */
};

struct pack {
	struct source src;
	struct text name;
	const char *title;
	bool local; /* what it speaks of stays on this machine, and points at no production */
	struct program *programs;
	size_t programs_count;
	struct signature *signatures;
	size_t signatures_count;
	struct usage *allow;
	size_t allow_count;
	struct destination *allow_connects;
	size_t allow_connects_count;
	struct delete_rules allow_deletes;
	struct send_rules allow_sends;
};

/* Reads a pack; faults go to src.faults, and what has one is left out or marked as faulty. */
void pack_read(struct arena *a, struct source src, struct pack *ret);

struct yaml_reader;
struct yaml;
/* An example of a signature; `run.s` is NULL after a fault. */
struct example pack_read_example(struct yaml_reader *r, struct yaml v);
/* The value of an allow: key, for a pack that is read in another way. */
void pack_read_allow(struct yaml_reader *r, struct yaml v, struct pack *pack);

#endif
