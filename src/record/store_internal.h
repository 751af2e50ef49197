/* What the files of the store share. */
#ifndef RECORD_STORE_INTERNAL_H
#define RECORD_STORE_INTERNAL_H

#include <sqlite3.h>

#include "base/map.h"
#include "record/hosts.h"
#include "record/store.h"

enum store_statement {
	PUT_NAME,
	PUT_SESSION,
	PUT_EXEC,
	PUT_EXIT,
	PUT_EVENT,
	PUT_INNER,
	PUT_NAMED,
	PUT_FINDING,
	PUT_COUNT,
	PUT_CURSOR,
	PUT_HOST,
	DROP_LINES,
	PUT_LINES,
	STORE_STATEMENTS,
};

struct store_session {
	int64_t id, host, machine, agent, user, began_ms, last_ms, events, findings, held, refused;
	bool changed;
	char name[];
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *statements[STORE_STATEMENTS];
	struct store_cursor committed, cursor;
	bool open;	     /* a transaction */
	struct map names;    /* hash of the text -> id, as a pointer */
	struct map sessions; /* hash of the name -> struct store_session */
	struct hosts hosts;
	int64_t name_count, session_count;
	int64_t counts[EVENT_KINDS];
	struct strbuf text;
};

uint64_t store_hash(const char *text, size_t len);
/* Of a session: `host` is what it is known by, its machine id or its name. */
uint64_t store_session_hash(struct slice name, struct slice host);
/* A session of that name, which has no number of the database's yet but the next. 0 or -ENOMEM. */
int store_add_session(struct store *s, struct slice name, uint64_t hash,
		      struct store_session **ret);
/* What changed of hosts into the database, and all of them from there. 0 or a negative errno. */
int store_write_hosts(struct store *s);
int store_load_hosts(struct store *s, sqlite3_stmt *rows);
extern const char store_hosts_sql[];
/* What the database has, into memory. 0 or a negative errno. */
int store_load(struct store *s);

/* The text of a string; valid until the next call. */
const char *store_text(struct store *s, struct slice from, size_t *ret_len);
int store_run(struct store *s, enum store_statement which); /* 0 or a negative errno */
/* The paths that the words of a finding's command stand for. 0 or a negative errno. */
int store_put_named(struct store *s, const struct event *e);

#endif
