#include "policy/sql.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"
#include "policy/sql_condition.h"
#include "policy/sql_prepared.h"

#define MAX_NESTING  4	/* of code in strings: DO, EXECUTE */
#define MAX_PARENS   64 /* deeper ones count as one */
#define MAX_VERSIONS 32 /* of servers, to which comments are code: no dump has as many */

/* What is known of the statement at one depth of parentheses. */
struct scope {
	bool begun;		/* its first word has passed */
	bool all_rows;		/* DELETE or UPDATE */
	bool named;		/* something follows the verb */
	bool after_on;		/* ON DELETE, ON UPDATE are no verbs */
	bool altering;		/* ALTER */
	bool losing;		/* TRUNCATE, just now */
	bool dropping;		/* DROP, just now */
	bool unnamed;		/* … INDEX, KEY or the like of ALTER, whose name must follow */
	bool harmless;		/* EXPLAIN: nothing is run */
	bool analyzing;		/* EXPLAIN ANALYZE, or MariaDB's ANALYZE: what follows is run */
	bool first;		/* its first word has just passed: a label, where a colon follows */
	bool compound;		/* IF, WHILE and the like: statements follow THEN, DO, LOOP */
	bool runs_texts;	/* DO, EXECUTE, PREPARE: strings are code */
	bool preparing;		/* PREPARE: a statement follows AS */
	bool selecting;		/* SELECT */
	bool assigning;		/* SET, DECLARE, SELECT … INTO, :=: a variable gets its strings */
	bool handler;		/* DECLARE … HANDLER */
	bool handling;		/* … FOR: behind its conditions a statement follows */
	bool colon;		/* :, just now */
	bool code;		/* one of its strings is destructive code */
	bool remote;		/* a function that runs its strings elsewhere, just now */
	bool creating;		/* CREATE */
	bool routine;		/* … PROCEDURE, FUNCTION, TRIGGER, or ALTER of one */
	bool granting;		/* GRANT, DENY, REVOKE */
	bool replacing;		/* … OR REPLACE */
	bool merging;		/* MERGE */
	bool all_merged;	/* … each row, by WHEN */
	bool then;		/* … THEN, just now */
	unsigned int condition; /* WHERE, or MERGE's ON: a set of enum truth; 0: there is none */
};

struct checker {
	struct lexer lexer;
	struct scope scopes[MAX_PARENS];
	struct token last;
	unsigned int depth, nesting;
	bool assigned; /* destructive code to a variable */
	bool executed; /* a variable, perhaps */
	bool found;
	const char *condition_end; /* all before it was read as one */
	struct prepared prepared;
};

static bool is_destructive(const struct lexer *l, unsigned int nesting, bool *ret_open);

static unsigned int read_condition(struct checker *c)
{
	return condition_truth(&c->lexer, &c->condition_end);
}

/* WHERE TRUE, WHERE 1 = 1 OR …: as good as none. */
static bool is_for_all_rows(const struct scope *s)
{
	return !s->condition || s->condition & ALWAYS;
}

static void end_scope(struct checker *c)
{
	struct scope *s = &c->scopes[c->depth];

	if (s->unnamed || (s->all_rows && s->named && is_for_all_rows(s)))
		c->found = true;
	c->assigned |= s->assigning && s->code;
	if (c->depth > 0)
		s[-1].code |= s->code;
	*s = (struct scope) { 0 };
}

/* To SQL Server the name of a procedure is a statement; those of its own run strings. */
static bool is_procedure(const struct checker *c, const struct token *t)
{
	return c->lexer.mssql && t->len > 3 && strncasecmp(t->s, "sp_", 3) == 0;
}

/* ANALYZE VERBOSE, ANALYZE FORMAT = JSON */
static bool is_analyzed(struct scope *s, const struct token *t)
{
	static const char *const options[] = { "verbose", "format", "json", "tree", "traditional" };

	s->analyzing = sql_is_word(t, "analyze") ||
		       (s->analyzing && sql_is_one_of(t, options, ARRAY_SIZE(options)));
	return s->analyzing;
}

