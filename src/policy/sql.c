#include "policy/sql.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"

#define MAX_NESTING 4  /* of code in strings: DO, EXECUTE */
#define MAX_PARENS  64 /* deeper ones count as one */

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_NUMBER,
	TOKEN_STRING, /* its text is without the quotes */
	TOKEN_NAME,   /* a quoted identifier */
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_SEMICOLON,
	TOKEN_OTHER,
};

struct token {
	enum token_kind kind;
	const char *s;
	size_t len;
};

struct lexer {
	const char *p, *end;
	bool mysql;	 /* its reading: backslashes escape in strings, # begins a comment */
	bool dashes;	 /* -- begins a comment only where a blank follows */
	bool wide;	 /* a byte of GBK and its like takes the next one, were it a backslash */
	bool comments;	 /* those of a version above the server's, which are no code */
	bool any_number; /* each number stands for any: what may be destructive is */
	bool executable; /* inside of MySQL's comment that is code */
	bool open;	 /* a quote or comment was not closed */
	bool line_start;
};

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

/* MySQL runs what stands in a comment that begins with ! and a version, MariaDB with M! as well. */
static bool starts_executable(const struct lexer *l)
{
	return !l->comments && (starts(l, "/*!") || starts(l, "/*M!"));
}

static void enter_executable(struct lexer *l)
{
	l->p += l->p[2] == 'M' ? 4 : 3;
	while (l->p < l->end && isdigit((unsigned char)*l->p))
		l->p++;
	l->executable = true;
}

/* Elsewhere than at the start of a line it may be an operator (#>) or a name (#temporary). */
static bool starts_hash_comment(const struct lexer *l)
{
	return starts(l, "#") && (l->line_start || l->dashes || (l->mysql && starts(l, "# ")));
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
	char quote = *l->p++;
	struct token t = { .kind = kind, .s = l->p };

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

static struct token next(struct lexer *l)
{
	struct token t = { .kind = TOKEN_END };
	bool line_start;

	skip_blank(l);
	line_start = l->line_start;
	l->line_start = false;
	if (l->p >= l->end)
		return t;
	if (*l->p == '\'')
		return take_quoted(l, TOKEN_STRING);
	if (*l->p == '"' || *l->p == '`')
		return take_quoted(l, TOKEN_NAME);
	if (*l->p == '$' && !l->dashes && take_dollar(l, &t)) /* to MySQL it is of a name */
		return t;
	if (is_word_byte((unsigned char)*l->p))
		return take_word(l);
	if (*l->p == '\\')
		return take_backslash(l, line_start);
	return take_mark(l);
}

static bool is_word(const struct token *t, const char *word)
{
	return t->kind == TOKEN_WORD && t->len == strlen(word) &&
	       strncasecmp(t->s, word, t->len) == 0;
}

static bool is_one_of(const struct token *t, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_word(t, words[i]))
			return true;
	return false;
}

/* --- conditions */

#define VALUE_MAX 32 /* bytes of a number */

/* What a condition is for the rows of a table. Of one whose numbers may be any it is a set. */
enum truth {
	ALWAYS = 1,
	NEVER = 2,
	BY_ROW = 4,
};

/* Conditions that AND and OR join, as far as they are read. */
struct condition {
	unsigned int any, all; /* sets of enum truth: the terms of OR, the factors of the last */
	bool negated, dotted;
	struct token terms[4]; /* of the last factor: a comparison, and an operator behind it */
	unsigned int count;    /* one more than there is room for: too many */
	unsigned int group;    /* of the one in parentheses */
};

static void condition_begin(struct condition *c)
{
	*c = (struct condition) { .any = NEVER, .all = ALWAYS };
}

static unsigned int negate(unsigned int set)
{
	return (set & BY_ROW) | (set & ALWAYS ? NEVER : 0) | (set & NEVER ? ALWAYS : 0);
}

static unsigned int both(unsigned int a, unsigned int b)
{
	unsigned int ret = (a | b) & NEVER;

	ret |= a & b & ALWAYS;
	if ((a | b) & BY_ROW && a & (ALWAYS | BY_ROW) && b & (ALWAYS | BY_ROW))
		ret |= BY_ROW;
	return ret;
}

static unsigned int either(unsigned int a, unsigned int b)
{
	return negate(both(negate(a), negate(b)));
}

