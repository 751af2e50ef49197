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
	{ "exec", EVENT_EXEC },	   { "exit", EVENT_EXIT },     { "connect", EVENT_CONNECT },
	{ "send", EVENT_CONNECT }, { "delete", EVENT_DELETE }, { "guard", EVENT_GUARD },
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
	size_t len = dir && strcmp(dir, "/") ? strlen(dir) : 0;

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

/* Is it so small a part of all events that an index is of use? What the last events are is quicker
 * found from the end, where many are wanted ones. */
static bool is_rare(struct query *q, const char *sql, const char *value)
{
	_cleanup_statement_ sqlite3_stmt *row = NULL;

	return !query_prepare(q, sql, &value, value != NULL, &row) && query_step(row) > 0 &&
	       sqlite3_column_int64(row, 0);
}

/* Findings are of the kind of what was found. Only kinds above exits are indexed. */
static const char *kind_condition(struct query *q, enum event_kind kind)
{
	char sql[96];

	if (kind == EVENT_EXIT)
		return " AND e.kind = %d";
	if (kind == EVENT_GUARD)
		return " AND e.kind > 2 AND e.kind = %d";
	snprintf(sql, sizeof(sql),
		 "SELECT total(events) < 100000 FROM counts WHERE kind IN (%d, %d)", kind,
		 EVENT_FINDING);
	return kind > EVENT_EXIT && is_rare(q, sql, NULL) ? " AND e.kind > 2 AND e.kind IN (%d, %d)"
							  : " AND +e.kind IN (%d, %d)";
}

