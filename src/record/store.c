/* Names and sessions are kept in memory, by a hash of their text: looking them up costs no
 * statement. Sessions are counted there, and written with each commit. */
#include "record/store.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "record/schema.h"
#include "record/store_internal.h"

#define COMMAND_MAX 1000 /* bytes of a command line; the journal has it whole */

/* An exec is known better than its exit, which may come of a fork alone. */
static const char *const statements[STORE_STATEMENTS] = {
	[PUT_NAME] = "INSERT INTO names (id, text) VALUES (?, ?)",
	[PUT_SESSION] = "INSERT INTO sessions (id, name, host, agent, user, began_ms, last_ms,"
			" events, findings, held, refused, machine)"
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
			" ON CONFLICT (id) DO UPDATE SET agent = coalesce(agent, excluded.agent),"
			" last_ms = excluded.last_ms, events = excluded.events,"
			" findings = excluded.findings, held = excluded.held,"
			" refused = excluded.refused",
	[PUT_EXEC] = "INSERT INTO processes (id, session, parent, pid, program, command, cwd,"
		     " began_ms, outcome, event) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
		     " ON CONFLICT (id) DO UPDATE SET session = excluded.session,"
		     " parent = coalesce(excluded.parent, parent), program = excluded.program,"
		     " command = excluded.command, cwd = excluded.cwd, outcome = excluded.outcome,"
		     " event = iif(?11 OR event IS NULL, excluded.event, event),"
		     " began_ms = min(coalesce(began_ms, excluded.began_ms), excluded.began_ms)",
	[PUT_EXIT] = "INSERT INTO processes (id, session, parent, pid, program, command, ended_ms,"
		     " status, signal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
		     " ON CONFLICT (id) DO UPDATE SET ended_ms = excluded.ended_ms,"
		     " parent = coalesce(parent, excluded.parent), status = excluded.status,"
		     " signal = excluded.signal",
	[PUT_EVENT] = "INSERT INTO events (id, time_ms, kind, session, process, disposition,"
		      " subject, segment, offset, length, agent, program)"
		      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[PUT_INNER] = "INSERT INTO inners (path, event) VALUES (?, ?)",
	[PUT_NAMED] = "INSERT OR IGNORE INTO named (path, event) VALUES (?, ?)",
	[PUT_FINDING] = "INSERT INTO findings (event, session, process, signature, severity,"
			" verdict, disposition, hold, by, reason, latency_ns, run, number)"
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[PUT_COUNT] = "INSERT OR REPLACE INTO counts (kind, events) VALUES (?, ?)",
	[PUT_CURSOR] = "UPDATE cursor SET segment = ?, offset = ?, lines = ?, skipped = ?",
	[PUT_HOST] = "INSERT OR REPLACE INTO hosts (id, known, name, key, events, last_ms)"
		     " VALUES (?, ?, ?, ?, ?, ?)",
	[DROP_LINES] = "DELETE FROM host_lines WHERE host = ? AND last >= ?",
	[PUT_LINES] = "INSERT OR REPLACE INTO host_lines (host, first, last) VALUES (?, ?, ?)",
};

uint64_t store_hash(const char *text, size_t len)
{
	static const uint8_t key[crypto_shorthash_KEYBYTES] = "backstop record";
	uint8_t out[crypto_shorthash_BYTES];
	uint64_t hash;

	crypto_shorthash(out, (const uint8_t *)text, len, key);
	memcpy(&hash, out, sizeof(hash));
	return hash;
}

uint64_t store_session_hash(struct slice name, struct slice host)
{
	uint64_t of_name = store_hash(name.at, name.len);

	return host.len ? of_name ^ (store_hash(host.at, host.len) >> 1) : of_name;
}

int64_t store_process_id(const char *uid, size_t len)
{
	return (int64_t)(store_hash(uid, len) >> 1);
}

/* ---- statements */

static void bind_int(sqlite3_stmt *s, int at, int64_t n)
{
	sqlite3_bind_int64(s, at, n);
}

/* 0 stands for what is not known. */
static void bind_known(sqlite3_stmt *s, int at, int64_t n)
{
	if (n)
		sqlite3_bind_int64(s, at, n);
	else
		sqlite3_bind_null(s, at);
}

int store_run(struct store *s, enum store_statement which)
{
	sqlite3_stmt *statement = s->statements[which];
	int r = sqlite3_step(statement);

	sqlite3_reset(statement);
	return schema_errno(r);
}

const char *store_text(struct store *s, struct slice from, size_t *ret_len)
{
	if (!from.len || !memchr(from.at, '\\', from.len)) {
		*ret_len = from.len;
		return from.at ? from.at : "";
	}
	strbuf_reset(&s->text);
	event_add_text(&s->text, from);
	*ret_len = s->text.len;
	return strbuf_str(&s->text);
}

