#include "policy/sql_prepared.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"

/* A whole word that a statement begins with: what comes behind it may be of pieces. */
static bool begins_statement(const struct token *text)
{
	static const char *const verbs[] = { "alter",  "analyze",  "call",   "create", "delete",
					     "do",     "drop",	   "grant",  "insert", "optimize",
					     "rename", "replace",  "revoke", "select", "set",
					     "show",   "truncate", "update", "with" };
	const char *end = text->s + text->len;
	struct token word = { .kind = TOKEN_WORD, .s = text->s };

	while (word.s < end && isspace((unsigned char)*word.s))
		word.s++;
	while (word.s + word.len < end && isalpha((unsigned char)word.s[word.len]))
		word.len++;
	return word.s + word.len < end && isspace((unsigned char)word.s[word.len]) &&
	       sql_is_one_of(&word, verbs, ARRAY_SIZE(verbs));
}

/* Functions and literals whose text is another than what stands there. */
static bool decodes(const struct token *t, const struct lexer *behind)
{
	static const char *const names[] = { "unhex",	    "char",    "chr",
					     "from_base64", "reverse", "uncompress" };
	bool quoted = behind->p < behind->end && *behind->p == '\'';

	return sql_is_one_of(t, names, ARRAY_SIZE(names)) || sql_is_operator(t, "?") ||
	       (quoted && (sql_is_word(t, "x") || sql_is_word(t, "b"))) ||
	       (t->kind == TOKEN_NUMBER && t->len > 1 && tolower((unsigned char)t->s[1]) == 'x');
}

static bool is_name(const struct token *t)
{
	return t->kind == TOKEN_WORD || t->kind == TOKEN_NAME;
}

/* The variable behind @, if no more than that is there. */
static void take_operand(struct prepared *p, const struct lexer *behind)
{
	struct lexer l = *behind;
	struct token mark = sql_next(&l), name = sql_next(&l), next = sql_next(&l);

	p->runs = true;
	p->operand = (struct token) { 0 };
	if (sql_is_operator(&mark, "@") && is_name(&name) &&
	    (next.kind == TOKEN_END || next.kind == TOKEN_SEMICOLON || sql_is_word(&next, "using")))
		p->operand = name;
}

/* PREPARE name FROM, EXECUTE IMMEDIATE. */
static void check_run(struct prepared *p, const struct token *t, const struct lexer *behind)
{
	struct lexer l = *behind;
	struct token next;

	if (!sql_is_word(t, "prepare") && !sql_is_word(t, "execute"))
		return;
	next = sql_next(&l);
	if (sql_is_word(t, "prepare"))
		next = sql_next(&l);
	if (sql_is_word(&next, sql_is_word(t, "prepare") ? "from" : "immediate"))
		take_operand(p, &l);
}

static void assign(struct prepared *p, const struct token *name)
{
	if (p->count == PREPARED_VARIABLES)
		return;
	p->variables[p->count++] = (struct sql_variable) { .name = *name };
}

/* @name = …, @name := …, INTO @name. */
static void check_assignment(struct prepared *p, const struct token *t, const struct lexer *behind)
{
	struct lexer l = *behind;
	struct token next = sql_next(&l), name = next;

	if (sql_is_word(t, "into") && sql_is_operator(&next, "@")) {
		name = sql_next(&l);
		assign(p, &name);
	} else if (sql_is_operator(t, "@") && is_name(&name)) {
		next = sql_next(&l);
		if (sql_is_operator(&next, ":") || sql_is_operator(&next, "="))
			assign(p, &name);
	}
}

void prepared_take(struct prepared *p, const struct token *t, bool is_text,
		   const struct lexer *behind)
{
	if (is_text) {
		p->verb |= begins_statement(t);
		strbuf_add(&p->text, t->s, t->len);
		return;
	}
	p->decoded |= decodes(t, behind);
	check_run(p, t, behind);
	check_assignment(p, t, behind);
}

/* The last assignment counts. */
static bool is_known(const struct prepared *p)
{
	for (unsigned int i = p->operand.s ? p->known : 0; i--;) {
		const struct sql_variable *v = &p->variables[i];

		if (v->name.len == p->operand.len &&
		    strncasecmp(v->name.s, p->operand.s, v->name.len) == 0)
			return v->known;
	}
	return !p->operand.s && p->verb && !p->decoded;
}

bool prepared_end(struct prepared *p)
{
	bool ret = p->runs && !is_known(p);

	for (; p->known < p->count; p->known++)
		p->variables[p->known].known = p->verb && !p->decoded;
	strbuf_reset(&p->text);
	p->verb = p->decoded = p->runs = false;
	return ret;
}
