/* What the ways to a trail share. */
#ifndef CLI_TRAIL_SEARCH_H
#define CLI_TRAIL_SEARCH_H

#include "cli/trail.h"

struct decision;
STAILQ_HEAD(decisions, decision);

/* What the database says of a line: it stands for `count` deletions of one program, the oldest of
 * which was at since_ms. All 0: nothing. */
struct trail_row {
	int64_t id;
	uint64_t count, since_ms;
};

struct trail_search {
	struct trail *trail;
	const char *path;
	char *written; /* path as it stands in JSON */
	size_t written_len;
	unsigned int limit, open; /* open: entries whose exec was not met */
	bool full;
	struct decisions decisions;
	struct trail_row row; /* of the next line */
	int err;
};

/* False: no more lines are needed. data: the search. */
bool trail_take_line(void *data, const char *line, size_t len);

/* Hands over lines, the newest first. 0 or a negative errno. */
typedef int (*trail_source_fn)(void *data, struct trail_search *s);
/* 0 or a negative errno. */
int trail_search(trail_source_fn source, void *data, const char *path, unsigned int limit,
		 struct trail *ret);

#endif