static bool is_literal(const struct token *t)
{
	return t->kind == TOKEN_NUMBER || t->kind == TOKEN_STRING;
}

static bool is_name(const struct token *t)
{
	return t->kind == TOKEN_NAME || (t->kind == TOKEN_WORD && !is_word(t, "null"));
}

static bool number_of(const struct token *t, double *ret)
{
	char text[VALUE_MAX], *end;

	if (!t->len || t->len >= sizeof(text) || !isdigit((unsigned char)*t->s))
		return false;
	memcpy(text, t->s, t->len);
	text[t->len] = '\0';
	*ret = strtod(text, &end);
	return !*end;
}

static int compare_texts(const struct token *a, const struct token *b)
{
	int r = memcmp(a->s, b->s, MIN(a->len, b->len));

	return r ?: (a->len > b->len) - (a->len < b->len);
}

/* Negative, 0 or positive; false: it depends on the row. */
static bool compare(const struct token *a, const struct token *b, int *ret)
{
	double x, y;

	if (is_name(a) && a->kind == b->kind && a->len == b->len &&
	    (a->kind == TOKEN_WORD ? strncasecmp(a->s, b->s, a->len)
				   : memcmp(a->s, b->s, a->len)) == 0)
		*ret = 0;
	else if (a->kind == TOKEN_STRING && b->kind == TOKEN_STRING)
		*ret = compare_texts(a, b);
	else if (is_literal(a) && is_literal(b) && number_of(a, &x) && number_of(b, &y))
		*ret = (x > y) - (x < y);
	else
		return false;
	return true;
}

static bool is_operator(const struct token *t, const char *op)
{
	return t->kind == TOKEN_OTHER && t->len == strlen(op) && !memcmp(t->s, op, t->len);
}

/* A comparison of literals, or of a column with itself (but for its NULLs). */
static unsigned int truth_of_comparison(const struct token *terms, bool any_number)
{
	static const struct {
		const char *name;
		bool less, equal, greater;
	} operators[] = {
		{ "=", false, true, false },   { "==", false, true, false },
		{ "<=>", false, true, false }, { "<>", true, false, true },
		{ "!=", true, false, true },   { "<", true, false, false },
		{ "<=", true, true, false },   { ">", false, false, true },
		{ ">=", false, true, true },
	};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		if (!is_operator(&terms[1], operators[i].name))
			continue;
		if (any_number && is_literal(&terms[0]) && is_literal(&terms[2]))
			return ALWAYS | NEVER;
		if (!compare(&terms[0], &terms[2], &r))
			return BY_ROW;
		return (r < 0	? operators[i].less
			: r > 0 ? operators[i].greater
				: operators[i].equal)
			       ? ALWAYS
			       : NEVER;
	}
	return BY_ROW;
}

static unsigned int truth_of_value(const struct token *t, bool any_number)
{
	double x;

	if (is_literal(t) && any_number)
		return ALWAYS | NEVER;
	if (is_word(t, "true"))
		return ALWAYS;
	if (is_word(t, "false"))
		return NEVER;
	return is_literal(t) && number_of(t, &x) ? (x != 0 ? ALWAYS : NEVER) : BY_ROW;
}

static void end_factor(struct condition *c, bool any_number)
{
	unsigned int truth = BY_ROW;

	if (c->count == 1 && c->terms[0].kind == TOKEN_OPEN)
		truth = c->group;
	else if (c->count == 1)
		truth = truth_of_value(&c->terms[0], any_number);
	else if (c->count == 3)
		truth = truth_of_comparison(c->terms, any_number);
	c->all = both(c->all, c->negated ? negate(truth) : truth);
	c->negated = c->dotted = false;
	c->count = 0;
}

static unsigned int condition_truth(struct condition *c, bool any_number)
{
	end_factor(c, any_number);
	c->any = either(c->any, c->all);
	c->all = ALWAYS;
	return c->any;
}

/* Parts of an operator, and of a name or number with points. */
static bool continues(const struct condition *c, const struct token *t)
{
	static const char marks[] = "=<>!&|";
	const struct token *last;

	if (!c->count || c->count > ARRAY_SIZE(c->terms))
		return false;
	last = &c->terms[c->count - 1];
	return c->dotted || is_operator(t, ".") ||
	       (last->kind == TOKEN_OTHER && t->kind == TOKEN_OTHER &&
		last->s + last->len == t->s && strchr(marks, *last->s) && strchr(marks, *t->s));
}

