#include "record/tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "record/event.h"

static int copy(sqlite3_stmt *row, int column, char **ret)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

/* ---- sessions */

void tree_session_free(struct tree_session *s)
{
	free(s->name);
	free(s->host);
	free(s->agent);
	free(s->user);
	*s = (struct tree_session) { 0 };
}

#define SESSION_COLUMNS                                                                            \
	"SELECT s.id, s.name, h.text, a.text, u.text, s.began_ms, s.last_ms, s.events,"            \
	" s.findings, s.held, s.refused FROM sessions s LEFT JOIN names h ON h.id = s.host"        \
	" LEFT JOIN names a ON a.id = s.agent LEFT JOIN names u ON u.id = s.user "

static int read_session(sqlite3_stmt *row, struct tree_session *ret)
{
	struct tree_session s = { .id = sqlite3_column_int64(row, 0),
				  .began_ms = sqlite3_column_int64(row, 5),
				  .last_ms = sqlite3_column_int64(row, 6),
				  .events = sqlite3_column_int64(row, 7),
				  .findings = sqlite3_column_int64(row, 8),
				  .held = sqlite3_column_int64(row, 9),
				  .refused = sqlite3_column_int64(row, 10) };
	int r = copy(row, 1, &s.name) ?: copy(row, 2, &s.host) ?: copy(row, 3, &s.agent);

	r = r ?: copy(row, 4, &s.user);
	if (r)
		tree_session_free(&s);
	else
		*ret = s;
	return r;
}

/* Is the row behind the one that was found as good an answer? */
static bool is_another(sqlite3_stmt *rows, const char *name, const struct tree_session *found)
{
	bool whole = !strcmp(found->name, name);

	if (query_step(rows) <= 0)
		return false;
	return !whole || !strcmp((const char *)sqlite3_column_text(rows, 1), name);
}

static int find_session(struct query *q, const char *name, const char *host,
			struct tree_session *ret)
{
	/* one that is the name itself comes first */
	static const char by_name[] = SESSION_COLUMNS "LEFT JOIN names m ON m.id = s.machine"
						      " WHERE s.name >= ?1 AND s.name < ?1 || 'g'"
						      " AND (?2 = '' OR h.text = ?2 OR m.text = ?2)"
						      " ORDER BY s.name LIMIT 2";
	static const char newest[] = SESSION_COLUMNS "ORDER BY s.last_ms DESC LIMIT 1";
	const char *const texts[] = { name, host };
	_cleanup_statement_ sqlite3_stmt *rows = NULL;
	_cleanup_tree_session_ struct tree_session found = { 0 };
	int r = query_prepare(q, name ? by_name : newest, texts, name ? 2 : 0, &rows);

	if (!r)
		r = query_step(rows);
	if (r <= 0)
		return r ? r : -ENOENT;
	r = read_session(rows, &found);
	if (!r && name && is_another(rows, name, &found))
		r = -ENOTUNIQ;
	if (r)
		return r;
	*ret = found;
	found = (struct tree_session) { 0 };
	return 0;
}

int tree_find_session(struct query *q, const char *name, struct tree_session *ret)
{
	const char *at = name ? strchr(name, '@') : NULL;
	_cleanup_free_ char *alone = at ? strndup(name, (size_t)(at - name)) : NULL;

	if (at && !alone)
		return -ENOMEM;
	return find_session(q, at ? alone : name, at ? at + 1 : "", ret);
}

/* ---- processes */

void tree_free(struct tree *t)
{
	for (size_t i = 0; i < t->count; i++) {
		free(t->nodes[i].command);
		free(t->nodes[i].signature);
		free(t->nodes[i].severity);
		free(t->nodes[i].by);
		free(t->nodes[i].verdict);
	}
	free(t->nodes);
	*t = (struct tree) { 0 };
}

static int add_node(struct tree *t, size_t *cap, sqlite3_stmt *row)
{
	struct tree_node *nodes = t->nodes;

	if (t->count == *cap) {
		*cap = *cap ? *cap * 2 : 64;
		nodes = reallocarray(nodes, *cap, sizeof(*nodes));
		if (!nodes)
			return -ENOMEM;
		t->nodes = nodes;
	}
	nodes[t->count] = (struct tree_node) { .id = sqlite3_column_int64(row, 0),
					       .parent = sqlite3_column_int64(row, 1),
					       .pid = sqlite3_column_int64(row, 2),
					       .began_ms = sqlite3_column_int64(row, 4),
					       .ended_ms = sqlite3_column_int64(row, 5),
					       .status = sqlite3_column_int64(row, 6),
					       .signal = sqlite3_column_int64(row, 7),
					       .outcome = sqlite3_column_int64(row, 8) };
	return copy(row, 3, &nodes[t->count++].command);
}

