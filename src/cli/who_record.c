#include "cli/who_record.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/feed.h"
#include "cli/record.h"
#include "cli/table.h"

#define INDENT	    "                        "
#define COMMAND_MAX 400
#define CHAIN_MAX   "64"

/* ---- addresses */

static bool is_address(const char *s)
{
	struct in6_addr addr;

	return inet_pton(AF_INET, s, &addr) == 1 || inet_pton(AF_INET6, s, &addr) == 1;
}

char *who_parse_address(const char *word)
{
	char *copy = strdup(word[0] == '[' ? word + 1 : word), *end, *port = NULL;
	bool is;

	if (!copy || is_address(copy))
		return copy;
	end = word[0] == '[' ? strstr(copy, "]:") : strrchr(copy, ':');
	if (end) {
		port = end + (*end == ']' ? 2 : 1);
		*end = '\0';
	}
	is = end && port[0] && strspn(port, "0123456789") == strlen(port) && is_address(copy);
	if (is)
		memmove(end + 1, port, strlen(port) + 1), *end = ':';
	if (!is) {
		free(copy);
		return NULL;
	}
	return copy;
}

struct printer {
	bool json;
	int count;
};

static int print_event(void *data, const char *line, size_t len)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	_cleanup_json_ json_t *event = feed_parse(line, len);
	bool terminal = isatty(STDOUT_FILENO);
	struct printer *p = data;

	p->count++;
	if (!event)
		return 0;
	if (p->json)
		feed_put_json(&out, line, len, event, terminal);
	else
		feed_format_event(&out, event, terminal);
	fputs(strbuf_str(&out), stdout);
	return strbuf_error(&out);
}

int who_address(struct query *q, const char *address, unsigned int limit, bool json)
{
	_cleanup_statement_ sqlite3_stmt *rows = NULL;
	struct printer p = { .json = json };
	char sql[256];
	int r;

	snprintf(sql, sizeof(sql),
		 "SELECT segment, offset, length, id FROM events WHERE subject = ?1"
		 " OR (subject > ?1 || ':' AND subject < ?1 || ';') ORDER BY id DESC LIMIT %u",
		 limit);
	r = query_prepare(q, sql, &address, 1, &rows);
	if (!r)
		r = query_lines(q, rows, print_event, &p);
	record_tell_gone("who", q);
	return r < 0 ? r : p.count;
}

/* ---- processes */

enum column {
	ID,
	PID,
	COMMAND,
	BEGAN,
	ENDED,
	STATUS,
	SIGNAL,
	OUTCOME,
	CWD,
	SESSION,
	AGENT,
	USER,
	HOST,
	SIGNATURE,
	SEVERITY,
	BY,
	VERDICT,
};

static const char processes_sql[] =
	"SELECT p.id, p.pid, coalesce(p.command, n.text), p.began_ms, p.ended_ms, p.status,"
	" p.signal, p.outcome, c.text, s.name, a.text, u.text, h.text, g.text, v.text, b.text, "
	"w.text"
	" FROM processes p LEFT JOIN names n ON n.id = p.program LEFT JOIN names c ON c.id = p.cwd"
	" LEFT JOIN sessions s ON s.id = p.session LEFT JOIN names a ON a.id = s.agent"
	" LEFT JOIN names u ON u.id = s.user LEFT JOIN names h ON h.id = s.host"
	" LEFT JOIN findings f ON f.event = (SELECT max(event) FROM findings"
	" WHERE process = p.id AND session = p.session)"
	" LEFT JOIN names g ON g.id = f.signature LEFT JOIN names v ON v.id = f.severity"
	" LEFT JOIN names b ON b.id = f.by LEFT JOIN names w ON w.id = f.verdict"
	" WHERE p.pid = CAST(? AS INTEGER)"
	" ORDER BY coalesce(p.began_ms, p.ended_ms) DESC";

static const char chain_sql[] =
	"WITH RECURSIVE up (id, depth) AS (SELECT parent, 1 FROM processes"
	" WHERE id = CAST(? AS INTEGER) UNION ALL SELECT p.parent, depth + 1 FROM processes p"
	" JOIN up ON p.id = up.id WHERE depth < " CHAIN_MAX ")"
	" SELECT p.pid, coalesce(p.command, n.text) FROM up JOIN processes p ON p.id = up.id"
	" LEFT JOIN names n ON n.id = p.program ORDER BY up.depth";

static const char *text_of(sqlite3_stmt *row, int column)
{
	return (const char *)sqlite3_column_text(row, column);
}

