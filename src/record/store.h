/* Puts events into the database. */
#ifndef RECORD_STORE_H
#define RECORD_STORE_H

#include <stdint.h>

#include "record/event.h"

/* Where the line stands in the journal. */
struct store_place {
	uint64_t segment, offset, length;
};

struct store_cursor {
	uint64_t segment, offset; /* the line that comes next; segment 0: the first */
	uint64_t lines, skipped;  /* those that were put, and those that are no events */
};

struct store;

/* 0, -EUCLEAN where the database is damaged, or another negative errno. */
int store_open(const char *path, struct store **ret);
void store_close(struct store *s); /* what was not committed is gone; NULL is fine */
DEFINE_CLEANUP(struct store, store_close);

struct sqlite3;
struct sqlite3 *store_database(struct store *s); /* not owned */

struct hosts;
struct hosts *store_hosts(struct store *s); /* not owned; what changes there is committed too */

struct store_cursor store_cursor(const struct store *s); /* as of the last commit */

/* The event that came last; -ENOENT where there is none, or another negative errno. */
int store_last(struct store *s, struct store_place *ret, int64_t *ret_time_ms);

/* Both begin a transaction where there is none. 0 or a negative errno: only store_close() is left.
 */
int store_put(struct store *s, const struct event *e, const struct store_place *at);
void store_skip(struct store *s);
/* All that was put, with the cursor, in one. */
int store_commit(struct store *s, uint64_t segment, uint64_t offset);

/* The number by which a process, of the same uid, is known in every database. */
int64_t store_process_id(const char *uid, size_t len);

#endif
