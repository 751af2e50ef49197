/* The security hooks, and the tier in which each is attached: tried, never concluded from a
 * version. */
#ifndef KERNEL_TIER_H
#define KERNEL_TIER_H

#include "backstop/event.h"
#include "base/util.h"

struct backstop_bpf;
struct bpf_program;
struct strbuf;

/* What needs security hooks. */
enum tier_use {
	TIER_HOLD,    /* nobody but the guard continues a held task */
	TIER_FENCE,   /* a held task that runs is refused its first system call */
	TIER_DELETE,  /* deletions can be refused and held */
	TIER_SEND,    /* what is sent can be refused and held */
	TIER_PROTECT, /* sessions cannot harm the guard */
	TIER_ARGV,    /* swapped-out argv is brought back before it is read */
	TIER_USES,
};

/* Who needs a hook for some time only. */
enum tier_demand {
	TIER_BY_FENCE = 1 << 0,	  /* while an exec is held */
	TIER_BY_DELETES = 1 << 1, /* while a session is alive */
};

struct tier_use_text {
	const char *name; /* "hold" */
	const char *what; /* for people */
	const char *cost; /* what it costs where it is in no tier */
};
extern const struct tier_use_text tier_uses[];

struct tier_hook {
	const char *name; /* task_kill: programs lsm_task_kill and fmod_task_kill */
	enum tier_use use;
	u16 ops;       /* deletions that it sees: bits by enum bs_delete_op */
	bool lsm_only; /* it refuses nothing, and has no fmod_ret program */
	bool optional; /* some kernels have it in no form, and need it not */
	u8 on_demand;  /* enum tier_demand: attached while one of them needs it; 0: always */
};
extern const struct tier_hook tier_hooks[];
extern const size_t tier_hooks_count;
#define TIER_HOOKS_MAX 64

struct tiers {
	u8 of[TIER_HOOKS_MAX];	    /* enum bs_tier of each hook */
	u8 without[TIER_HOOKS_MAX]; /* bit of each tier that failed for the hook */
	int err[TIER_HOOKS_MAX];    /* why; -ENOENT above all: negative errno */
	bool finds_tasks;	    /* programs at tracepoints of perf find a task by its number */
	bool has_sendpage;	    /* pages are sent without a hook */
};

/* Chooses the best tier of each hook but those in `without`, and has only its programs loaded. */
void tier_choose(struct backstop_bpf *s, struct tiers *t);
/* Shall the hook be attached in this tier? */
bool tier_is_wanted(const struct tiers *t, size_t hook, enum bs_tier tier);
/* NULL: there is none. */
struct bpf_program *tier_program(const struct backstop_bpf *s, size_t hook, enum bs_tier tier);
/* The hook cannot be attached there: without the first, which proves the tier, no other is. */
void tier_fail(struct tiers *t, size_t hook, enum bs_tier tier, int err);
/* The programs could not be loaded, and libbpf said so: may that be for those of the hooks? Then
 * the one that it names, or all, are given up. */
bool tier_refused(struct tiers *t, int err, const char *messages);
/* Proves that a refusal refuses, in each tier that is in use; gives up those where it does not:
 * false. The programs of `generation` are attached, and need not act yet. */
bool tier_prove(struct bs_shared *shared, u32 generation, struct tiers *t);

/* What a guard that is not there would get: loads and attaches for a moment. `t` is all zeros. */
void tier_find(struct tiers *t);

const char *tier_name(enum bs_tier t); /* "lsm" … */
/* Of an error that is kept in struct tiers. */
const char *tier_reason(int err);
/* The weakest of all hooks that this use has. */
enum bs_tier tier_of_use(const struct tiers *t, enum tier_use u);
/* The best of all hooks. */
enum bs_tier tier_of(const struct tiers *t);
/* "lsm", or "lsm, delete trace" where not all uses have the best. */
void tier_describe(const struct tiers *t, struct strbuf *text);
/* Which hooks of the use are weaker than the best, and why; nothing where none is. */
void tier_explain(const struct tiers *t, enum tier_use u, struct strbuf *text);

#endif
