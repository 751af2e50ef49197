/* Questions to the record: the recorder's database, and the journal that it points into. */
#ifndef RECORD_QUERY_H
#define RECORD_QUERY_H

#include <sqlite3.h>
#include <stdint.h>

#include "base/util.h"

struct query;

/* Where there is no database that this release can read, one is made in memory, of the whole
 * journal, where `build` says so. 0 or a negative errno: that of the journal, or of the database.
 */
int query_open(const char *journal_dir, const char *database, bool build, struct query **ret);
void query_close(struct query *q); /* NULL is fine */
DEFINE_CLEANUP(struct query, query_close);

sqlite3 *query_database(struct query *q);
bool query_is_in_memory(const struct query *q);
/* Up to where in the journal the database reaches; segment 0: nowhere. */
void query_position(const struct query *q, uint64_t *ret_segment, uint64_t *ret_offset);
/* Bytes of the journal behind that. 0 or a negative errno. */
int query_behind(const struct query *q, uint64_t *ret);

/* A statement's text with `count` strings for its parameters; 0 or a negative errno. */
int query_prepare(struct query *q, const char *sql, const char *const *texts, size_t count,
		  sqlite3_stmt **ret);
static inline void query_finish_ptr(sqlite3_stmt **s)
{
	sqlite3_finalize(*s);
}
#define _cleanup_statement_ _cleanup_(query_finish_ptr)
/* 1: a row, 0: no more, or a negative errno. */
int query_step(sqlite3_stmt *s);

/* The line of an event, valid until the next call; -ENOENT where its segment is gone. */
int query_line(struct query *q, uint64_t segment, uint64_t offset, uint64_t length,
	       const char **ret_line);

typedef int (*query_line_fn)(void *data, const char *line, size_t len);
/* The lines of the events whose segment, offset, length and id are the first columns of each row,
 * until `fn` gives something else than 0, which is returned. Lines whose segment is gone are passed
 * over, and counted. */
int query_lines(struct query *q, sqlite3_stmt *rows, query_line_fn fn, void *data);

struct query_gone {
	uint64_t count;
	bool more; /* the count ended before the rows did */
	int64_t from_ms, to_ms;
};
/* What was passed over since it was opened. 0 or a negative errno. */
int query_gone(struct query *q, struct query_gone *ret);

#endif
