/* Needles: what the bytes of an action must contain for a usage line to be possible. Derived so
 * that none can be missed: whatever is left out only makes more actions candidates. */
#ifndef POLICY_NEEDLES_H
#define POLICY_NEEDLES_H

#include "backstop/scan_tables.h"
#include "base/map.h"
#include "policy/pack.h"

/* Bytes to be found: what a word begins with, or, without a boundary on the left, BS_GRAM symbols
 * with the one on the right. */
struct pattern {
	const char *text; /* only bytes that have a class */
	bool left, right; /* a boundary must be on that side */
	bool percent;	  /* that on the left has to be a % only: the quick look sees it */
};

/* Found when one of its patterns is found. Those below BS_NEEDLE_CARRIER have none. */
struct needle {
	struct pattern *patterns;
	size_t patterns_count;
	bool name; /* of a program: counts in an action's head, and behind a carrier's */
};

struct needle_rule {
	u32 needles[BS_RULE_NEEDLES]; /* ascending, 0: none */
};

struct needles {
	struct arena *arena;
	struct needle *all; /* from BS_NEEDLE_CARRIER on */
	size_t all_count;
	struct needle_rule *rules;
	size_t rules_count;
	struct map index; /* of needles and rules, by hash */
	bool full;	  /* there are more needles than numbers */
	u32 texts;	  /* the needle of what may be given a shell's text */
};

void needles_init(struct needles *n, struct arena *a);
void needles_free(struct needles *n);
/* The rules of one usage line of `p`. False where a name of the program gives no needle. */
bool needles_add_line(struct needles *n, const struct program *p, const struct usage *u);
/* Carriers, by their names: what they run is told by their words, and where those are shell text,
 * it may be quoted so that no needle is found in it. Once, before all lines. */
void needles_add_carriers(struct needles *n);

/* What a glob on a path asks for: that of a script, or of what is deleted, of which the scan sees
 * the components in any order. False where it gives no needle. */
bool needles_add_path(struct needles *n, const char *glob);
struct choice;
/* One rule that asks for all of them. False where they have no needle. */
bool needles_add_choices(struct needles *n, const struct choice *choices, size_t count);
/* What else tells an agent: a program's name, a module of python. */
bool needles_add_agent_name(struct needles *n, const char *name);
bool needles_add_agent_module(struct needles *n, const char *glob);

/* All tables of the scan, see scan_tables.h. */
struct tables {
	u64 *filter;
	struct bs_bucket *buckets;
	u32 *lists;
	struct bs_anchor *anchors;
	struct bs_rule *rules;
	u32 keys, filter_count, buckets_count, lists_count, anchors_count, needles, rules_count;
};

/* 0, or -E2BIG where a number does not fit. All is in the arena. */
int tables_build(struct needles *n, struct tables *ret);

/* What all patterns end with, see backstop/ends.h. */
struct ends {
	u32 *all;
	size_t all_count;
};
struct ends ends_of(struct needles *n);

#endif
