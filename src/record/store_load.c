/* The store as it was when it was closed. */
#include <errno.h>

#include "record/schema.h"
#include "record/store_internal.h"

static int load_names(struct store *s, sqlite3_stmt *rows)
{
	int result = SQLITE_DONE, r = 0;

	while (!r && (result = sqlite3_step(rows)) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(rows, 1);
		int64_t id = sqlite3_column_int64(rows, 0);

		r = map_set(&s->names, store_hash(text, (size_t)sqlite3_column_bytes(rows, 1)),
			    (void *)(uintptr_t)id);
		s->name_count = MAX(s->name_count, id);
	}
	return r ? r : schema_errno(result);
}

static int load_session(struct store *s, sqlite3_stmt *row)
{
	const char *name = (const char *)sqlite3_column_text(row, 1);
	const struct slice slice = { name, (size_t)sqlite3_column_bytes(row, 1) };
	const char *host = (const char *)sqlite3_column_text(row, 12);
	const struct slice of = { host, (size_t)sqlite3_column_bytes(row, 12) };
	struct store_session *n = NULL;
	int r = store_add_session(s, slice, store_session_hash(slice, of), &n);

	if (r)
		return r;
	n->id = sqlite3_column_int64(row, 0);
	n->host = sqlite3_column_int64(row, 2);
	n->agent = sqlite3_column_int64(row, 3);
	n->user = sqlite3_column_int64(row, 4);
	n->began_ms = sqlite3_column_int64(row, 5);
	n->last_ms = sqlite3_column_int64(row, 6);
	n->events = sqlite3_column_int64(row, 7);
	n->findings = sqlite3_column_int64(row, 8);
	n->held = sqlite3_column_int64(row, 9);
	n->refused = sqlite3_column_int64(row, 10);
	n->machine = sqlite3_column_int64(row, 11);
	s->session_count = MAX(s->session_count, n->id);
	return 0;
}

static int load_sessions(struct store *s, sqlite3_stmt *rows)
{
	int result = SQLITE_DONE, r = 0;

	while (!r && (result = sqlite3_step(rows)) == SQLITE_ROW)
		r = load_session(s, rows);
	return r ? r : schema_errno(result);
}

static int load_cursor(struct store *s, sqlite3_stmt *row)
{
	if (sqlite3_step(row) != SQLITE_ROW)
		return -EUCLEAN;
	s->committed.segment = (uint64_t)sqlite3_column_int64(row, 0);
	s->committed.offset = (uint64_t)sqlite3_column_int64(row, 1);
	s->committed.lines = (uint64_t)sqlite3_column_int64(row, 2);
	s->committed.skipped = (uint64_t)sqlite3_column_int64(row, 3);
	s->cursor = s->committed;
	return 0;
}

static int load_counts(struct store *s, sqlite3_stmt *rows)
{
	int result;

	while ((result = sqlite3_step(rows)) == SQLITE_ROW) {
		int64_t kind = sqlite3_column_int64(rows, 0);

		if (kind >= 0 && kind < EVENT_KINDS)
			s->counts[kind] = sqlite3_column_int64(rows, 1);
	}
	return schema_errno(result);
}

static int load_rows(struct store *s, const char *sql, int (*fn)(struct store *, sqlite3_stmt *))
{
	sqlite3_stmt *rows = NULL;
	int r = schema_errno(sqlite3_prepare_v2(s->db, sql, -1, &rows, NULL));

	if (!r)
		r = fn(s, rows);
	sqlite3_finalize(rows);
	return r;
}

int store_load(struct store *s)
{
	int r = load_rows(s, "SELECT segment, offset, lines, skipped FROM cursor", load_cursor);

	if (!r)
		r = load_rows(s, "SELECT kind, events FROM counts", load_counts);
	if (!r)
		r = load_rows(s, "SELECT id, text FROM names", load_names);
	if (!r)
		r = load_rows(
			s,
			"SELECT s.*, coalesce(m.text, h.text) FROM sessions s LEFT JOIN names m"
			" ON m.id = s.machine LEFT JOIN names h ON h.id = s.host",
			load_sessions);
	if (!r)
		r = load_rows(s, store_hosts_sql, store_load_hosts);
	return r;
}
