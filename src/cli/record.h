/* What commands that ask the record have in common. */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include "base/strbuf.h"
#include "cli/filter.h"
#include "record/query.h"
#include "record/tree.h"

/* Where the record is that a command asks, as its options say. */
struct record_place {
	bool fleet; /* that of all hosts */
	const char *dir, *database;
};

/* `member` of `type` is one of these. */
#define RECORD_OPTIONS(type, member)                                                               \
	{ "fleet",                                                                                 \
	  0,                                                                                       \
	  OPTION_FLAG,                                                                             \
	  NULL,                                                                                    \
	  "of all hosts, as 'serve --fleet' keeps it",                                             \
	  offsetof(type, member.fleet) },                                                          \
		{ "database",                                                                      \
		  0,                                                                               \
		  OPTION_STRING,                                                                   \
		  "FILE",                                                                          \
		  "the recorder's (" DATABASE ")",                                                 \
		  offsetof(type, member.database) },                                               \
	{                                                                                          \
		"dir", 0, OPTION_STRING, "DIR", "the journal's directory (" JOURNAL_DIR ")",       \
			offsetof(type, member.dir)                                                 \
	}

const char *record_dir(const struct record_place *p);
/* A database is of the journal that stands beside it, unless both are named: NULL with a directory
 * alone. */
const char *record_database(const struct record_place *p);

/* Opens the recorder's database, or reads the whole journal where there is none; tells what the
 * database does not have yet. 0 or a negative errno, logged. */
int record_open(const char *command, const struct record_place *p, struct query **ret);
/* Warns of what an answer lacks because the journal does not have it any more. */
void record_tell_gone(const char *command, struct query *q);
/* 0 or a negative errno, logged. */
int record_find_session(const char *command, struct query *q, const char *name,
			struct tree_session *ret);

/* "denied (terraform.destroy, critical, by uid 0 (root))"; nothing where it was just let go. */
void record_add_outcome(struct strbuf *out, const struct tree_node *n);
/* "status 3, 1.2 s" */
void record_add_end(struct strbuf *out, const struct tree_node *n);
/* A command line as the journal has it, escaped when it was written: so many bytes of it. */
void record_add_command(struct strbuf *out, const char *command, size_t max);
void record_add_ms(struct strbuf *out, int64_t ms); /* "0.012 s" below ten seconds */

#endif
