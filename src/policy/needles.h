/* Needles: what the bytes of an action must contain for a usage line to be possible. Derived so
 * that none can be missed: whatever is left out only makes more actions candidates. */
#ifndef POLICY_NEEDLES_H
#define POLICY_NEEDLES_H

#include "backstop/scan_tables.h"
#include "base/map.h"
#include "policy/pack.h"

/* Bytes to be found, perhaps at the edge of a word. */
struct pattern {
	const char *text; /* only bytes that have a class */
	bool left, right; /* a boundary must be on that side */
};

/* Found when one of its patterns is found. */
struct needle {
	struct pattern *patterns;
	size_t patterns_count;
};

struct needle_rule {
	u16 needles[BS_RULE_NEEDLES + 1]; /* ascending, 0: none */
};

struct needles {
	struct arena *arena;
	struct needle *all; /* [0] is unused */
	size_t all_count;
	struct needle_rule *rules;
	size_t rules_count;
	struct map index; /* of needles and rules, by hash */
	u16 cluster;	  /* the needle of any word with short options; 0: not needed yet */
	bool full;	  /* there are more needles than numbers */
};

void needles_init(struct needles *n, struct arena *a);
void needles_free(struct needles *n);
/* The rules of one usage line of `p`. False where a name of the program gives no needle. */
bool needles_add_line(struct needles *n, const struct program *p, const struct usage *u);
/* Execs that carry something elsewhere are candidates as such: what they carry may be quoted. */
void needles_add_remote(struct needles *n);

/* What a glob on a path asks for: that of a script, or of what is deleted, of which the scan sees
 * the components in any order. False where it gives no needle. */
bool needles_add_path(struct needles *n, const char *glob);
/* What else tells an agent: a program's name, a module of python. */
bool needles_add_agent_name(struct needles *n, const char *name);
bool needles_add_agent_module(struct needles *n, const char *glob);

/* The automaton of all needles and the tables around it, see scan_tables.h. */
struct automaton {
	u16 *trans;
	struct bs_accept *accepts;
	struct bs_anchor *anchors;
	struct bs_rule *rules;
	u32 states, accepts_count, needles, rules_count, start;
};

/* 0, or -E2BIG where a number does not fit. All is in the arena. */
int automaton_build(struct needles *n, struct automaton *ret);

#endif
