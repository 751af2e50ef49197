/* Hosts, and which of their lines there are, in the database. */
#include <errno.h>
#include <string.h>

#include "record/schema.h"
#include "record/store_internal.h"

/* ---- into it */

static int write_row(struct store *s, const struct host *n)
{
	sqlite3_stmt *put = s->statements[PUT_HOST];

	sqlite3_bind_int64(put, 1, n->id);
	sqlite3_bind_text(put, 2, n->known, -1, SQLITE_STATIC);
	if (n->name)
		sqlite3_bind_int64(put, 3, n->name);
	else
		sqlite3_bind_null(put, 3);
	sqlite3_bind_text(put, 4, n->key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(put, 5, (int64_t)n->events);
	sqlite3_bind_int64(put, 6, n->last_ms);
	return store_run(s, PUT_HOST);
}

static int write_range(struct store *s, const struct host *n, const struct number_range *range)
{
	sqlite3_stmt *put = s->statements[PUT_LINES];

	sqlite3_bind_int64(put, 1, n->id);
	sqlite3_bind_int64(put, 2, (int64_t)range->first);
	sqlite3_bind_int64(put, 3, (int64_t)range->last);
	return store_run(s, PUT_LINES);
}

/* What was added lies in ranges that end there or later, and so did all that they grew from. */
static int write_lines(struct store *s, const struct host *n)
{
	uint64_t from = n->changed_from ? n->changed_from - 1 : 0;
	sqlite3_stmt *drop = s->statements[DROP_LINES];
	size_t i = n->lines.count;
	int r;

	sqlite3_bind_int64(drop, 1, n->id);
	sqlite3_bind_int64(drop, 2, (int64_t)from);
	r = store_run(s, DROP_LINES);
	while (!r && i > 0 && n->lines.ranges[i - 1].last >= from)
		r = write_range(s, n, &n->lines.ranges[--i]);
	return r;
}

static int write_host(struct store *s, struct host *n)
{
	int r = write_row(s, n);

	if (!r && n->changed_from != UINT64_MAX)
		r = write_lines(s, n);
	n->changed = false;
	n->changed_from = UINT64_MAX;
	return r;
}

int store_write_hosts(struct store *s)
{
	void *n;
	int r = 0;

	map_for_each (&s->hosts.map, n)
		if (!r && (((struct host *)n)->changed))
			r = write_host(s, n);
	return r;
}

/* ---- from there */

const char store_hosts_sql[] =
	"SELECT h.id, h.known, h.name, h.key, h.events, h.last_ms, l.first, l.last FROM hosts h"
	" LEFT JOIN host_lines l ON l.host = h.id ORDER BY h.id, l.first";

static int load_host(struct store *s, sqlite3_stmt *row, struct host **ret)
{
	const struct slice known = { (const char *)sqlite3_column_text(row, 1),
				     (size_t)sqlite3_column_bytes(row, 1) };
	const char *key = (const char *)sqlite3_column_text(row, 3);
	struct host *n;
	int r = hosts_add(&s->hosts, known, &n);

	if (r)
		return r;
	s->hosts.count = n->id = sqlite3_column_int64(row, 0);
	n->name = sqlite3_column_int64(row, 2);
	if (key && strlen(key) < sizeof(n->key))
		strcpy(n->key, key);
	n->events = (uint64_t)sqlite3_column_int64(row, 4);
	n->last_ms = sqlite3_column_int64(row, 5);
	*ret = n;
	return 0;
}

int store_load_hosts(struct store *s, sqlite3_stmt *rows)
{
	struct host *n = NULL;
	int result = SQLITE_DONE, r = 0;

	while (!r && (result = sqlite3_step(rows)) == SQLITE_ROW) {
		const struct number_range range = { (uint64_t)sqlite3_column_int64(rows, 6),
						    (uint64_t)sqlite3_column_int64(rows, 7) };

		if (!n || n->id != sqlite3_column_int64(rows, 0))
			r = load_host(s, rows, &n);
		if (!r && range.first)
			r = numbers_append(&n->lines, range);
		if (!r)
			n->told = range.last;
	}
	return r ? r : schema_errno(result);
}