static void bind_slice(struct store *s, sqlite3_stmt *to, int at, struct slice from, size_t max)
{
	size_t len;
	const char *text = store_text(s, from, &len);

	if (!from.at) {
		sqlite3_bind_null(to, at);
		return;
	}
	if (len > max)
		for (len = max; len && (text[len] & 0xc0) == 0x80; len--)
			;
	sqlite3_bind_text(to, at, text, (int)len, SQLITE_TRANSIENT);
}

/* ---- names */

static int add_name(struct store *s, const char *text, size_t len, uint64_t hash)
{
	sqlite3_stmt *put = s->statements[PUT_NAME];
	int r;

	bind_int(put, 1, s->name_count + 1);
	sqlite3_bind_text(put, 2, text, (int)len, SQLITE_TRANSIENT);
	r = store_run(s, PUT_NAME);
	if (!r)
		r = map_set(&s->names, hash, (void *)(uintptr_t)(s->name_count + 1));
	s->name_count += !r;
	return r;
}

/* Its id; 0 where it is not known; or a negative errno. */
static int64_t intern(struct store *s, struct slice name)
{
	uint64_t hash;
	const char *text;
	size_t len;
	int64_t id;
	int r;

	if (!name.at)
		return 0;
	text = store_text(s, name, &len);
	hash = store_hash(text, len);
	id = (int64_t)(uintptr_t)map_get(&s->names, hash);
	if (id)
		return id;
	r = add_name(s, text, len, hash);
	return r ? r : s->name_count;
}

static int intern_into(struct store *s, struct slice name, int64_t *ret)
{
	int64_t id = intern(s, name);

	if (id < 0)
		return (int)id;
	*ret = id;
	return 0;
}

/* ---- sessions */

int store_add_session(struct store *s, struct slice name, uint64_t hash, struct store_session **ret)
{
	struct store_session *n = calloc(1, sizeof(*n) + name.len + 1);
	int r;

	if (!n)
		return -ENOMEM;
	memcpy(n->name, name.at, name.len);
	n->id = ++s->session_count;
	r = map_set(&s->sessions, hash, n);
	if (r) {
		free(n);
		return r;
	}
	*ret = n;
	return 0;
}

static void count(struct store_session *n, const struct event *e)
{
	n->began_ms = n->began_ms ? n->began_ms : e->time_ms;
	n->last_ms = MAX(n->last_ms, e->time_ms);
	n->events++;
	n->findings += e->kind == EVENT_FINDING;
	n->held += e->kind == EVENT_FINDING && e->disposition == 14;
	n->refused += e->kind == EVENT_FINDING && (e->disposition == 2 || e->disposition == 25);
	n->changed = true;
}

/* 0 and NULL where the event is of none. */
static int find_session(struct store *s, const struct event *e, struct store_session **ret)
{
	uint64_t hash = store_session_hash(e->session, e->machine.len ? e->machine : e->host);
	struct store_session *n = e->session.at ? map_get(&s->sessions, hash) : NULL;
	int r = 0;

	if (!n && e->session.at)
		r = store_add_session(s, e->session, hash, &n);
	if (!r && n && !n->host)
		r = intern_into(s, e->host, &n->host);
	if (!r && n && !n->machine)
		r = intern_into(s, e->machine, &n->machine);
	if (!r && n && !n->agent)
		r = intern_into(s, e->agent, &n->agent);
	if (!r && n && !n->user)
		r = intern_into(s, e->process.user.at ? e->process.user : e->process.user_id,
				&n->user);
	if (!r && n)
		count(n, e);
	if (!r)
		*ret = n;
	return r;
}

static int write_session(struct store *s, struct store_session *n)
{
	sqlite3_stmt *put = s->statements[PUT_SESSION];

	bind_int(put, 1, n->id);
	sqlite3_bind_text(put, 2, n->name, -1, SQLITE_STATIC);
	bind_known(put, 3, n->host);
	bind_known(put, 4, n->agent);
	bind_known(put, 5, n->user);
	bind_int(put, 6, n->began_ms);
	bind_int(put, 7, n->last_ms);
	bind_int(put, 8, n->events);
	bind_int(put, 9, n->findings);
	bind_int(put, 10, n->held);
	bind_int(put, 11, n->refused);
	bind_known(put, 12, n->machine);
	n->changed = false;
	return store_run(s, PUT_SESSION);
}

static int write_sessions(struct store *s)
{
	void *n;
	int r = 0;

	map_for_each (&s->sessions, n)
		if (!r && ((struct store_session *)n)->changed)
			r = write_session(s, n);
	return r;
}

/* ---- hosts */

static int put_host(struct store *s, const struct event *e)
{
	struct host *n = NULL;
	int r = hosts_take(&s->hosts, e, &n);

	if (r < 0 || !n)
		return MIN(r, 0);
	n->events++;
	n->last_ms = MAX(n->last_ms, e->time_ms);
	n->changed = true;
	return n->name ? 0 : intern_into(s, e->host, &n->name);
}

