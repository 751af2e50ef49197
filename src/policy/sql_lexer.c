#include "policy/sql_lexer.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"

static bool starts(const struct lexer *l, const char *s)
{
	size_t len = strlen(s);

	return (size_t)(l->end - l->p) >= len && memcmp(l->p, s, len) == 0;
}

static void skip_line(struct lexer *l)
{
	const char *eol = memchr(l->p, '\n', (size_t)(l->end - l->p));

	l->p = eol ? eol : l->end;
}

/* In PostgreSQL's reading they nest. */
static void skip_comment(struct lexer *l)
{
	unsigned int depth = 1;

	for (l->p += 2; l->p < l->end && depth; l->p++) {
		bool begins = !l->mysql && starts(l, "/*"), ends = starts(l, "*/");

		depth += begins;
		depth -= ends;
		l->p += begins || ends;
	}
	l->open |= depth > 0;
}

static bool starts_dash_comment(const struct lexer *l)
{
	return starts(l, "--") &&
	       (!l->dashes || l->p + 2 == l->end || isspace((unsigned char)l->p[2]) ||
		iscntrl((unsigned char)l->p[2]));
}

/* What a comment begins with that may be code, at least 1; 0 is none of these. */
static unsigned int version_of_comment(const struct lexer *l)
{
	const char *p = l->p + (starts(l, "/*M!") ? 4 : 3);
	unsigned int ret = 0;

	if (!starts(l, "/*!") && !starts(l, "/*M!"))
		return 0;
	for (unsigned int i = 0; i < 6 && p < l->end && isdigit((unsigned char)*p); i++)
		ret = ret * 10 + (unsigned int)(*p++ - '0');
	return MAX(ret, 1U);
}

/* MySQL runs what stands in a comment that begins with ! and a version, MariaDB with M! as well,
 * but for those of MySQL's versions from 5.7 on. */
static bool starts_executable(const struct lexer *l)
{
	unsigned int version = version_of_comment(l);

	if (!version || version > l->version)
		return false;
	if (starts(l, "/*M!"))
		return l->server != SERVER_MYSQL;
	return l->server != SERVER_MARIADB || version < 50700 || version > 99999;
}

static void enter_executable(struct lexer *l)
{
	l->p += l->p[2] == 'M' ? 4 : 3;
	while (l->p < l->end && isdigit((unsigned char)*l->p))
		l->p++;
	l->executable = true;
}

static bool has_version(const unsigned int *versions, size_t count, unsigned int version)
{
	for (size_t i = 0; i < count; i++)
		if (versions[i] == version)
			return true;
	return false;
}

size_t sql_versions(const struct lexer *l, unsigned int *ret, size_t room)
{
	struct lexer at = *l;
	size_t count = 0;

	while ((at.p = memmem(at.p, (size_t)(at.end - at.p), "/*", 2))) {
		unsigned int version = version_of_comment(&at);

		at.p += 2;
		if (!version || has_version(ret, count, version))
			continue;
		if (count == room)
			return room + 1;
		ret[count++] = version;
	}
	return count;
}

/* Elsewhere than at the start of a line it may be an operator (#>) or a name (#temporary). */
static bool starts_hash_comment(const struct lexer *l)
{
	return starts(l, "#") && !l->mssql &&
	       (l->line_start || l->dashes || (l->mysql && starts(l, "# ")));
}

/* Passes one comment or line of a client's own commands; false where there is none here. */
static bool skip_remark(struct lexer *l)
{
	if (starts_dash_comment(l) || starts_hash_comment(l)) {
		skip_line(l);
	} else if (starts_executable(l)) {
		enter_executable(l);
	} else if (starts(l, "/*")) {
		skip_comment(l);
	} else if (l->executable && starts(l, "*/")) {
		l->executable = false;
		l->p += 2;
	} else {
		return false;
	}
	return true;
}

static void skip_blank(struct lexer *l)
{
	while (l->p < l->end) {
		if (isspace((unsigned char)*l->p) || !*l->p) {
			l->line_start |= *l->p == '\n';
			l->p++;
		} else if (!skip_remark(l)) {
			return;
		}
	}
}

/* A quoted text; doubled quotes stand for themselves. */
static struct token take_quoted(struct lexer *l, enum token_kind kind)
{
	char quote = *l->p == '[' ? ']' : *l->p;
	struct token t = { .kind = kind, .s = ++l->p };

	for (; l->p < l->end; l->p++) {
		if (l->wide && (unsigned char)*l->p > 0x80 && l->p + 1 < l->end) {
			l->p++;
		} else if (l->mysql && quote != '`' && *l->p == '\\' && l->p + 1 < l->end) {
			l->p++;
		} else if (*l->p == quote) {
			if (l->p + 1 == l->end || l->p[1] != quote)
				break;
			l->p++;
		}
	}
	t.len = (size_t)(l->p - t.s);
	l->open |= l->p == l->end;
	l->p += l->p < l->end;
	return t;
}

static bool is_word_byte(unsigned char c)
{
	return isalnum(c) || c == '_' || c == '$' || c >= 0x80;
}