static void push_term(struct condition *c, const struct token *t)
{
	if (continues(c, t)) {
		struct token *last = &c->terms[c->count - 1];

		last->len = (size_t)(t->s + t->len - last->s);
	} else if (c->count < ARRAY_SIZE(c->terms)) {
		c->terms[c->count++] = *t;
	} else {
		c->count = ARRAY_SIZE(c->terms) + 1;
	}
	c->dotted = is_operator(t, ".");
}

/* An operator is whole when what follows it comes. */
static bool ends_as(const struct condition *c, const char *op)
{
	return c->count > 1 && c->count <= ARRAY_SIZE(c->terms) &&
	       is_operator(&c->terms[c->count - 1], op);
}

/* To MySQL && and || join conditions. */
static void end_joint(struct condition *c, bool any_number)
{
	bool is_or = ends_as(c, "||");

	if (!is_or && !ends_as(c, "&&"))
		return;
	c->count--;
	if (is_or)
		condition_truth(c, any_number);
	else
		end_factor(c, any_number);
}

static void take_term(struct condition *c, const struct token *t, const struct lexer *l)
{
	if (l->mysql)
		end_joint(c, l->any_number);
	if (is_word(t, "or"))
		condition_truth(c, l->any_number);
	else if (is_word(t, "and"))
		end_factor(c, l->any_number);
	else if (is_word(t, "not") && !c->count)
		c->negated = !c->negated;
	else
		push_term(c, t);
}

/* --- statements */

enum where { WHERE_MISSING, WHERE_BEGUN, WHERE_ENDED };

/* What is known of the statement at one depth of parentheses. */
struct scope {
	bool begun;	 /* its first word has passed */
	bool all_rows;	 /* DELETE or UPDATE */
	bool named;	 /* something follows the verb */
	bool after_on;	 /* ON DELETE, ON UPDATE are no verbs */
	bool altering;	 /* ALTER */
	bool losing;	 /* TRUNCATE, just now */
	bool dropping;	 /* DROP, just now */
	bool unnamed;	 /* … INDEX, KEY or the like of ALTER, whose name must follow */
	bool harmless;	 /* EXPLAIN: nothing is run */
	bool runs_texts; /* DO, EXECUTE, PREPARE: strings are code */
	bool preparing;	 /* PREPARE: a statement follows AS */
	bool creating;	 /* CREATE */
	bool replacing;	 /* … OR REPLACE */
	bool group;	 /* of a condition: what is in its parentheses is one */
	enum where where;
	struct condition condition; /* what follows WHERE */
};

struct checker {
	struct lexer lexer;
	struct scope scopes[MAX_PARENS];
	unsigned int depth, nesting;
	bool found;
};

static bool is_destructive(const struct lexer *l, unsigned int nesting, bool *ret_open);

/* WHERE TRUE, WHERE 1 = 1 OR …: as good as none. */
static bool is_for_all_rows(struct scope *s, const struct lexer *l)
{
	if (s->where == WHERE_MISSING)
		return true;
	return condition_truth(&s->condition, l->any_number) & ALWAYS;
}

static void end_scope(struct checker *c)
{
	struct scope *s = &c->scopes[c->depth];

	if (s->unnamed || (s->all_rows && s->named && is_for_all_rows(s, &c->lexer)))
		c->found = true;
	*s = (struct scope) { 0 };
}

/* The first word of a statement, or of a query in parentheses. */
static void begin(struct checker *c, struct scope *s, const struct token *t)
{
	static const char *const passing[] = { "begin", "then", "else", "loop", "declare" };

	if (is_one_of(t, passing, ARRAY_SIZE(passing)))
		return;
	/* EXPLAIN (ANALYZE, …) */
	if (c->depth > 0 && s[-1].harmless && is_word(t, "analyze"))
		s[-1] = (struct scope) { 0 };
	s->begun = true;
	s->harmless = is_word(t, "explain") || is_word(t, "describe");
	s->altering = is_word(t, "alter");
	s->preparing = is_word(t, "prepare");
	s->creating = is_word(t, "create");
	s->runs_texts |=
		is_word(t, "do") || is_word(t, "execute") || is_word(t, "exec") || s->preparing;
	s->all_rows = is_word(t, "delete") || is_word(t, "update");
	/* DROP( and TRUNCATE( in parentheses are columns and functions */
	s->dropping = c->depth == 0 && is_word(t, "drop");
	s->losing = c->depth == 0 && is_word(t, "truncate");
}

