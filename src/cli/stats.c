/* stats: the record in figures. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/record.h"
#include "cli/table.h"
#include "guard/guard.h"

#define COLUMNS_MAX 9

struct options {
	bool json;
	struct record_place place;
};

/* Columns whose name ends in _ms are times. What is counted per finding counts the last word on it:
 * a hold and its decision are two. */
static const struct question {
	const char *name, *title, *sql;
} questions[] = {
	{ "events", "Events",
	  "SELECT CASE kind WHEN 1 THEN 'exec' WHEN 2 THEN 'exit' WHEN 3 THEN 'connect'"
	  " WHEN 4 THEN 'delete' WHEN 5 THEN 'finding' ELSE 'guard' END AS kind,"
	  " events FROM counts ORDER BY counts.kind" },
	{ "agents", "Agents",
	  "SELECT coalesce(n.text, '-') AS agent, count(*) AS sessions, sum(s.events) AS events,"
	  " sum(s.findings) AS findings, sum(s.held) AS held, sum(s.refused) AS refused"
	  " FROM sessions s LEFT JOIN names n ON n.id = s.agent GROUP BY 1 ORDER BY 2 DESC" },
	{ "verdicts", "Verdicts",
	  "SELECT coalesce(n.text, '-') AS verdict, count(*) AS findings FROM findings f"
	  " LEFT JOIN names n ON n.id = f.verdict GROUP BY 1 ORDER BY 2 DESC" },
	{ "signatures", "Signatures (the first 20)",
	  "SELECT coalesce(n.text, '-') AS signature, count(*) AS findings,"
	  " count(DISTINCT f.session) AS sessions FROM findings f"
	  " LEFT JOIN names n ON n.id = f.signature GROUP BY 1 ORDER BY 2 DESC LIMIT 20" },
	{ "deciders", "Who decided",
	  "SELECT n.text AS by, count(*) AS findings FROM findings f JOIN names n ON n.id = f.by"
	  " GROUP BY 1 ORDER BY 2 DESC" },
	{ "latencies", "From the freeze to the release, microseconds",
	  "WITH l AS (SELECT latency_ns, row_number() OVER (ORDER BY latency_ns) AS n,"
	  " count(*) OVER () AS c FROM findings WHERE latency_ns IS NOT NULL AND hold IS NULL)"
	  " SELECT c AS findings, max(CASE WHEN n = (c + 1) / 2 THEN latency_ns END) / 1000 AS "
	  "median,"
	  " max(CASE WHEN n = (c * 99 + 99) / 100 THEN latency_ns END) / 1000 AS p99,"
	  " max(latency_ns) / 1000 AS greatest FROM l GROUP BY c" },
	{ "hosts", "Hosts (those with most lines missing first, then the last 50)",
	  "SELECT coalesce(n.text, '-') AS host, h.known AS machine, h.events AS events,"
	  " (SELECT max(last) - min(first) + 1 - sum(last - first + 1) FROM host_lines l"
	  " WHERE l.host = h.id) AS missing,"
	  " h.last_ms AS last_ms FROM hosts h LEFT JOIN names n ON n.id = h.name"
	  " ORDER BY missing DESC, last_ms DESC LIMIT 50" },
	{ "gaps", "Lines that have not come (the last 50)",
	  "SELECT coalesce(n.text, '-') AS host, h.known AS machine, l.last + 1 AS first,"
	  " (SELECT min(first) FROM host_lines m WHERE m.host = l.host AND m.first > l.last) - 1"
	  " AS last FROM host_lines l JOIN hosts h ON h.id = l.host"
	  " LEFT JOIN names n ON n.id = h.name WHERE EXISTS (SELECT 1 FROM host_lines m"
	  " WHERE m.host = l.host AND m.first > l.last) ORDER BY l.first DESC LIMIT 50" },
	{ "sessions", "Sessions (the last 20)",
	  "SELECT s.name AS session, coalesce(h.text, '-') AS host, coalesce(a.text, '-') AS "
	  "agent, coalesce(u.text, '-') AS user,"
	  " s.began_ms AS began_ms, s.events AS events, s.findings AS findings, s.held AS held,"
	  " s.refused AS refused FROM sessions s LEFT JOIN names a ON a.id = s.agent"
	  " LEFT JOIN names u ON u.id = s.user LEFT JOIN names h ON h.id = s.host"
	  " ORDER BY s.last_ms DESC LIMIT 20" },
};

static bool is_time(const char *column)
{
	size_t len = strlen(column);

	return len > 3 && !strcmp(column + len - 3, "_ms");
}

