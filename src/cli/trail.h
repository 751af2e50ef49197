/* What the journal knows of a path, newest first: the deletions of it, of what was below it and of
 * what it lay in, and the commands with findings that named it. */
#ifndef CLI_TRAIL_H
#define CLI_TRAIL_H

#include <jansson.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/util.h"

struct trail_entry {
	STAILQ_ENTRY(trail_entry) link;
	json_t *event;	   /* the deletion, or the finding on a command that named the path */
	json_t *decision;  /* the last finding on the deletion; NULL: there is none */
	json_t *exec;	   /* that of its program; NULL: not in the journal */
	char *program;	   /* uid of the process whose exec that is */
	bool below;	   /* of something below the path */
	uint64_t count;	   /* deletions below it by the same program; `event` is the newest */
	uint64_t since_ms; /* the oldest of them */
	int64_t row;	   /* of `event` in the database */
};
STAILQ_HEAD(trail_entries, trail_entry);

struct trail {
	struct trail_entries entries;
	unsigned int count;
	uint64_t oldest_ms; /* how far back the journal was read, epoch; 0: it is empty */
};

/* Reads the journal in `dir` from its end until `limit` entries are complete. `path` is absolute.
 * 0 or a negative errno. */
int trail_read(const char *dir, const char *path, unsigned int limit, struct trail *ret);
/* The same from the recorder's database. */
struct query;
int trail_ask(struct query *q, const char *path, unsigned int limit, struct trail *ret);
void trail_free(struct trail *t);
#define _cleanup_trail_ _cleanup_(trail_free)

/* The path made absolute, without "." and "..", and without links but in its last component, as far
 * as it exists; owned by the caller, NULL with errno. */
char *trail_resolve(const char *path);

#endif