/* The first word of a statement, or of a query in parentheses. */
static void begin(struct checker *c, struct scope *s, const struct token *t)
{
	static const char *const passing[] = { "begin", "not",	"atomic",  "then",
					       "else",	"loop", "declare", "repeat" };
	static const char *const compound[] = { "if",	 "elseif", "elsif",   "case",	  "when",
						"while", "for",	   "foreach", "exception" };
	static const char *const granting[] = { "grant", "deny", "revoke" };
	bool executes = sql_is_word(t, "execute") || sql_is_word(t, "exec") ||
			sql_is_word(t, "prepare") || is_procedure(c, t);

	s->assigning |= sql_is_word(t, "declare") || sql_is_word(t, "set");
	/* EXPLAIN (ANALYZE, …) */
	if (c->depth > 0 && s[-1].harmless && sql_is_word(t, "analyze"))
		s[-1] = (struct scope) { 0 };
	if (sql_is_one_of(t, passing, ARRAY_SIZE(passing)) || is_analyzed(s, t))
		return;
	s->begun = s->first = true;
	s->handler = s->handling = false;
	s->compound = c->depth == 0 && sql_is_one_of(t, compound, ARRAY_SIZE(compound));
	s->harmless = sql_is_word(t, "explain") || sql_is_word(t, "describe");
	s->altering = sql_is_word(t, "alter");
	s->preparing = sql_is_word(t, "prepare");
	s->creating = sql_is_word(t, "create");
	s->granting = sql_is_one_of(t, granting, ARRAY_SIZE(granting));
	s->merging = sql_is_word(t, "merge");
	s->selecting |= sql_is_word(t, "select");
	c->executed |= executes;
	s->runs_texts |= sql_is_word(t, "do") || executes;
	s->all_rows = sql_is_word(t, "delete") || sql_is_word(t, "update");
	/* DROP( and TRUNCATE( in parentheses are columns and functions */
	s->dropping = c->depth == 0 && sql_is_word(t, "drop");
	s->losing = c->depth == 0 && sql_is_word(t, "truncate");
}

/* Behind the conditions of DECLARE … HANDLER FOR. */
static bool is_handled(const struct scope *s, const struct token *t)
{
	static const char *const verbs[] = { "alter", "begin",	  "case",   "create",  "delete",
					     "drop",  "execute",  "for",    "if",      "loop",
					     "merge", "prepare",  "repeat", "replace", "select",
					     "set",   "truncate", "update", "while",   "with" };

	return s->handling && sql_is_one_of(t, verbs, ARRAY_SIZE(verbs));
}

static bool begins_another(const struct scope *s, const struct token *t)
{
	static const char *const words[] = { "then", "do", "loop" };

	return (s->compound && sql_is_one_of(t, words, ARRAY_SIZE(words))) ||
	       (s->preparing && sql_is_word(t, "as"));
}

static bool is_routine(const struct token *t)
{
	static const char *const words[] = { "proc", "procedure", "function", "trigger" };

	return sql_is_one_of(t, words, ARRAY_SIZE(words));
}

/* A word that is not the first. */
static void follow(struct checker *c, struct scope *s, const struct token *t)
{
	if ((s->harmless && sql_is_word(t, "analyze")) || begins_another(s, t)) {
		*s = (struct scope) { .analyzing = s->harmless };
		return;
	}
	if (s->all_rows && sql_is_word(t, "where") && !s->condition)
		s->condition = read_condition(c);
	/* a table of that name would stand in brackets */
	if (c->lexer.mssql && sql_is_word(&c->last, "update") && sql_is_word(t, "statistics"))
		s->all_rows = false;
	s->granting &= !sql_is_word(t, "to") && !sql_is_word(t, "from");
	s->routine |= (s->creating || s->altering) && is_routine(t);
	s->assigning |= s->selecting && sql_is_word(t, "into");
	s->handling |= s->handler && sql_is_word(t, "for");
	s->handler |= s->assigning && sql_is_word(t, "handler");
	/* what is replaced is lost; of a function or a view that is no data */
	s->replacing |= s->creating && sql_is_word(t, "replace");
	s->dropping = s->altering && sql_is_word(t, "drop");
	s->losing = (s->altering && sql_is_word(t, "truncate")) ||
		    (s->replacing && sql_is_word(t, "table"));
	/* MySQL's removes the table's file; a column of that name is followed by its type */
	c->found |= s->altering && sql_is_word(&c->last, "discard") &&
		    (sql_is_word(t, "tablespace") || sql_is_word(t, "partition"));
	/* ALTER DEFAULT PRIVILEGES … GRANT DELETE */
	s->altering &= !sql_is_word(t, "default") || !sql_is_word(&c->last, "alter");
	/* ClickHouse deletes by ALTER TABLE … DELETE WHERE */
	if (s->altering && !s->after_on && (sql_is_word(t, "delete") || sql_is_word(t, "update"))) {
		s->altering = false;
		s->all_rows = true;
	}
	s->after_on = sql_is_word(t, "on");
}

