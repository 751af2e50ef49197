/* Carriers: programs that do not exec what they are given here, but run it themselves or
 * elsewhere. */
#ifndef POLICY_CARRIER_H
#define POLICY_CARRIER_H

#include "backstop/types.h"
#include "base/util.h"

#define CARRIER_NAMES 4

/* A command by the names its program has. */
struct command_view {
	const char *names[CARRIER_NAMES]; /* base names; the first of them is kept in `name` */
	u32 names_count;
	char *const *words; /* behind the program's name */
	u32 count;
	const char *script; /* as it is written, of an interpreter; NULL: a module, an applet */
	char name[256];	    /* for a name that is part of a word */
};

/* What `name` with these words runs in its own process: a script, a module, an applet. NULL where
 * it is no such carrier, else the carrier's name. */
const char *carrier_local(const char *name, char *const *words, u32 count,
			  struct command_view *ret);

/* Shells that read code from a word or from their input. */
extern const char carrier_shells[];

/* The code that a shell is given in a word; NULL where it is given none. `*ret_input`: it reads
 * code from its input. */
const char *carrier_shell_code(char *const *words, u32 count, bool *ret_input);

/* The option by which an interpreter takes code, and whether it reads code from its input with
 * these words; NULL where `name` is no interpreter or reads a script. */
const char *carrier_input_code(const char *name, char *const *words, u32 count);

/* Commands that a shell runs without a program. */
bool carrier_is_builtin(const char *name);

/* Interpreter `i`, which may have a version behind its name, or NULL behind the last. */
const char *carrier_interpreter(u32 i);

/* busybox, toybox: all applets in one program, which runs them without an exec. */
bool carrier_is_multicall(const char *name);

enum remote_kind {
	REMOTE_NONE,
	REMOTE_WORDS, /* run as they are */
	REMOTE_SHELL  /* joined by blanks and read by a shell */
};

/* What `name` with these words runs on another machine or in a container: `ret_first` is the index
 * of the first word. `ret_carrier`: such as "docker exec". `ret_entrypoint`: the program, where an
 * option names it, else NULL. */
enum remote_kind carrier_remote(const char *name, char *const *words, u32 count, u32 *ret_first,
				const char **ret_carrier, const char **ret_entrypoint);
/* Is that a new container that has nothing of its host in it, so that no file can be lost? */
bool carrier_is_fresh(const char *name, char *const *words, u32 count);

enum wrapper_kind {
	WRAPPER_NONE,
	WRAPPER_RUNS,  /* the words from `ret_first` on are a command */
	WRAPPER_SHELL, /* the word at `ret_first` is shell text */
	WRAPPER_EVAL,  /* the words from `ret_first` on, joined by blanks, are shell text */
};

/* What sudo, env, timeout, sh -c … run; only where their own exec cannot be seen. `words` include
 * the program itself. */
enum wrapper_kind carrier_wrapper(char *const *words, u32 count, u32 *ret_first);

/* The shell text that a program which is none hands to a shell (psql -c '\! rm x'); NULL: none.
 * `words` include the program itself. */
const char *carrier_escape(const char *name, char *const *words, u32 count);

const char *carrier_base_name(const char *path);

/* The words of an exec of which a remote carrier is part: whatever has all of one group in it is a
 * candidate, for what is carried may be quoted in any way. NULL ends each list. */
struct remote_mark {
	const char *program, *sub; /* sub: NULL where there is none */
};
extern const struct remote_mark carrier_remote_marks[];
extern const u32 carrier_remote_marks_count;

#endif