static struct tree_node node_of(sqlite3_stmt *row)
{
	return (struct tree_node) { .id = sqlite3_column_int64(row, ID),
				    .pid = sqlite3_column_int64(row, PID),
				    .command = (char *)text_of(row, COMMAND),
				    .began_ms = sqlite3_column_int64(row, BEGAN),
				    .ended_ms = sqlite3_column_int64(row, ENDED),
				    .status = sqlite3_column_int64(row, STATUS),
				    .signal = sqlite3_column_int64(row, SIGNAL),
				    .outcome = sqlite3_column_int64(row, OUTCOME),
				    .signature = (char *)text_of(row, SIGNATURE),
				    .severity = (char *)text_of(row, SEVERITY),
				    .by = (char *)text_of(row, BY),
				    .verdict = (char *)text_of(row, VERDICT) };
}

static void add_named(struct strbuf *out, const char *before, const char *s)
{
	if (!s)
		return;
	strbuf_adds(out, before);
	escape_bytes(out, s, strlen(s));
}

static void add_process(struct strbuf *out, sqlite3_stmt *row)
{
	const struct tree_node n = node_of(row);
	size_t start;

	add_time(out, (uint64_t)(n.began_ms ? n.began_ms : n.ended_ms));
	strbuf_addf(out, " [%" PRId64 "] ", n.pid);
	record_add_command(out, n.command, COMMAND_MAX);
	strbuf_adds(out, "\n" INDENT);
	start = out->len;
	record_add_outcome(out, &n);
	strbuf_adds(out, out->len > start ? "; " : "");
	record_add_end(out, &n);
	add_named(out, "\n" INDENT "session ", text_of(row, SESSION));
	add_named(out, " of ", text_of(row, AGENT));
	add_named(out, ", user ", text_of(row, USER));
	add_named(out, ", on ", text_of(row, HOST));
	add_named(out, ", in ", text_of(row, CWD));
	strbuf_addc(out, '\n');
}

static int open_chain(struct query *q, int64_t id, sqlite3_stmt **ret)
{
	char text[24];
	const char *texts[] = { text };

	snprintf(text, sizeof(text), "%" PRId64, id);
	return query_prepare(q, chain_sql, texts, 1, ret);
}

static int add_chain(struct query *q, struct strbuf *out, int64_t id)
{
	_cleanup_statement_ sqlite3_stmt *rows = NULL;
	int r = open_chain(q, id, &rows);

	for (bool first = true; !r && (r = query_step(rows)) > 0; first = false, r = 0) {
		strbuf_addf(out, INDENT "%s [%" PRId64 "] ", first ? "child of" : "      of",
			    (int64_t)sqlite3_column_int64(rows, 0));
		record_add_command(out, text_of(rows, 1), COMMAND_MAX);
		strbuf_addc(out, '\n');
	}
	return r;
}

static int put_chain(struct query *q, struct json *j, int64_t id)
{
	_cleanup_statement_ sqlite3_stmt *rows = NULL;
	int r = open_chain(q, id, &rows);

	json_open_array(j, "ancestors");
	while (!r && (r = query_step(rows)) > 0) {
		json_open_object(j, NULL);
		json_put_int(j, "pid", sqlite3_column_int64(rows, 0));
		json_put_string(j, "command", text_of(rows, 1));
		json_close_object(j);
		r = 0;
	}
	json_close_array(j);
	return r;
}

static int put_process(struct query *q, struct strbuf *out, sqlite3_stmt *row)
{
	static const struct {
		const char *name;
		enum column column;
	} texts[] = { { "command", COMMAND },	  { "working_directory", CWD },
		      { "session", SESSION },	  { "agent", AGENT },
		      { "user", USER },		  { "host", HOST },
		      { "signature", SIGNATURE }, { "by", BY } },
	  numbers[] = { { "pid", PID },
			{ "began_ms", BEGAN },
			{ "ended_ms", ENDED },
			{ "status", STATUS },
			{ "signal", SIGNAL } };
	struct json j = JSON_INIT(out);
	int r;

	json_open_object(&j, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (sqlite3_column_type(row, numbers[i].column) != SQLITE_NULL)
			json_put_int(&j, numbers[i].name,
				     sqlite3_column_int64(row, numbers[i].column));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		json_put_string(&j, texts[i].name, text_of(row, texts[i].column));
	r = put_chain(q, &j, sqlite3_column_int64(row, ID));
	json_close_object(&j);
	strbuf_addc(out, '\n');
	return r;
}

static int print_process(struct query *q, sqlite3_stmt *row, bool json)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	int r = 0;

	if (json)
		r = put_process(q, &out, row);
	else
		add_process(&out, row);
	if (!r && !json)
		r = add_chain(q, &out, sqlite3_column_int64(row, ID));
	if (!r)
		fputs(strbuf_str(&out), stdout);
	return r ? r : strbuf_error(&out);
}

int who_process(struct query *q, const char *pid, unsigned int limit, bool json)
{
	_cleanup_statement_ sqlite3_stmt *rows = NULL;
	unsigned int count = 0;
	int r = query_prepare(q, processes_sql, &pid, 1, &rows);

	while (!r && count < limit && (r = query_step(rows)) > 0) {
		r = print_process(q, rows, json);
		count++;
	}
	return r ? r : (int)count;
}
