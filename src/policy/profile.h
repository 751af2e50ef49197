/* An agent's profile as its file states it. All memory is in the arena. */
#ifndef POLICY_PROFILE_H
#define POLICY_PROFILE_H

#include "policy/pack.h"

/* Bytes of a name that the kernel knows: a glob begins behind them at the earliest. */
#define PROFILE_KEY_BYTES 8

struct profile_name {
	struct text name;
	struct text *paths; /* globs of which one must match as well; none: any path will do */
	size_t paths_count;
};

struct profile {
	struct source src;
	struct text id;
	const char *title;
	struct profile_name *names;
	struct text *scripts; /* globs on paths, or -m MODULE */
	struct text *files;   /* globs on paths */
	size_t names_count, scripts_count, files_count;
	struct example *hits, *misses;
	size_t hits_count, misses_count;
};

/* Is this text a profile, and no pack? */
bool profile_is(const char *text);
/* Faults go to src.faults, and what has one is left out. */
void profile_read(struct arena *a, struct source src, struct profile *ret);

#endif