static void add_kind(struct where *w, struct query *q, const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			strbuf_addf(&w->sql, kind_condition(q, kinds[i].kind), kinds[i].kind,
				    EVENT_FINDING);
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

/* An address that was connected to, or the host where it happened. */
static void add_host(struct where *w, struct query *q, const char *host)
{
#define SESSIONS_OF "sessions s JOIN names n ON n.id IN (s.host, s.machine) WHERE n.text = ?"
	bool rare = host && is_rare(q, "SELECT total(s.events) < 100000 FROM " SESSIONS_OF, host);

	add(w,
	    rare ? "((e.subject > ? || ':' AND e.subject < ? || ';')"
		   " OR e.session IN (SELECT s.id FROM " SESSIONS_OF "))"
		 : "((+e.subject > ? || ':' AND +e.subject < ? || ';')"
		   " OR +e.session IN (SELECT s.id FROM " SESSIONS_OF "))",
	    host);
}

#define BELOW(c) c " = ? OR (" c " > ? || '/' AND " c " < ? || '0')"

static void add_path(struct where *w, struct query *q, const char *path)
{
	bool root = path && !strcmp(path, "/"), rare;

	rare = path && !root &&
	       is_rare(q,
		       "SELECT count(*) < 100000 FROM (SELECT 1 FROM events WHERE "
		       "subject > ?1 || '/' AND subject < ?1 || '0' LIMIT 100000)",
		       path);
	add(w,
	    root   ? "+e.subject >= ? AND +e.subject < '0'"
	    : rare ? "(" BELOW("e.subject") ")"
		   : "(" BELOW("+e.subject") ")",
	    path);
}

/* What the rows say more coarsely (program, kind) filter_wants() looks at again. GLOB reads
 * brackets and backslashes in another way than fnmatch(). */
static void add_conditions(struct where *w, struct query *q, const struct filter *f)
{
	bool alike = !f->signature || !strpbrk(f->signature, "[\\");

	add(w, "e.session IN (SELECT id FROM sessions WHERE name = ?)", f->session);
	add(w,
	    "e.id IN (SELECT event FROM findings WHERE verdict IN"
	    " (SELECT id FROM names WHERE text = ?))",
	    f->verdict);
	add(w,
	    "e.id IN (SELECT event FROM findings WHERE signature IN"
	    " (SELECT id FROM names WHERE text GLOB ?))",
	    alike ? f->signature : "*");
	add_host(w, q, f->host);
	add_path(w, q, f->path);
	add_kind(w, q, f->kind);
	add_time_range(w, q, f);
}

/* ---- agents and programs: the names that are meant, and for each a statement in the order of the
 * index, which SQLite merges */

#define ARMS_MAX 100

struct ids {
	int64_t ids[ARMS_MAX + 1];
	size_t count;
};

static int read_ids(struct query *q, const char *sql, const char *value, struct ids *ret)
{
	_cleanup_statement_ sqlite3_stmt *rows = NULL;
	int r = value ? query_prepare(q, sql, &value, 1, &rows) : 0;

	ret->count = 0;
	while (value && !r && ret->count < ARRAY_SIZE(ret->ids) && (r = query_step(rows)) > 0) {
		ret->ids[ret->count++] = sqlite3_column_int64(rows, 0);
		r = 0;
	}
	return MIN(r, 0);
}

static void add_any(struct strbuf *sql, const char *column, const struct ids *ids)
{
	strbuf_addf(sql, " AND %s IN (", column);
	for (size_t i = 0; i < ids->count; i++)
		strbuf_addf(sql, "%s%lld", i ? ", " : "", (long long)ids->ids[i]);
	strbuf_addc(sql, ')');
}

struct arms {
	struct ids agents, programs;
	bool by_agent, by_program; /* the index of it is used */
};

/* The rarer one leads, and none where something else finds fewer. */
static int find_arms(const struct filter *f, struct query *q, struct arms *ret)
{
	static const char rare[] =
		"SELECT total(events) * 20 < (SELECT total(events) FROM sessions) FROM sessions"
		" WHERE agent IN (SELECT id FROM names WHERE text = ?)";
	bool free = !f->session && !f->verdict && !f->signature && !f->host && !f->path;
	int r = read_ids(q, "SELECT id FROM names WHERE text = ?", f->agent, &ret->agents);

	if (!r)
		r = read_ids(q,
			     "SELECT id FROM names WHERE text = ?1"
			     " OR substr(text, -length(?1) - 1) = '/' || ?1",
			     f->program, &ret->programs);
	if (r)
		return r;
	ret->by_agent = free && f->agent && (!f->program || is_rare(q, rare, f->agent));
	ret->by_program = free && f->program && !ret->by_agent && ret->programs.count <= ARMS_MAX;
	return 0;
}

static void put_arm(struct strbuf *sql, const struct filter *f, const struct arms *a,
		    const struct strbuf *conditions)
{
	strbuf_adds(sql, "SELECT e.segment, e.offset, e.length, e.id FROM events e WHERE TRUE");
	strbuf_adds(sql, strbuf_str(conditions));
	if (f->agent && !a->by_agent)
		add_any(sql, "+e.agent", &a->agents);
	if (f->program && !a->by_program && a->programs.count <= ARMS_MAX)
		add_any(sql, "+e.program", &a->programs);
}

static void put_arms(struct strbuf *sql, const struct filter *f, const struct arms *a,
		     const struct strbuf *conditions)
{
	const struct ids *leading = a->by_agent ? &a->agents : &a->programs;
	const char *column = a->by_agent ? "agent" : "program";

	if (!a->by_agent && !a->by_program) {
		put_arm(sql, f, a, conditions);
		return;
	}
	for (size_t i = 0; i < leading->count; i++) {
		strbuf_adds(sql, i ? " UNION ALL " : "");
		put_arm(sql, f, a, conditions);
		strbuf_addf(sql, " AND e.%s = %lld", column, (long long)leading->ids[i]);
	}
	if (!leading->count)
		strbuf_adds(sql, "SELECT segment, offset, length, id FROM events WHERE FALSE");
}

int filter_prepare(const struct filter *f, struct query *q, unsigned int count, sqlite3_stmt **ret)
{
	_cleanup_strbuf_ struct strbuf sql = STRBUF_INIT;
	struct where w = { .sql = STRBUF_INIT };
	struct arms arms;
	int r = find_arms(f, q, &arms);

	if (r)
		return r;
	add_conditions(&w, q, f);
	put_arms(&sql, f, &arms, &w.sql);
	strbuf_adds(&sql, count ? " ORDER BY 4 DESC" : " ORDER BY 4");
	r = strbuf_error(&w.sql) ?: strbuf_error(&sql);
	if (!r)
		r = query_prepare(q, strbuf_str(&sql), w.texts, w.count, ret);
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