/* A word that is not the first. */
static void follow(struct scope *s, const struct token *t)
{
	if (s->harmless && is_word(t, "analyze")) {
		*s = (struct scope) { 0 };
		return;
	}
	if (s->preparing && is_word(t, "as")) {
		*s = (struct scope) { 0 };
		return;
	}
	if (s->all_rows && is_word(t, "where") && s->where == WHERE_MISSING) {
		s->where = WHERE_BEGUN;
		condition_begin(&s->condition);
	}
	/* what is replaced is lost; of a function or a view that is no data */
	s->replacing |= s->creating && is_word(t, "replace");
	s->dropping = s->altering && is_word(t, "drop");
	s->losing =
		(s->altering && is_word(t, "truncate")) || (s->replacing && is_word(t, "table"));
	/* ClickHouse deletes by ALTER TABLE … DELETE WHERE */
	if (s->altering && !s->after_on && (is_word(t, "delete") || is_word(t, "update"))) {
		s->altering = false;
		s->all_rows = true;
	}
	s->after_on = is_word(t, "on");
}

/* What DROP takes away holds no data. Columns may have the names of some of these. */
static bool is_attribute(const struct token *t)
{
	static const char *const words[] = { "not", "default", "identity", "expression" };

	return is_one_of(t, words, ARRAY_SIZE(words));
}

static bool is_key(const struct token *t)
{
	static const char *const words[] = { "index",	"key",	   "constraint",
					     "primary", "foreign", "check" };

	return is_one_of(t, words, ARRAY_SIZE(words));
}

/* What follows DROP. */
static void check_dropped(struct checker *c, struct scope *s, const struct token *t)
{
	if (s->altering && is_key(t))
		s->unnamed = true;
	else if (!is_word(t, "index") && !(s->altering && is_attribute(t)))
		c->found = true;
}

/* … and then KEY or the like: a name, or it was one itself. */
static bool is_key_name(const struct token *t)
{
	static const char *const behind[] = { "cascade", "restrict" };

	return (t->kind == TOKEN_WORD || t->kind == TOKEN_NAME) &&
	       !is_one_of(t, behind, ARRAY_SIZE(behind));
}

static void check_text(struct checker *c, const struct token *t)
{
	struct lexer inner = { .p = t->s,
			       .end = t->s + t->len,
			       .mysql = c->lexer.mysql,
			       .dashes = c->lexer.dashes,
			       .any_number = c->lexer.any_number,
			       .line_start = true };
	bool open;

	if (c->nesting < MAX_NESTING && is_destructive(&inner, c->nesting + 1, &open))
		c->found = true;
}

/* Of what is in parentheses in a condition, a query is none. */
static void check_group(struct scope *s, const struct token *t)
{
	static const char *const verbs[] = { "select", "with", "values", "table" };

	if (s->group && s->where == WHERE_BEGUN && !s->condition.count && !s->condition.negated &&
	    is_one_of(t, verbs, ARRAY_SIZE(verbs)))
		s->where = WHERE_MISSING;
}

/* What may follow a condition. */
static bool ends_where(const struct scope *s, const struct token *t)
{
	static const char *const words[] = { "returning", "order", "limit", "settings", "option" };

	return !s->group && is_one_of(t, words, ARRAY_SIZE(words));
}

static void check_word(struct checker *c, struct scope *s, const struct token *t)
{
	if (s->where == WHERE_BEGUN && ends_where(s, t))
		s->where = WHERE_ENDED;
	else if (s->where == WHERE_BEGUN)
		take_term(&s->condition, t, &c->lexer);
	else if (t->kind == TOKEN_WORD && !s->begun)
		begin(c, s, t);
	else if (t->kind == TOKEN_WORD)
		follow(s, t);
	else
		s->begun = true;
}

static void check_token(struct checker *c, const struct token *t)
{
	struct scope *s = &c->scopes[c->depth];

	c->found |= s->losing || (s->unnamed && !is_key_name(t));
	s->unnamed = false;
	if (s->dropping)
		check_dropped(c, s, t);
	s->dropping = s->losing = false;
	s->named |= s->all_rows;
	if (t->kind == TOKEN_STRING && s->runs_texts)
		check_text(c, t);
	check_group(s, t);
	check_word(c, s, t);
}

