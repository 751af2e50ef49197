/* The world around a command, as far as no word of the command tells: what git would lose, what a
 * saved plan deletes, where the environment points. What only files can tell is asked of another
 * process (src/context), for the files are anybody's: here are the questions and their answers. */
#ifndef POLICY_CONTEXT_H
#define POLICY_CONTEXT_H

#include <sys/types.h>

#include "backstop/types.h"
#include "base/strbuf.h"
#include "policy/looks.h"
#include "policy/policy.h"

enum fact {
	FACT_GIT_MODIFIED,
	FACT_GIT_UNSTAGED,
	FACT_GIT_UNTRACKED,
	FACT_GIT_IGNORED,
	FACT_GIT_STASHED,
	FACT_GIT_UNMERGED,
	FACT_GIT_WORKTREE,
	FACT_PLAN_DELETES,
	FACT_KUBE_CONTEXT,	  /* its name is the answer */
	FACT_TERRAFORM_WORKSPACE, /* the same */
	FACT_COUNT
};
const char *fact_name(enum fact f); /* "git.modified" … */
/* By its full name, or by predicate and argument, {git:modified}; or -EINVAL. */
int fact_parse(const char *name);
int fact_parse_predicate(const char *predicate, const char *arg);

#define CONTEXT_QUESTIONS 16
#define CONTEXT_NAMES	  5	     /* of what is counted: that many are told */
#define CONTEXT_BYTES	  (32 << 10) /* of all questions, and of all answers */
#define CONTEXT_ROUNDS	  3	     /* of questions: an answer may lead to others */
#define CONTEXT_TIME	  1000	     /* milliseconds in which an answer must be there */

/* How many would be lost. */
struct answer {
	bool known;
	u64 count;
	char *names[CONTEXT_NAMES]; /* the first few; NULL behind the last */
};

/* The bytes of a question: strings, each ended by NUL: the fact's name, then "TAG=VALUE" each. */
struct question {
	struct strbuf text;
	bool answered;
	struct answer answer;
};

/* What a match rested on. */
struct context_told {
	enum fact fact;
	const struct answer *answer; /* NULL: nobody looked */
};

struct context {
	pid_t pid;   /* whose environment counts; 0: that of `vars` */
	char **vars; /* NAME=VALUE, one block; NULL: not known, or not read yet */
	bool vars_read;
	struct answer *stated[FACT_COUNT]; /* what needs no question; owned */
	struct question questions[CONTEXT_QUESTIONS];
	u32 questions_count;
	enum verdict pending; /* the strictest of what hangs on an answer that is missing */
	struct looks looks;   /* by which paths are resolved */
	struct context_told told[4];
	u32 told_count;
	struct strbuf words; /* of the match that counts */
};

/* Of process `pid` (0: none). NULL where memory is out. */
struct context *context_new(pid_t pid);
void context_free(struct context *c);
DEFINE_CLEANUP(struct context, context_free);

/* The environment, as strings NAME=VALUE: it is copied. 0 or -ENOMEM. */
int context_set_vars(struct context *c, char *const *vars);
/* The fact is known, without a question. 0 or -ENOMEM. */
int context_state(struct context *c, enum fact f, u64 count, const char *name);

/* NULL where the environment is not known. */
char *const *context_vars(struct context *c);
const char *context_var(struct context *c, const char *name);

/* ---- for the match */

/* Of a question (its text is taken, NULL: it cannot be put in words) that a match with `verdict`
 * hangs on. NULL: not known yet, or nobody looks. */
const struct answer *context_ask(struct context *c, enum fact f, struct strbuf *text,
				 enum verdict verdict);
/* A match begins; and it rests on this. */
void context_begin(struct context *c);
void context_tell(struct context *c, enum fact f, const struct answer *a);
/* It is the one that counts: `points` are the names that point at production, "": none. */
void context_settle(struct context *c, const char *points);

/* ---- for who asks */

#define CONTEXT_READER "backstop-context" /* as io_find_program() finds it */
/* Is the answer to some question worth waiting for? */
bool context_is_pending(const struct context *c);
/* The questions without an answer, for the reader's standard input. 0 or a negative errno. */
int context_request(const struct context *c, struct strbuf *ret);
/* What the reader has said, any bytes: what is not answered will never be. */
void context_answer(struct context *c, const char *data, size_t len);

#endif
