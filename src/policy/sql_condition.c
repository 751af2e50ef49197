#include "policy/sql_condition.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"

#define VALUE_MAX 32 /* bytes of a number */

void condition_begin(struct condition *c)
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
	return t->kind == TOKEN_NAME || (t->kind == TOKEN_WORD && !sql_is_word(t, "null"));
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
		if (!sql_is_operator(&terms[1], operators[i].name))
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
	if (sql_is_word(t, "true"))
		return ALWAYS;
	if (sql_is_word(t, "false"))
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

unsigned int condition_truth(struct condition *c, bool any_number)
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
	return c->dotted || sql_is_operator(t, ".") ||
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
	c->dotted = sql_is_operator(t, ".");
}

/* An operator is whole when what follows it comes. */
static bool ends_as(const struct condition *c, const char *op)
{
	return c->count > 1 && c->count <= ARRAY_SIZE(c->terms) &&
	       sql_is_operator(&c->terms[c->count - 1], op);
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

void condition_take(struct condition *c, const struct token *t, const struct lexer *l)
{
	if (l->mysql)
		end_joint(c, l->any_number);
	if (sql_is_word(t, "or"))
		condition_truth(c, l->any_number);
	else if (sql_is_word(t, "and"))
		end_factor(c, l->any_number);
	else if (sql_is_word(t, "not") && !c->count)
		c->negated = !c->negated;
	else
		push_term(c, t);
}
