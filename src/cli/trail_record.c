/* The trail of a path from the database: deletions below it that nobody decided on are counted
 * there, and only the newest of each program is read. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/feed.h"
#include "cli/trail_search.h"
#include "record/event.h"
#include "record/query.h"
#include "record/store.h"

_Static_assert(EVENT_EXEC == 1 && EVENT_DELETE == 4 && EVENT_FINDING == 5, "kinds of events");

/* ?1 is the path, ?2 and ?3 are what is around all names below it, ?4 is what it lies in. Of a path
 * that a finding names each deletion is read, as the finding may be on any of them. */
static const char rows_sql[] =
	"WITH hits (id, kind, process, disposition, time_ms, subject) AS"
	" (SELECT id, kind, process, disposition, time_ms, subject FROM events"
	" WHERE (subject > ?2 AND subject < ?3)"
	" UNION ALL"
	" SELECT e.id, e.kind, e.process, e.disposition, e.time_ms, e.subject FROM inners i"
	" JOIN events e ON e.id = i.event"
	" WHERE (i.path > ?2 AND i.path < ?3) AND NOT (e.subject > ?2 AND e.subject < ?3)),"
	" decided (subject) AS (SELECT subject FROM hits WHERE kind = 5),"
	" wanted (id, count, since) AS (SELECT * FROM"
	" (SELECT max(id), count(*), min(time_ms) FROM hits"
	" WHERE kind = 4 AND subject NOT IN decided"
	" GROUP BY coalesce(process, -id), disposition ORDER BY 1 DESC LIMIT %u)"
	" UNION"
	" SELECT id, 1, 0 FROM hits WHERE kind = 5 OR subject IN decided"
	" UNION"
	" SELECT id, 1, 0 FROM events"
	" WHERE (subject = ?1 OR subject IN (SELECT value FROM json_each(?4)))"
	" UNION"
	" SELECT i.event, 1, 0 FROM inners i JOIN events e ON e.id = i.event"
	" WHERE (i.path = ?1 OR i.path IN (SELECT value FROM json_each(?4)))"
	" AND NOT (e.subject > ?2 AND e.subject < ?3)"
	" UNION"
	" SELECT event, 1, 0 FROM named WHERE (path > ?2 AND path < ?3)"
	" OR (path = ?1 OR path IN (SELECT value FROM json_each(?4))))"
	" SELECT e.segment, e.offset, e.length, e.id, w.count, w.since"
	" FROM wanted w CROSS JOIN events e ON e.id = w.id ORDER BY e.id DESC";

static const char exec_sql[] = "SELECT e.segment, e.offset, e.length, e.id FROM processes p"
			       " JOIN events e ON e.id = p.event WHERE p.id = %" PRId64
			       " AND p.event < %" PRId64 " AND e.kind = 1";

/* The directories that the path is in, as a JSON array. */
static void put_above(struct strbuf *out, const char *path)
{
	struct json j = JSON_INIT(out);

	json_open_array(&j, NULL);
	json_put_string(&j, NULL, "/");
	for (const char *at = path; (at = strchr(at + 1, '/'));)
		json_put_string_n(&j, NULL, path, at - path);
	json_close_array(&j);
}

static int prepare_rows(struct query *q, const struct trail_search *s, sqlite3_stmt **ret)
{
	_cleanup_strbuf_ struct strbuf above = STRBUF_INIT, from = STRBUF_INIT, to = STRBUF_INIT,
				       sql = STRBUF_INIT;
	const char *dir = strcmp(s->path, "/") ? s->path : "";

	put_above(&above, s->path);
	strbuf_addf(&from, "%s/", dir);
	strbuf_addf(&to, "%s0", dir); /* 0 follows the slash */
	strbuf_addf(&sql, rows_sql, s->limit + 1);
	if (above.failed || from.failed || to.failed || sql.failed)
		return -ENOMEM;
	return query_prepare(q, strbuf_str(&sql),
			     (const char *const[]) { s->path, strbuf_str(&from), strbuf_str(&to),
						     strbuf_str(&above) },
			     4, ret);
}

struct asked {
	struct trail_search *search;
	sqlite3_stmt *rows;
};

static int take_row(void *data, const char *line, size_t len)
{
	struct asked *a = data;

	a->search->row = (struct trail_row) { sqlite3_column_int64(a->rows, 3),
					      (uint64_t)sqlite3_column_int64(a->rows, 4),
					      (uint64_t)sqlite3_column_int64(a->rows, 5) };
	(void)trail_take_line(a->search, line, len);
	return a->search->err ? a->search->err : a->search->full;
}

static int take_exec(void *data, const char *line, size_t len)
{
	struct trail_entry *e = data;

	e->exec = feed_parse(line, len);
	return 1;
}

/* Its last, unless that came later. */
static int find_exec(struct query *q, struct trail_entry *e)
{
	_cleanup_statement_ sqlite3_stmt *rows = NULL;
	char sql[sizeof(exec_sql) + 2 * 20];
	int r;

	snprintf(sql, sizeof(sql), exec_sql, store_process_id(e->program, strlen(e->program)),
		 e->row);
	r = query_prepare(q, sql, NULL, 0, &rows);
	if (!r)
		r = query_lines(q, rows, take_exec, e);
	return MIN(r, 0);
}

static int note_oldest(struct query *q, struct trail *t)
{
	_cleanup_statement_ sqlite3_stmt *row = NULL;
	int r = query_prepare(q, "SELECT time_ms FROM events ORDER BY id LIMIT 1", NULL, 0, &row);

	if (!r)
		r = query_step(row);
	if (r > 0)
		t->oldest_ms = (uint64_t)sqlite3_column_int64(row, 0);
	return MIN(r, 0);
}

static int read_database(void *data, struct trail_search *s)
{
	_cleanup_statement_ sqlite3_stmt *rows = NULL;
	struct trail_entry *e;
	int r = prepare_rows(data, s, &rows);

	if (!r)
		r = query_lines(data, rows, take_row, &(struct asked) { s, rows });
	r = MIN(r, 0);
	STAILQ_FOREACH (e, &s->trail->entries, link)
		if (!r && e->program)
			r = find_exec(data, e);
	return r ? r : note_oldest(data, s->trail);
}

int trail_ask(struct query *q, const char *path, unsigned int limit, struct trail *ret)
{
	return trail_search(read_database, q, path, limit, ret);
}
