#include "cli/filter.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/strbuf.h"
#include "cli/client.h"
#include "cli/feed.h"
#include "cli/options.h"
#include "cli/table.h"
#include "record/event.h"

static const struct {
	const char *name;
	enum event_kind kind;
} kinds[] = {
	{ "exec", EVENT_EXEC },	    { "exit", EVENT_EXIT },   { "connect", EVENT_CONNECT },
	{ "delete", EVENT_DELETE }, { "guard", EVENT_GUARD },
};

/* ---- one event */

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static bool is(const char *wanted, const char *value)
{
	return !wanted || (value && !strcmp(wanted, value));
}

static const json_t *evidence_of(const json_t *event)
{
	return json_array_get(json_object_get(event, "evidences"), 0);
}

static const json_t *part_of(const json_t *event, const char *key)
{
	const json_t *part = json_object_get(event, key);

	if (!part)
		part = json_object_get(evidence_of(event), key);
	return part;
}

static const json_t *process_of(const json_t *event)
{
	const json_t *process = part_of(event, "process");

	return process ? process : json_object_get(json_object_get(event, "actor"), "process");
}

static bool runs(const json_t *event, const char *program)
{
	const json_t *process = process_of(event);
	const char *path = text(json_object_get(process, "file"), "path"),
		   *name = text(process, "name");

	return !program || is(program, path ? path : "") || is(program, name ? name : "");
}

static bool is_below(const json_t *event, const char *dir)
{
	const char *path = text(part_of(event, "file"), "path");
	size_t len = dir ? strlen(dir) : 0;

	if (!dir)
		return true;
	return path && !strncmp(path, dir, len) && (!path[len] || path[len] == '/');
}

static bool is_in_time(const struct filter *f, const json_t *event)
{
	int64_t ms = (int64_t)member_uint(event, "time");

	return ms >= f->since_ms && (!f->until_ms || ms < f->until_ms);
}

static bool is_of_host(const char *host, const json_t *event)
{
	const json_t *device = json_object_get(event, "device");

	if (!host || is(host, text(part_of(event, "dst_endpoint"), "ip")))
		return true;
	return is(host, text(device, "hostname")) || is(host, text(device, "uid"));
}

bool filter_wants(const struct filter *f, const json_t *event)
{
	const json_t *details = feed_details(event);
	const char *signature = text(details, "signature");

	return is_in_time(f, event) && is(f->session, text(details, "session")) &&
	       is(f->agent, text(details, "agent")) && is(f->kind, feed_kind(event)) &&
	       is(f->verdict, text(details, "verdict")) &&
	       (!f->signature || (signature && !fnmatch(f->signature, signature, 0))) &&
	       is_of_host(f->host, event) && runs(event, f->program) && is_below(event, f->path);
}

/* ---- the database */

struct where {
	struct strbuf sql;
	const char *texts[8];
	size_t count;
};

/* Each ? stands for the value. */
static void add(struct where *w, const char *condition, const char *value)
{
	if (!value)
		return;
	w->texts[w->count++] = value;
	strbuf_adds(&w->sql, " AND ");
	for (const char *at = condition; *at; at++) {
		strbuf_addc(&w->sql, *at);
		if (*at == '?')
			strbuf_addf(&w->sql, "%zu", w->count);
	}
}

#define OF_AGENT                                                                                   \
	"session IN (SELECT id FROM sessions WHERE agent IN (SELECT id FROM names WHERE text = "   \
	"?))"
#define PROGRAMS                                                                                   \
	"program IN (SELECT id FROM names WHERE text = ? OR"                                       \
	" substr(text, -length(?) - 1) = '/' || ?)"

/* Is it so small a part of all events that an index is of use? What the last events are is quicker
 * found from the end, where many are wanted ones. */
static bool is_rare(struct query *q, const char *sql, const char *value)
{
	_cleanup_statement_ sqlite3_stmt *row = NULL;

	return !query_prepare(q, sql, &value, 1, &row) && query_step(row) > 0 &&
	       sqlite3_column_int64(row, 0);
}

static void add_agent(struct where *w, struct query *q, const char *agent)
{
	static const char rare[] =
		"SELECT total(events) * 100 < (SELECT total(events) FROM sessions) FROM sessions"
		" WHERE agent IN (SELECT id FROM names WHERE text = ?)";

	if (agent)
		add(w, is_rare(q, rare, agent) ? "e." OF_AGENT : "+e." OF_AGENT, agent);
}