/* ---- processes */

static int64_t process_of(struct slice uid)
{
	return uid.at ? store_process_id(uid.at, uid.len) : 0;
}

static void bind_process(struct store *s, sqlite3_stmt *put, const struct event *e, int64_t session,
			 int64_t program)
{
	const struct event_process *p = &e->process;

	bind_int(put, 1, process_of(p->uid));
	bind_known(put, 2, session);
	bind_known(put, 3, process_of(p->parent_uid));
	bind_int(put, 4, p->pid);
	bind_known(put, 5, program);
	bind_slice(s, put, 6, p->command, COMMAND_MAX);
}

static int put_exec(struct store *s, const struct event *e, int64_t session, int64_t program)
{
	sqlite3_stmt *put = s->statements[PUT_EXEC];
	int64_t cwd = 0;
	int r = intern_into(s, e->process.cwd, &cwd);

	if (r)
		return r;
	bind_process(s, put, e, session, program);
	bind_known(put, 7, cwd);
	bind_int(put, 8, e->time_ms);
	bind_int(put, 9, e->disposition);
	bind_int(put, 10, (int64_t)s->cursor.lines);
	bind_int(put, 11, e->kind == EVENT_EXEC);
	return store_run(s, PUT_EXEC);
}

static int put_exit(struct store *s, const struct event *e, int64_t session, int64_t program)
{
	sqlite3_stmt *put = s->statements[PUT_EXIT];

	bind_process(s, put, e, session, program);
	bind_int(put, 7, e->time_ms);
	bind_int(put, 8, e->exit_code);
	bind_known(put, 9, e->signal);
	return store_run(s, PUT_EXIT);
}

static int put_process(struct store *s, const struct event *e, int64_t session, int64_t program)
{
	if (!e->process.uid.at)
		return 0;
	if (e->kind == EVENT_EXIT)
		return put_exit(s, e, session, program);
	if (e->kind == EVENT_EXEC || (e->kind == EVENT_FINDING && !e->path.at && !e->address.at))
		return put_exec(s, e, session, program);
	return 0;
}

/* ---- events */

static void bind_subject(struct store *s, sqlite3_stmt *put, int at, const struct event *e)
{
	char text[80];
	int n;

	if (!e->address.at) {
		bind_slice(s, put, at, e->path, SIZE_MAX >> 1);
		return;
	}
	n = snprintf(text, sizeof(text), "%.*s:%lld", (int)MIN(e->address.len, 46U), e->address.at,
		     (long long)e->port);
	sqlite3_bind_text(put, at, text, n, SQLITE_TRANSIENT);
}

static int put_event(struct store *s, const struct event *e, int64_t session, int64_t program,
		     const struct store_place *at)
{
	sqlite3_stmt *put = s->statements[PUT_EVENT];
	int64_t agent = 0;
	int r = intern_into(s, e->agent, &agent);

	if (r)
		return r;
	bind_int(put, 1, (int64_t)s->cursor.lines);
	bind_int(put, 2, e->time_ms);
	bind_int(put, 3, e->kind);
	bind_known(put, 4, session);
	bind_known(put, 5, process_of(e->program.at ? e->program : e->process.uid));
	bind_int(put, 6, e->disposition);
	bind_subject(s, put, 7, e);
	bind_int(put, 8, (int64_t)at->segment);
	bind_int(put, 9, (int64_t)at->offset);
	bind_int(put, 10, (int64_t)at->length);
	bind_known(put, 11, agent);
	bind_known(put, 12, program);
	return store_run(s, PUT_EVENT);
}

static int put_inner(struct store *s, const struct event *e)
{
	sqlite3_stmt *put = s->statements[PUT_INNER];

	if (!e->inner.at)
		return 0;
	bind_slice(s, put, 1, e->inner, SIZE_MAX >> 1);
	bind_int(put, 2, (int64_t)s->cursor.lines);
	return store_run(s, PUT_INNER);
}

static int put_finding(struct store *s, const struct event *e, int64_t session)
{
	sqlite3_stmt *put = s->statements[PUT_FINDING];
	const struct slice names[] = { e->signature, e->severity, e->verdict, e->by, e->run };
	static const int columns[] = { 4, 5, 6, 9, 12 };
	int64_t ids[ARRAY_SIZE(names)] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int r = intern_into(s, names[i], &ids[i]);

		if (r)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		bind_known(put, columns[i], ids[i]);
	bind_int(put, 1, (int64_t)s->cursor.lines);
	bind_known(put, 2, session);
	bind_known(put, 3, process_of(e->process.uid));
	bind_int(put, 7, e->disposition);
	bind_known(put, 8, e->hold);
	bind_slice(s, put, 10, e->reason, COMMAND_MAX);
	bind_known(put, 11, e->latency_ns);
	bind_known(put, 13, e->number);
	return store_run(s, PUT_FINDING);
}