/* What DROP takes away holds no data. Columns may have the names of some of these. */
static bool is_attribute(const struct token *t)
{
	static const char *const words[] = { "not", "default", "identity", "expression" };

	return sql_is_one_of(t, words, ARRAY_SIZE(words));
}

static bool is_key(const struct token *t)
{
	static const char *const words[] = { "index",	"key",	   "constraint",
					     "primary", "foreign", "check" };

	return sql_is_one_of(t, words, ARRAY_SIZE(words));
}

/* What follows DROP. */
static void check_dropped(struct checker *c, struct scope *s, const struct token *t)
{
	if (s->altering && is_key(t))
		s->unnamed = true;
	else if (!sql_is_word(t, "index") && !(s->altering && is_attribute(t)))
		c->found = true;
}

/* … and then KEY or the like: a name, or it was one itself. */
static bool is_key_name(const struct token *t)
{
	static const char *const behind[] = { "cascade", "restrict" };

	return (t->kind == TOKEN_WORD || t->kind == TOKEN_NAME) &&
	       !sql_is_one_of(t, behind, ARRAY_SIZE(behind));
}

/* Is it destructive code? */
static bool is_code(const struct checker *c, const struct token *t)
{
	struct lexer inner = { .p = t->s,
			       .end = t->s + t->len,
			       .mysql = c->lexer.mysql,
			       .mssql = c->lexer.mssql,
			       .dashes = c->lexer.dashes,
			       .any_number = c->lexer.any_number,
			       .server = c->lexer.server,
			       .version = c->lexer.version,
			       .line_start = true };
	bool open;

	return c->nesting < MAX_NESTING && is_destructive(&inner, c->nesting + 1, &open);
}

/* To MySQL double quotes are those of a string. */
static bool is_text(const struct checker *c, const struct token *t)
{
	return t->kind == TOKEN_STRING ||
	       (t->kind == TOKEN_NAME && (c->lexer.mysql || c->lexer.mssql) && t->s[-1] == '"');
}

static void check_text(struct checker *c, struct scope *s, const struct token *t)
{
	if (!is_text(c, t))
		return;
	if (s->runs_texts)
		c->found |= is_code(c, t);
	else if (s->assigning || s->selecting)
		s->code |= is_code(c, t);
}

/* := anywhere, or = behind the first word; to SQL Server whatever names a variable. */
static void check_assignment(const struct checker *c, struct scope *s, const struct token *t)
{
	s->assigning |= c->lexer.mssql && sql_is_operator(t, "@");
	s->assigning |= (s->first || s->colon) && sql_is_operator(t, "=");
	s->colon = sql_is_operator(t, ":");
}

/* Functions of PostgreSQL that have another server run their strings. */
static bool is_remote(const struct token *t)
{
	static const char prefix[] = "dblink";

	return (t->kind == TOKEN_WORD || t->kind == TOKEN_NAME) && t->len >= strlen(prefix) &&
	       strncasecmp(t->s, prefix, strlen(prefix)) == 0;
}

/* MERGE … ON … WHEN [NOT] MATCHED [BY SOURCE] [AND …] THEN DELETE. False where the word is none of
 * these. */
static bool check_merge(struct checker *c, struct scope *s, const struct token *t)
{
	bool then = s->then;

	s->then = sql_is_word(t, "then");
	if (sql_is_word(t, "when"))
		s->all_merged = s->condition & ALWAYS;
	else if (sql_is_word(t, "source"))
		s->all_merged = s->condition & NEVER;
	else if (then && sql_is_word(t, "delete"))
		c->found |= s->all_merged;
	else if (sql_is_word(t, "on") && !s->condition)
		s->condition = read_condition(c);
	else if (sql_is_word(t, "and"))
		s->all_merged &= read_condition(c) & ALWAYS;
	else
		return s->then;
	return true;
}

static void check_word(struct checker *c, struct scope *s, const struct token *t)
{
	bool labelled = s->first && sql_is_operator(t, ":");

	s->first = false;
	if (t->s < c->condition_end || (s->merging && check_merge(c, s, t)))
		return;
	if (labelled)
		s->begun = false;
	else if (t->kind == TOKEN_WORD && (!s->begun || is_handled(s, t)))
		begin(c, s, t);
	else if (t->kind == TOKEN_WORD)
		follow(c, s, t);
	else if (!s->analyzing)
		s->begun = true;
}