static void add_program(struct where *w, struct query *q, const char *program)
{
	static const char rare[] =
		"SELECT total(events) * 100 < (SELECT total(events) FROM sessions) FROM sessions"
		" WHERE id IN (SELECT session FROM processes WHERE program IN (SELECT id FROM names"
		" WHERE text = ?1 OR substr(text, -length(?1) - 1) = '/' || ?1))";

	if (program && is_rare(q, rare, program))
		add(w, "e.session IN (SELECT session FROM processes WHERE " PROGRAMS ")", program);
	add(w, "+e.process IN (SELECT id FROM processes WHERE " PROGRAMS ")", program);
}

static void add_kind(struct where *w, const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			strbuf_addf(&w->sql, " AND e.kind IN (%d, %d)", kinds[i].kind,
				    kinds[i].kind == EVENT_GUARD ? EVENT_GUARD : EVENT_FINDING);
}

static void put_time_range(struct strbuf *sql, const struct filter *f, const char *column)
{
	if (f->since_ms)
		strbuf_addf(sql, " AND %s >= %lld", column, (long long)f->since_ms);
	if (f->until_ms)
		strbuf_addf(sql, " AND %s < %lld", column, (long long)f->until_ms);
}

/* The order is the journal's, and times come only nearly in it: what the index of times finds must
 * be sorted. Where that is much, the events are looked through in their order. */
static void add_time_range(struct where *w, struct query *q, const struct filter *f)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;

	if (!f->since_ms && !f->until_ms)
		return;
	strbuf_adds(&sql, "SELECT count(*) < 100000 FROM (SELECT 1 FROM events WHERE ?1 <> ''");
	put_time_range(&sql, f, "time_ms");
	strbuf_adds(&sql, " LIMIT 100000)");
	put_time_range(&w->sql, f, is_rare(q, strbuf_str(&sql), "x") ? "e.time_ms" : "+e.time_ms");
}

/* What the rows say more coarsely (program, kind) filter_wants() looks at again. */
static void add_conditions(struct where *w, struct query *q, const struct filter *f)
{
	add(w, "e.session IN (SELECT id FROM sessions WHERE name = ?)", f->session);
	add(w,
	    "e.id IN (SELECT event FROM findings WHERE verdict IN"
	    " (SELECT id FROM names WHERE text = ?))",
	    f->verdict);
	add(w,
	    "e.id IN (SELECT event FROM findings WHERE signature IN"
	    " (SELECT id FROM names WHERE text GLOB ?))",
	    f->signature);
	add_agent(w, q, f->agent);
	add_program(w, q, f->program);
	add(w,
	    "((e.subject > ? || ':' AND e.subject < ? || ';') OR e.session IN"
	    " (SELECT s.id FROM sessions s JOIN names n ON n.id IN (s.host, s.machine)"
	    " WHERE n.text = ?))",
	    f->host);
	add(w, "(e.subject = ? OR (e.subject > ? || '/' AND e.subject < ? || '0'))", f->path);
	add_kind(w, f->kind);
	add_time_range(w, q, f);
}

int filter_prepare(const struct filter *f, struct query *q, unsigned int count, sqlite3_stmt **ret)
{
	struct where w = { .sql = STRBUF_INIT };
	int r;

	strbuf_adds(&w.sql, "SELECT e.segment, e.offset, e.length, e.id FROM events e WHERE TRUE");
	add_conditions(&w, q, f);
	strbuf_adds(&w.sql, count ? " ORDER BY e.id DESC" : " ORDER BY e.id");
	r = strbuf_error(&w.sql);
	if (!r)
		r = query_prepare(q, strbuf_str(&w.sql), w.texts, w.count, ret);
	strbuf_free(&w.sql);
	return r;
}

/* ---- times */

static int parse_ago(const char *text, int64_t now_ms, int64_t *ret_ms)
{
	static const char units[] = "smhd";
	static const int64_t ms[] = { 1000, 60000, 3600000, 86400000 };
	size_t len = strlen(text);
	const char *unit = len ? strchr(units, text[len - 1]) : NULL;
	char digits[12] = "";
	uint64_t n;

	if (!unit || len < 2 || len > sizeof(digits))
		return -EINVAL;
	memcpy(digits, text, len - 1);
	if (parse_number(digits, 1000000000, &n))
		return -EINVAL;
	*ret_ms = now_ms - (int64_t)n * ms[unit - units];
	return 0;
}

int filter_parse_time(const char *text, int64_t now_ms, int64_t *ret_ms)
{
	static const char *const formats[] = { "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S",
					       "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S" };

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		struct tm t = { .tm_isdst = -1 };
		const char *end = strptime(text, formats[i], &t);

		if (end && !*end) {
			*ret_ms = (int64_t)mktime(&t) * 1000;
			return 0;
		}
	}
	return parse_ago(text, now_ms, ret_ms);
}