/* $tag$ … $tag$; false where the dollar begins none. */
static bool take_dollar(struct lexer *l, struct token *ret)
{
	const char *tag = l->p, *p = l->p + 1, *close;
	size_t len;

	while (p < l->end && *p != '$' && is_word_byte((unsigned char)*p))
		p++;
	if (p == l->end || *p != '$' || isdigit((unsigned char)tag[1]))
		return false;
	len = (size_t)(p + 1 - tag);
	close = memmem(p + 1, (size_t)(l->end - p - 1), tag, len);
	l->open |= !close;
	*ret = (struct token) { .kind = TOKEN_STRING, .s = p + 1 };
	ret->len = (size_t)((close ? close : l->end) - ret->s);
	l->p = close ? close + len : l->end;
	return true;
}

static struct token take_word(struct lexer *l)
{
	struct token t = { .kind = isdigit((unsigned char)*l->p) ? TOKEN_NUMBER : TOKEN_WORD,
			   .s = l->p };

	while (l->p < l->end && is_word_byte((unsigned char)*l->p))
		l->p++;
	t.len = (size_t)(l->p - t.s);
	return t;
}

/* A client's own command: \g and \G end a statement; a line that begins with one is not SQL. */
static struct token take_backslash(struct lexer *l, bool line_start)
{
	struct token t = { .kind = TOKEN_OTHER, .s = l->p, .len = 1 };
	char c = l->p + 1 < l->end ? l->p[1] : 0;

	if (c == 'g' || c == 'G' || c == ';' || c == '\\') {
		l->p += 2;
		t.kind = TOKEN_SEMICOLON;
	} else if (line_start) {
		const char *eol = memchr(l->p, '\n', (size_t)(l->end - l->p));
		const char *next = memmem(l->p, (size_t)(l->end - l->p), "\\\\", 2);

		l->p = next && (!eol || next < eol) ? next + 2 : eol ? eol : l->end;
		t.kind = TOKEN_SEMICOLON;
	} else {
		l->p++;
	}
	return t;
}

static struct token take_mark(struct lexer *l)
{
	struct token t = { .kind = TOKEN_OTHER, .s = l->p, .len = 1 };

	switch (*l->p++) {
	case '(':
		t.kind = TOKEN_OPEN;
		break;
	case ')':
		t.kind = TOKEN_CLOSE;
		break;
	case ';':
		t.kind = TOKEN_SEMICOLON;
		break;
	}
	return t;
}

/* What sqlcmd sends as a batch ends there. */
static bool is_go(const struct lexer *l, const struct token *t, bool line_start)
{
	return l->mssql && line_start && sql_is_word(t, "go");
}

static bool is_dot_command(const struct lexer *l, bool line_start)
{
	return l->dots && line_start && !l->within && *l->p == '.';
}

static struct token take_token(struct lexer *l)
{
	struct token t = { .kind = TOKEN_END };
	bool line_start;

	skip_blank(l);
	line_start = l->line_start;
	l->line_start = false;
	if (l->p >= l->end)
		return t;
	if (is_dot_command(l, line_start)) {
		skip_line(l);
		return (struct token) { .kind = TOKEN_SEMICOLON, .s = l->p };
	}
	if (*l->p == '\'')
		return take_quoted(l, TOKEN_STRING);
	if (*l->p == '"' || *l->p == '`' || (l->mssql && *l->p == '['))
		return take_quoted(l, TOKEN_NAME);
	/* to MySQL it is of a name */
	if (*l->p == '$' && !l->dashes && !l->mssql && take_dollar(l, &t))
		return t;
	if (is_word_byte((unsigned char)*l->p)) {
		t = take_word(l);
		t.kind = is_go(l, &t, line_start) ? TOKEN_SEMICOLON : t.kind;
		return t;
	}
	if (*l->p == '\\')
		return take_backslash(l, line_start);
	return take_mark(l);
}

struct token sql_next(struct lexer *l)
{
	struct token t = take_token(l);

	l->within = t.kind != TOKEN_SEMICOLON;
	return t;
}

bool sql_is_word(const struct token *t, const char *word)
{
	return t->kind == TOKEN_WORD && t->len == strlen(word) &&
	       strncasecmp(t->s, word, t->len) == 0;
}

bool sql_is_one_of(const struct token *t, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (sql_is_word(t, words[i]))
			return true;
	return false;
}

bool sql_is_verb(const struct lexer *l, const struct token *t)
{
	static const char *const verbs[] = { "alter",  "begin",	   "commit", "create", "declare",
					     "delete", "deny",	   "drop",   "exec",   "execute",
					     "grant",  "if",	   "insert", "merge",  "print",
					     "revoke", "rollback", "select", "set",    "truncate",
					     "update", "use",	   "while" };

	return l->mssql && sql_is_one_of(t, verbs, ARRAY_SIZE(verbs));
}

bool sql_is_operator(const struct token *t, const char *op)
{
	return t->kind == TOKEN_OTHER && t->len == strlen(op) && !memcmp(t->s, op, t->len);
}