static void open_parens(struct checker *c)
{
	struct scope *s = &c->scopes[c->depth], *inner = s + 1;

	if (c->depth + 1 == MAX_PARENS)
		return;
	*inner = (struct scope) { .runs_texts = s->runs_texts, .group = s->where == WHERE_BEGUN };
	if (inner->group) {
		inner->where = WHERE_BEGUN;
		condition_begin(&inner->condition);
	}
	c->depth++;
}

/* What was in parentheses in a condition: another one, or one value. */
static void close_group(struct checker *c, struct scope *outer, struct scope *s)
{
	static const struct token open = { .kind = TOKEN_OPEN, .s = "(", .len = 1 };
	struct condition *in = &s->condition, *to = &outer->condition;
	bool whole = s->where != WHERE_MISSING;
	bool value = whole && in->count == 1 && in->any == NEVER && in->all == ALWAYS &&
		     !in->negated && in->terms[0].kind != TOKEN_OPEN;
	struct token t = value ? in->terms[0] : open;

	to->group = whole ? condition_truth(in, c->lexer.any_number) : BY_ROW;
	to->dotted = false;
	take_term(to, &t, &c->lexer);
}

static void close_parens(struct checker *c)
{
	struct scope *s = &c->scopes[c->depth];

	if (c->depth > 0 && s->group)
		close_group(c, s - 1, s);
	end_scope(c);
	if (c->depth > 0)
		c->depth--;
}

/* What follows the common table expressions of WITH is a statement of its own. */
static void check_with(struct checker *c, const struct token *t)
{
	struct scope *s = &c->scopes[c->depth];

	if (s->begun && !s->all_rows && !s->altering && !s->harmless && !s->runs_texts &&
	    (is_word(t, "delete") || is_word(t, "update")))
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

static bool is_destructive(const struct lexer *l, unsigned int nesting, bool *ret_open)
{
	struct checker c = { .lexer = *l, .nesting = nesting };
	bool after_close = false;

	for (;;) {
		struct token t = next(&c.lexer);

		if (after_close)
			check_with(&c, &t);
		after_close = t.kind == TOKEN_CLOSE;
		if (t.kind == TOKEN_OPEN || t.kind == TOKEN_CLOSE || t.kind == TOKEN_SEMICOLON ||
		    t.kind == TOKEN_END)
			check_mark(&c, &t);
		else
			check_token(&c, &t);
		if (t.kind == TOKEN_END)
			break;
	}
	*ret_open = c.lexer.open;
	return c.found;
}

static bool has_wide_backslash(const struct lexer *l)
{
	for (const char *p = l->p; p + 1 < l->end; p++)
		if ((unsigned char)p[0] > 0x80 && p[1] == '\\')
			return true;
	return false;
}

/* Which version the server has, and which set of characters it was told, nobody knows. */
static bool is_destructive_to_some(const struct lexer *mysql)
{
	struct lexer comments = *mysql, wide = *mysql;
	bool open, found;

	comments.comments = true;
	if (is_destructive(&comments, 0, &open))
		return true;
	wide.wide = true;
	found = has_wide_backslash(mysql) && is_destructive(&wide, 0, &open);
	return found && !open;
}

bool sql_is_destructive(const char *text, size_t len, enum sql_dialect dialect)
{
	struct lexer l = { .p = text, .end = text + len, .line_start = true };
	bool open_plain, open_escaped, plain, escaped;

	plain = is_destructive(&l, 0, &open_plain);
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
	struct lexer l = { .p = text, .end = text + len, .any_number = true, .line_start = true };
	bool found, open;

	found = is_destructive(&l, 0, &open);
	l.mysql = true;
	found |= is_destructive(&l, 0, &open);
	l.dashes = true;
	return found || is_destructive(&l, 0, &open) || is_destructive_to_some(&l);
}

/* --- what only reads */

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

	return is_one_of(t, verbs, ARRAY_SIZE(verbs));
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
	return is_one_of(t, words, ARRAY_SIZE(words));
}

static bool only_reads(const char *text, size_t len, bool mysql)
{
	struct lexer l = { text, text + len, .mysql = mysql, .line_start = true };
	bool begun = false;

	for (;;) {
		struct token t = next(&l);

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
