/* Which events are asked for: of a line of the journal, and as a statement to the database. */
#ifndef CLI_FILTER_H
#define CLI_FILTER_H

#include <jansson.h>

#include "guard/guard.h"
#include "record/query.h"

#define JOURNAL_DIR GUARD_STATE_DIR "/journal"
#define DATABASE    GUARD_STATE_DIR "/record/record.db"
/* What `serve --fleet` keeps of all hosts. */
#define FLEET_DIR      GUARD_STATE_DIR "/fleet/journal"
#define FLEET_DATABASE GUARD_STATE_DIR "/fleet/record.db"

struct filter {
	const char *session, *verdict, *kind, *agent;
	const char *signature;	    /* a glob */
	const char *program;	    /* a path, or a base name */
	const char *path;	    /* it, and all below */
	const char *host;	    /* an address that was connected to, or where it happened */
	int64_t since_ms, until_ms; /* 0: not asked for; until: not itself */
};

bool filter_wants(const struct filter *f, const json_t *event);
/* Segment, offset and length of the events in order; with `count` only the last so many. 0 or a
 * negative errno. */
int filter_prepare(const struct filter *f, struct query *q, unsigned int count, sqlite3_stmt **ret);

/* "2026-01-31", "2026-01-31 12:00", "2026-01-31 12:00:00" in local time, or "90s", "15m", "3h",
 * "2d" before now. 0 or -EINVAL. */
int filter_parse_time(const char *text, int64_t now_ms, int64_t *ret_ms);

#endif