/* DROP TABLE and the like: no two words of anything else. */
static bool loses(const struct checker *c, const struct token *t)
{
	static const char *const verbs[] = { "drop", "truncate" };
	static const char *const things[] = { "table", "database", "schema" };
	struct lexer l = c->lexer;
	struct token next;

	if (!sql_is_one_of(t, verbs, ARRAY_SIZE(verbs)))
		return false;
	next = sql_next(&l);
	return sql_is_one_of(&next, things, ARRAY_SIZE(things));
}

/* Does another statement begin, though nothing ended this one? In Transact-SQL it may anywhere;
 * what follows its IF shows in each dialect that it is one. */
static bool is_next(const struct checker *c, const struct scope *s, const struct token *t)
{
	static const char *const listing[] = { "on", "or" }, *const locking[] = { "for", "of" };
	const struct token *last = &c->last;

	if (c->depth > 0 || s->merging || s->routine || s->harmless)
		return false;
	if (!sql_is_verb(&c->lexer, t))
		return s->compound && loses(c, t);
	if (sql_is_word(t, "if") || (sql_is_word(t, "set") && (s->all_rows || s->altering)))
		return false;
	if ((s->creating || s->altering) && sql_is_one_of(last, listing, ARRAY_SIZE(listing)))
		return false;
	if (s->altering && sql_is_word(t, "drop"))
		return false;
	return !sql_is_one_of(last, locking, ARRAY_SIZE(locking)) &&
	       (!s->granting || sql_is_word(t, "drop") || sql_is_word(t, "truncate"));
}

static void check_token(struct checker *c, const struct token *t)
{
	struct scope *s = &c->scopes[c->depth];

	if (is_next(c, s, t))
		end_scope(c);
	c->found |= s->losing || (s->unnamed && !is_key_name(t));
	s->unnamed = false;
	if (s->dropping)
		check_dropped(c, s, t);
	s->dropping = s->losing = false;
	s->named |= s->all_rows;
	s->remote = is_remote(t);
	check_text(c, s, t);
	check_assignment(c, s, t);
	check_word(c, s, t);
}

static void open_parens(struct checker *c)
{
	struct scope *s = &c->scopes[c->depth], *inner = s + 1;

	s->first = false;
	if (c->depth + 1 == MAX_PARENS)
		return;
	*inner = (struct scope) { .runs_texts = s->runs_texts || s->remote,
				  .assigning = s->assigning,
				  .selecting = s->selecting };
	c->depth++;
}

static void close_parens(struct checker *c)
{
	end_scope(c);
	if (c->depth > 0)
		c->depth--;
}

/* What follows the common table expressions of WITH is a statement of its own. */
static void check_with(struct checker *c, const struct token *t)
{
	static const char *const verbs[] = { "delete", "update", "merge" };
	struct scope *s = &c->scopes[c->depth];

	if (s->begun && !s->all_rows && !s->altering && !s->harmless && !s->runs_texts &&
	    sql_is_one_of(t, verbs, ARRAY_SIZE(verbs)))
		s->begun = false;
}

static void check_mark(struct checker *c, const struct token *t)
{
	if (t->kind == TOKEN_OPEN) {
		open_parens(c);
	} else if (t->kind == TOKEN_CLOSE) {
		close_parens(c);
	} else {
		while (c->depth > 0)
			close_parens(c);
		end_scope(c);
	}
}

static bool ends(const struct token *t)
{
	return t->kind == TOKEN_SEMICOLON || t->kind == TOKEN_END;
}

/* To MySQL what is prepared may be put together of pieces. */
static void check_prepared(struct checker *c, const struct token *t)
{
	struct prepared *p = &c->prepared;
	const struct token all = { TOKEN_STRING, strbuf_str(&p->text), p->text.len };

	if (!ends(t)) {
		prepared_take(p, t, is_text(c, t), &c->lexer);
		return;
	}
	if (p->runs)
		c->found |= is_code(c, &all);
	else if (p->known < p->count)
		c->assigned |= is_code(c, &all);
	c->found |= strbuf_error(&p->text) || prepared_end(p);
}