/* ---- for programs */

static void put_value(struct json *j, sqlite3_stmt *row, int i)
{
	const char *name = sqlite3_column_name(row, i);

	if (sqlite3_column_type(row, i) == SQLITE_INTEGER)
		json_put_int(j, name, sqlite3_column_int64(row, i));
	else
		json_put_string(j, name, (const char *)sqlite3_column_text(row, i));
}

static int put_question(struct json *j, const struct question *question, sqlite3_stmt *rows)
{
	int r;

	json_open_array(j, question->name);
	while ((r = query_step(rows)) > 0) {
		json_open_object(j, NULL);
		for (int i = 0; i < sqlite3_column_count(rows); i++)
			put_value(j, rows, i);
		json_close_object(j);
	}
	json_close_array(j);
	return r;
}

static int print_json(struct query *q)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out);
	int r = 0;

	json_open_object(&j, NULL);
	for (size_t i = 0; !r && i < ARRAY_SIZE(questions); i++) {
		_cleanup_statement_ sqlite3_stmt *rows = NULL;

		r = query_prepare(q, questions[i].sql, NULL, 0, &rows);
		if (!r)
			r = put_question(&j, &questions[i], rows);
	}
	json_close_object(&j);
	if (!r)
		puts(strbuf_str(&out));
	return r;
}

/* ---- for people */

static void add_cell(struct strbuf *out, sqlite3_stmt *row, int i)
{
	const char *text = (const char *)sqlite3_column_text(row, i);

	if (is_time(sqlite3_column_name(row, i)))
		add_time(out, (uint64_t)sqlite3_column_int64(row, i));
	else if (text)
		escape_bytes(out, text, strlen(text));
}

static int add_row(struct libscols_table *t, sqlite3_stmt *row)
{
	struct strbuf cells[COLUMNS_MAX] = { 0 };
	int columns = sqlite3_column_count(row), r;

	for (int i = 0; i < columns; i++)
		add_cell(&cells[i], row, i);
	r = table_add(t, cells);
	for (int i = 0; i < columns; i++)
		strbuf_free(&cells[i]);
	return r;
}

static struct libscols_table *new_table(sqlite3_stmt *rows, char names[COLUMNS_MAX][24])
{
	struct table_column columns[COLUMNS_MAX];
	int count = MIN(sqlite3_column_count(rows), COLUMNS_MAX);

	for (int i = 0; i < count; i++) {
		snprintf(names[i], sizeof(names[i]), "%s", sqlite3_column_name(rows, i));
		if (is_time(names[i]))
			names[i][strlen(names[i]) - 3] = '\0';
		for (char *c = names[i]; *c; c++)
			*c -= *c >= 'a' && *c <= 'z' ? 'a' - 'A' : 0;
		columns[i] = (struct table_column) { .name = names[i] };
	}
	return table_new(columns, (size_t)count);
}

static int print_question(const struct question *question, sqlite3_stmt *rows)
{
	_cleanup_(scols_unref_table_ptr) struct libscols_table *t = NULL;
	char names[COLUMNS_MAX][24];
	int r = query_step(rows);

	if (r <= 0)
		return r;
	t = new_table(rows, names);
	if (!t)
		return -ENOMEM;
	do
		r = add_row(t, rows);
	while (!r && (r = query_step(rows)) > 0);
	if (r)
		return r;
	printf("%s\n", question->title);
	r = table_print(t);
	puts("");
	return r;
}

static int print_all(struct query *q)
{
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(questions); i++) {
		_cleanup_statement_ sqlite3_stmt *rows = NULL;

		r = query_prepare(q, questions[i].sql, NULL, 0, &rows);
		if (!r)
			r = print_question(&questions[i], rows);
	}
	return r;
}

static int run(const void *options, int argc _unused_, char **argv _unused_)
{
	_cleanup_(query_close_ptr) struct query *q = NULL;
	const struct options *o = options;
	int r;

	if (record_open("stats", &o->place, &q))
		return EXIT_FAILURE;
	r = o->json ? print_json(q) : print_all(q);
	if (r)
		log_errno(r, "stats: cannot read the database");
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}

static const struct option_def option_defs[] = {
	{ "json", 0, OPTION_FLAG, NULL, "print one object", offsetof(struct options, json) },
	RECORD_OPTIONS(struct options, place),
	{ 0 },
};

const struct command command_stats = {
	.name = "stats",
	.help = "show the record in figures: sessions, agents, verdicts, signatures, who decided",
	.example = "backstop stats",
	.options = option_defs,
	.options_size = sizeof(struct options),
	.run = run,
};
