/* Does a text of SQL only read? */
#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"
#include "policy/sql.h"
#include "policy/sql_lexer.h"

/* A client's own command, at its backslash: one that shows something, or ends a statement. */
static bool shows(const struct token *t, const char *end)
{
	char c = t->s + 1 < end ? t->s[1] : 0, after = t->s + 2 < end ? t->s[2] : 0;

	if (c == 'l')
		return !after || isspace((unsigned char)after) || after == '+';
	return c && strchr("dzxqt?G\\;", c);
}

static bool begins_reading(const struct token *t)
{
	static const char *const verbs[] = { "select", "show",	 "explain", "describe", "desc",
					     "with",   "values", "table",   "use",	"help" };

	return sql_is_one_of(t, verbs, ARRAY_SIZE(verbs));
}

/* Words that write, wherever they stand, and functions that do. */
static bool writes(const struct token *t)
{
	static const char *const words[] = {
		"insert",
		"update",
		"delete",
		"merge",
		"into",
		"call",
		"do",
		"execute",
		"exec",
		"drop",
		"truncate",
		"alter",
		"create",
		"grant",
		"revoke",
		"lock",
		"copy",
		"load",
		"outfile",
		"dumpfile",
		"nextval",
		"setval",
		"kill",
		"pg_terminate_backend",
		"pg_cancel_backend",
		"pg_reload_conf",
		"pg_rotate_logfile",
		"pg_switch_wal",
		"pg_promote",
		"set_config",
		"load_file",
		"sleep",
		"pg_sleep",
		"xp_cmdshell",
		"query_to_xml",
	};
	static const char *const functions[] = {
		"dblink",      "lo_",	      "pg_create_",	"pg_drop_", "pg_file_",
		"pg_logical_", "pg_advisory", "pg_replication", "sys_e"
	};

	if (t->kind != TOKEN_WORD)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (t->len >= strlen(functions[i]) &&
		    strncasecmp(t->s, functions[i], strlen(functions[i])) == 0)
			return true;
	return sql_is_one_of(t, words, ARRAY_SIZE(words));
}

static bool only_reads(const char *text, size_t len, bool mysql)
{
	struct lexer l = { text, text + len, .mysql = mysql, .version = UINT_MAX,
			   .line_start = true };
	bool begun = false;

	if (sql_versions(&l, NULL, 0))
		return false;
	for (;;) {
		struct token t = sql_next(&l);

		if (t.kind == TOKEN_END)
			return !l.open;
		if (t.s[0] == '\\' && (t.kind == TOKEN_SEMICOLON || t.kind == TOKEN_OTHER) &&
		    !shows(&t, l.end))
			return false;
		if (t.kind == TOKEN_SEMICOLON) {
			begun = false;
			continue;
		}
		if (writes(&t) || (!begun && t.kind != TOKEN_OPEN && !begins_reading(&t)))
			return false;
		begun |= t.kind != TOKEN_OPEN;
	}
}

bool sql_only_reads(const char *text, size_t len)
{
	return only_reads(text, len, false) && only_reads(text, len, true);
}
