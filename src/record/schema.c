#include "record/schema.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BUSY_MS 5000

/* Version N is what the first N of these make. They are never changed, only more of them come. */
static const char *const steps[] = {
	/* The text of an event stays in the journal, at segment, offset and length. */
	"CREATE TABLE cursor (one INTEGER PRIMARY KEY CHECK (one = 1), segment INTEGER NOT NULL,"
	" offset INTEGER NOT NULL, lines INTEGER NOT NULL, skipped INTEGER NOT NULL);"
	"INSERT INTO cursor VALUES (1, 0, 0, 0, 0);"
	"CREATE TABLE counts (kind INTEGER PRIMARY KEY, events INTEGER NOT NULL);"
	"CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);"
	"CREATE TABLE sessions (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, host INTEGER,"
	" agent INTEGER, user INTEGER, began_ms INTEGER, last_ms INTEGER, events INTEGER NOT NULL,"
	" findings INTEGER NOT NULL, held INTEGER NOT NULL, refused INTEGER NOT NULL);"
	"CREATE TABLE processes (id INTEGER PRIMARY KEY, session INTEGER, parent INTEGER,"
	" pid INTEGER, program INTEGER, command TEXT, cwd INTEGER, began_ms INTEGER,"
	" ended_ms INTEGER, status INTEGER, signal INTEGER, outcome INTEGER, event INTEGER);"
	"CREATE TABLE events (id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL,"
	" kind INTEGER NOT NULL, session INTEGER, process INTEGER, disposition INTEGER,"
	" subject TEXT, segment INTEGER NOT NULL, offset INTEGER NOT NULL,"
	" length INTEGER NOT NULL);"
	"CREATE TABLE inners (path TEXT NOT NULL, event INTEGER NOT NULL,"
	" PRIMARY KEY (path, event)) WITHOUT ROWID;"
	"CREATE TABLE findings (event INTEGER PRIMARY KEY, session INTEGER, process INTEGER,"
	" signature INTEGER, severity INTEGER, verdict INTEGER, disposition INTEGER, hold INTEGER,"
	" by INTEGER, reason TEXT, latency_ns INTEGER, run INTEGER, number INTEGER);",
	"CREATE INDEX events_session ON events (session, id);"
	"CREATE INDEX events_time ON events (time_ms);"
	"CREATE INDEX events_subject ON events (subject, id) WHERE subject IS NOT NULL;"
	"CREATE INDEX processes_program ON processes (program);"
	"CREATE INDEX processes_pid ON processes (pid);"
	"CREATE INDEX processes_session ON processes (session);"
	"CREATE INDEX findings_signature ON findings (signature);"
	"CREATE INDEX findings_verdict ON findings (verdict);"
	"CREATE INDEX findings_session ON findings (session);",
	/* Two hosts may give two sessions the same name. */
	"CREATE TABLE hosts_sessions (id INTEGER PRIMARY KEY, name TEXT NOT NULL, host INTEGER,"
	" agent INTEGER, user INTEGER, began_ms INTEGER, last_ms INTEGER, events INTEGER NOT NULL,"
	" findings INTEGER NOT NULL, held INTEGER NOT NULL, refused INTEGER NOT NULL,"
	" machine INTEGER);"
	"INSERT INTO hosts_sessions SELECT id, name, host, agent, user, began_ms, last_ms, events,"
	" findings, held, refused, NULL FROM sessions;"
	"DROP TABLE sessions;"
	"ALTER TABLE hosts_sessions RENAME TO sessions;"
	"CREATE INDEX sessions_name ON sessions (name);",
	/* named: paths that the words of a command with a finding stand for. Of findings from
	 * before any path may be named. */
	"ALTER TABLE events ADD COLUMN agent INTEGER;"
	"ALTER TABLE events ADD COLUMN program INTEGER;"
	"UPDATE events SET agent = (SELECT agent FROM sessions WHERE id = session),"
	" program = (SELECT program FROM processes WHERE id = process);"
	"CREATE INDEX events_agent ON events (agent) WHERE agent IS NOT NULL;"
	"CREATE INDEX events_program ON events (program) WHERE program IS NOT NULL;"
	"CREATE TABLE named (path TEXT NOT NULL, event INTEGER NOT NULL,"
	" PRIMARY KEY (path, event)) WITHOUT ROWID;"
	"INSERT INTO named SELECT '/', f.event FROM findings f JOIN events e ON e.id = f.event"
	" WHERE e.subject IS NULL;",
	/* Which lines of whose journal came, as ranges; and what is held. */
	"CREATE TABLE hosts (id INTEGER PRIMARY KEY, known TEXT NOT NULL, name INTEGER, key TEXT,"
	" events INTEGER NOT NULL, last_ms INTEGER NOT NULL);"
	"CREATE TABLE host_lines (host INTEGER NOT NULL, first INTEGER NOT NULL,"
	" last INTEGER NOT NULL, PRIMARY KEY (host, first)) WITHOUT ROWID;"
	"CREATE INDEX findings_hold ON findings (hold, process) WHERE hold IS NOT NULL;",
	/* What a large directory lost is counted in the index alone. Execs and exits are too many
	 * for their kind to help. */
	"DROP INDEX events_subject;"
	"CREATE INDEX events_subject ON events (subject, id, kind, process, disposition, time_ms)"
	" WHERE subject IS NOT NULL;"
	"CREATE INDEX events_kind ON events (kind, id) WHERE kind > 2;",
};