static int begin(struct store *s)
{
	int r = s->open ? 0 : schema_run(s->db, "BEGIN IMMEDIATE");

	s->open |= !r;
	return r;
}

int store_put(struct store *s, const struct event *e, const struct store_place *at)
{
	struct store_session *session = NULL;
	int64_t id, program = 0;
	int r = begin(s);

	s->cursor.lines++;
	s->counts[e->kind]++;
	if (!r)
		r = put_host(s, e);
	if (!r)
		r = intern_into(s, e->process.path.at ? e->process.path : e->process.name,
				&program);
	if (!r)
		r = find_session(s, e, &session);
	id = session ? session->id : 0;
	if (!r)
		r = put_process(s, e, id, program);
	if (!r)
		r = put_event(s, e, id, program, at);
	if (!r)
		r = put_inner(s, e);
	if (!r && e->kind == EVENT_FINDING)
		r = put_finding(s, e, id);
	if (!r && e->kind == EVENT_FINDING)
		r = store_put_named(s, e);
	return r ? r : strbuf_error(&s->text);
}

void store_skip(struct store *s)
{
	s->cursor.skipped++;
}

static int write_counts(struct store *s)
{
	sqlite3_stmt *put = s->statements[PUT_COUNT];
	int r = 0;

	for (int kind = 0; !r && kind < EVENT_KINDS; kind++) {
		if (!s->counts[kind])
			continue;
		bind_int(put, 1, kind);
		bind_int(put, 2, s->counts[kind]);
		r = store_run(s, PUT_COUNT);
	}
	return r;
}

int store_commit(struct store *s, uint64_t segment, uint64_t offset)
{
	sqlite3_stmt *put = s->statements[PUT_CURSOR];
	int r = begin(s);

	if (!r)
		r = write_sessions(s);
	if (!r)
		r = write_counts(s);
	if (!r)
		r = store_write_hosts(s);
	if (r)
		return r;
	s->cursor.segment = segment;
	s->cursor.offset = offset;
	bind_int(put, 1, (int64_t)segment);
	bind_int(put, 2, (int64_t)offset);
	bind_int(put, 3, (int64_t)s->cursor.lines);
	bind_int(put, 4, (int64_t)s->cursor.skipped);
	r = store_run(s, PUT_CURSOR);
	if (!r)
		r = schema_run(s->db, "COMMIT");
	if (r)
		return r;
	s->open = false;
	s->committed = s->cursor;
	return 0;
}

int store_last(struct store *s, struct store_place *ret, int64_t *ret_time_ms)
{
	sqlite3_stmt *row = NULL;
	int r = sqlite3_prepare_v2(s->db,
				   "SELECT segment, offset, length, time_ms FROM events"
				   " ORDER BY id DESC LIMIT 1",
				   -1, &row, NULL);

	if (r == SQLITE_OK)
		r = sqlite3_step(row);
	if (r == SQLITE_ROW) {
		*ret = (struct store_place) { (uint64_t)sqlite3_column_int64(row, 0),
					      (uint64_t)sqlite3_column_int64(row, 1),
					      (uint64_t)sqlite3_column_int64(row, 2) };
		*ret_time_ms = sqlite3_column_int64(row, 3);
	}
	sqlite3_finalize(row);
	return r == SQLITE_DONE ? -ENOENT : schema_errno(r);
}

struct hosts *store_hosts(struct store *s)
{
	return &s->hosts;
}

struct sqlite3 *store_database(struct store *s)
{
	return s->db;
}

struct store_cursor store_cursor(const struct store *s)
{
	return s->committed;
}

/* ---- opening */

static int prepare(struct store *s)
{
	int r = 0;

	for (int i = 0; !r && i < STORE_STATEMENTS; i++)
		r = schema_errno(sqlite3_prepare_v3(s->db, statements[i], -1,
						    SQLITE_PREPARE_PERSISTENT, &s->statements[i],
						    NULL));
	return r;
}

int store_open(const char *path, struct store **ret)
{
	_cleanup_(store_close_ptr) struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	r = schema_open(path, &s->db);
	if (!r)
		r = prepare(s);
	if (!r)
		r = store_load(s);
	if (r)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

void store_close(struct store *s)
{
	void *n;

	if (!s)
		return;
	for (int i = 0; i < STORE_STATEMENTS; i++)
		sqlite3_finalize(s->statements[i]);
	sqlite3_close(s->db);
	map_for_each (&s->sessions, n)
		free(n);
	map_free(&s->sessions);
	map_free(&s->names);
	hosts_free(&s->hosts);
	strbuf_free(&s->text);
	free(s);
}