static bool is_destructive(const struct lexer *l, unsigned int nesting, bool *ret_open)
{
	struct checker c = { .lexer = *l, .nesting = nesting };
	bool after_close = false;

	for (;;) {
		struct token t = sql_next(&c.lexer);

		if (after_close)
			check_with(&c, &t);
		after_close = t.kind == TOKEN_CLOSE;
		if (c.lexer.dashes)
			check_prepared(&c, &t);
		if (t.kind == TOKEN_OPEN || t.kind == TOKEN_CLOSE || ends(&t))
			check_mark(&c, &t);
		else
			check_token(&c, &t);
		if (t.kind == TOKEN_END)
			break;
		c.last = t;
	}
	strbuf_free(&c.prepared.text);
	*ret_open = c.lexer.open;
	return c.found || (c.assigned && c.executed);
}

static bool has_wide_backslash(const struct lexer *l)
{
	for (const char *p = l->p; p + 1 < l->end; p++)
		if ((unsigned char)p[0] > 0x80 && p[1] == '\\')
			return true;
	return false;
}

static bool is_destructive_to_version(const struct lexer *mysql, unsigned int version)
{
	struct lexer l = *mysql;
	bool open;

	l.version = version;
	l.server = SERVER_MYSQL;
	if (is_destructive(&l, 0, &open))
		return true;
	l.server = SERVER_MARIADB;
	return is_destructive(&l, 0, &open);
}

/* Which server it is, of which version, and which set of characters it was told, nobody knows. */
static bool is_destructive_to_some(const struct lexer *mysql)
{
	unsigned int versions[MAX_VERSIONS];
	size_t count = sql_versions(mysql, versions, MAX_VERSIONS);
	struct lexer wide = *mysql;
	bool open, found;

	if (count > MAX_VERSIONS || (count && is_destructive_to_version(mysql, 0)))
		return true;
	for (size_t i = 0; i < count; i++)
		if (is_destructive_to_version(mysql, versions[i]))
			return true;
	wide.wide = true;
	found = has_wide_backslash(mysql) && is_destructive(&wide, 0, &open);
	return found && !open;
}

static bool has_executable(const struct lexer *l)
{
	return sql_versions(l, NULL, 0) > 0;
}

/* To a server to which all comments are none of its code. */
static bool is_destructive_without(const struct lexer *l)
{
	struct lexer without = *l;
	bool open, found;

	without.version = 0;
	found = has_executable(l) && is_destructive(&without, 0, &open);
	return found && !open;
}

/* To SQL Server backslashes escape nothing, and no comment is code. */
static bool is_destructive_to_mssql(const char *text, size_t len)
{
	const struct lexer l = { .p = text, .end = text + len, .mssql = true, .line_start = true };
	bool open;

	return is_destructive(&l, 0, &open);
}

/* Clients leave out a mark of UTF-8 before the first statement. */
static void skip_mark(const char **text, size_t *len)
{
	static const char mark[] = "\xef\xbb\xbf";
	size_t n = strlen(mark);

	if (*len < n || memcmp(*text, mark, n) != 0)
		return;
	*text += n;
	*len -= n;
}

bool sql_is_destructive(const char *text, size_t len, enum sql_dialect dialect)
{
	struct lexer l = { .version = UINT_MAX, .line_start = true };
	bool open_plain, open_escaped, plain, escaped;

	skip_mark(&text, &len);
	if (dialect == SQL_MSSQL)
		return is_destructive_to_mssql(text, len);
	l.p = text;
	l.end = text + len;
	l.dots = dialect == SQL_SQLITE;
	plain = is_destructive(&l, 0, &open_plain);
	if (dialect != SQL_MYSQL && is_destructive_without(&l))
		return true;
	l.mysql = true;
	l.dashes = dialect == SQL_MYSQL;
	escaped = is_destructive(&l, 0, &open_escaped);
	if (dialect == SQL_MYSQL)
		return escaped || is_destructive_to_some(&l);
	if (open_plain == open_escaped)
		return plain || escaped;
	return open_plain ? escaped : plain;
}

bool sql_may_be_destructive(const char *text, size_t len)
{
	struct lexer l = { .version = UINT_MAX, .any_number = true, .line_start = true };
	bool found, open;

	skip_mark(&text, &len);
	l.p = text;
	l.end = text + len;
	/* which of these are code hangs on their numbers */
	if (has_executable(&l))
		return true;
	found = is_destructive(&l, 0, &open);
	l.mysql = true;
	found |= is_destructive(&l, 0, &open);
	l.dashes = true;
	return found || is_destructive(&l, 0, &open) || is_destructive_to_some(&l);
}