static int read_nodes(struct query *q, const char *session, struct tree *t)
{
	_cleanup_statement_ sqlite3_stmt *rows = NULL;
	size_t cap = 0;
	int r = query_prepare(q,
			      "SELECT p.id, p.parent, p.pid, coalesce(p.command, n.text),"
			      " p.began_ms, p.ended_ms, p.status, p.signal, p.outcome"
			      " FROM processes p LEFT JOIN names n ON n.id = p.program"
			      " WHERE p.session = CAST(? AS INTEGER)"
			      " ORDER BY coalesce(p.event, p.began_ms, p.ended_ms), p.pid",
			      &session, 1, &rows);

	while (!r && (r = query_step(rows)) > 0)
		r = add_node(t, &cap, rows);
	return r;
}

static int note_finding(const struct map *nodes, sqlite3_stmt *row)
{
	struct tree_node *n = map_get(nodes, (uint64_t)sqlite3_column_int64(row, 0));

	if (!n)
		return 0;
	free(n->signature);
	free(n->severity);
	free(n->by);
	free(n->verdict);
	n->signature = n->severity = n->by = n->verdict = NULL;
	n->outcome = sqlite3_column_int64(row, 1);
	return copy(row, 2, &n->signature) ?: copy(row, 3, &n->severity) ?: copy(row, 4, &n->by) ?: copy(row, 5, &n->verdict);
}

static int read_findings(struct query *q, const char *session, const struct map *nodes)
{
	_cleanup_statement_ sqlite3_stmt *rows = NULL;
	int r = query_prepare(q,
			      "SELECT f.process, f.disposition, s.text, v.text, b.text, w.text"
			      " FROM findings f LEFT JOIN names s ON s.id = f.signature"
			      " LEFT JOIN names v ON v.id = f.severity"
			      " LEFT JOIN names b ON b.id = f.by"
			      " LEFT JOIN names w ON w.id = f.verdict"
			      " WHERE f.session = CAST(? AS INTEGER) ORDER BY f.event",
			      &session, 1, &rows);

	while (!r && (r = query_step(rows)) > 0)
		r = note_finding(nodes, rows);
	return r;
}

static int read_counts(struct query *q, const char *session, const struct map *nodes)
{
	_cleanup_statement_ sqlite3_stmt *rows = NULL;
	int r = query_prepare(q,
			      "SELECT process, kind, count(*) FROM events WHERE session ="
			      " CAST(? AS INTEGER) AND subject IS NOT NULL GROUP BY process, kind",
			      &session, 1, &rows);

	while (!r && (r = query_step(rows)) > 0) {
		struct tree_node *n = map_get(nodes, (uint64_t)sqlite3_column_int64(rows, 0));
		int64_t kind = sqlite3_column_int64(rows, 1);

		if (n && kind == EVENT_CONNECT)
			n->connects = sqlite3_column_int64(rows, 2);
		if (n && kind == EVENT_DELETE)
			n->deletes = sqlite3_column_int64(rows, 2);
		r = 0;
	}
	return r;
}

static int index_nodes(struct tree *t, struct map *nodes)
{
	int r = 0;

	for (size_t i = 0; !r && i < t->count; i++)
		r = map_set(nodes, (uint64_t)t->nodes[i].id, &t->nodes[i]);
	return r;
}

/* Whoever claims to be its own ancestor is a root. */
static bool is_above(const struct tree_node *n, const struct tree_node *of)
{
	for (; of; of = of->up)
		if (of == n)
			return true;
	return false;
}

static void join(struct tree *t, const struct map *nodes)
{
	for (size_t i = 0; i < t->count; i++) {
		struct tree_node *n = &t->nodes[i], *up = map_get(nodes, (uint64_t)n->parent);

		if (!up || is_above(n, up))
			continue;
		n->up = up;
		if (up->last)
			up->last->next = n;
		else
			up->first = n;
		up->last = n;
	}
}

int tree_read(struct query *q, int64_t session, struct tree *ret)
{
	_cleanup_tree_ struct tree t = { 0 };
	struct map nodes = MAP_INIT;
	char id[24];
	int r;

	snprintf(id, sizeof(id), "%lld", (long long)session);
	r = read_nodes(q, id, &t) ?: index_nodes(&t, &nodes) ?: read_findings(q, id, &nodes);
	r = r ?: read_counts(q, id, &nodes);
	if (!r)
		join(&t, &nodes);
	map_free(&nodes);
	if (r)
		return r;
	*ret = t;
	t = (struct tree) { 0 };
	return 0;
}

void tree_walk(const struct tree *t, tree_fn fn, void *data)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct tree_node *n = &t->nodes[i];
		int depth = 0;

		if (n->up)
			continue;
		while (n) {
			fn(data, n, depth);
			if (n->first) {
				n = n->first;
				depth++;
				continue;
			}
			while (depth && !n->next) {
				n = n->up;
				depth--;
			}
			n = depth ? n->next : NULL;
		}
	}
}