int schema_version(void)
{
	return (int)ARRAY_SIZE(steps);
}

int schema_errno(int result)
{
	switch (result & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CANTOPEN:
		return -ENOENT;
	}
	return -EIO;
}

int schema_run(sqlite3 *db, const char *sql)
{
	return schema_errno(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

int schema_get(sqlite3 *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *s = NULL;
	int r = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

	if (r == SQLITE_OK)
		r = sqlite3_step(s);
	if (!schema_errno(r))
		*ret = r == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
	sqlite3_finalize(s);
	return schema_errno(r);
}

static int apply(sqlite3 *db, int step)
{
	char version[64];
	int r = schema_run(db, steps[step]);

	snprintf(version, sizeof(version), "PRAGMA user_version = %d", step + 1);
	return r ? r : schema_run(db, version);
}

int schema_migrate(sqlite3 *db, int version)
{
	int64_t have = 0;
	int r = schema_run(db, "BEGIN IMMEDIATE");

	if (r)
		return r;
	r = schema_get(db, "PRAGMA user_version", &have);
	if (!r && have > schema_version())
		r = -EPROTO;
	for (int step = (int)have; !r && step < version; step++)
		r = apply(db, step);
	if (r)
		(void)schema_run(db, "ROLLBACK");
	return r ? r : schema_run(db, "COMMIT");
}

/* Readers do not wait for the writer, nor it for them. After a power cut the last transactions may
 * be gone: the cursor in them goes with them. */
static int set_up(sqlite3 *db)
{
	int r = schema_run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
			       "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 16384;"
			       "PRAGMA temp_store = MEMORY");

	return r ? r : schema_migrate(db, schema_version());
}

static int open_database(const char *path, int flags, sqlite3 **ret)
{
	int r = sqlite3_open_v2(path, ret, flags | SQLITE_OPEN_NOMUTEX, NULL);

	if (r == SQLITE_OK)
		r = sqlite3_busy_timeout(*ret, BUSY_MS);
	return schema_errno(r);
}

int schema_open(const char *path, sqlite3 **ret)
{
	_cleanup_(schema_close_ptr) sqlite3 *db = NULL;
	int r = open_database(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db);

	if (!r)
		r = set_up(db);
	if (r)
		return r;
	*ret = TAKE_PTR(db);
	return 0;
}

int schema_open_read(const char *path, sqlite3 **ret)
{
	_cleanup_(schema_close_ptr) sqlite3 *db = NULL;
	int64_t version = 0;
	int r = open_database(path, SQLITE_OPEN_READONLY, &db);

	if (!r)
		r = schema_get(db, "PRAGMA user_version", &version);
	if (!r && version != schema_version())
		r = -ESTALE;
	if (r)
		return r;
	*ret = TAKE_PTR(db);
	return 0;
}
