/* Does a text of SQL destroy data? A lexer for what the dialects share, no grammar. */
#ifndef POLICY_SQL_H
#define POLICY_SQL_H

#include <stdbool.h>
#include <stddef.h>

enum sql_dialect {
	SQL_ANY, /* nobody knows: each reading counts that leaves no quote open */
	SQL_MYSQL,
	SQL_SQLITE, /* and lines with a dot between statements are its client's */
	SQL_MSSQL,  /* Transact-SQL, as sqlcmd sends it */
};

/* One of its statements is a DROP, a TRUNCATE, an ALTER … DROP (of an index or a constraint none of
 * them), or a DELETE or UPDATE of all rows: with no condition, or one that each row meets, as it is
 * computed, or as `id` and `rowid` number rows from 1. So is a
 * MERGE … THEN DELETE whose ON each row meets, and to MySQL what it prepares from a text that is
 * not known. Comments, strings and quoted names count for nothing. */
bool sql_is_destructive(const char *text, size_t len, enum sql_dialect dialect);

/* Would it be in any dialect, if its literals were others? */
bool sql_may_be_destructive(const char *text, size_t len);

/* Does it only read? Each statement is one of those that do, none of their words writes, and
 * nothing is left open. What is doubtful does not. */
bool sql_only_reads(const char *text, size_t len);

#endif
