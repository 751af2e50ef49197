/* What expressions come to. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy/sql_expression.h"
#include "base/util.h"

#define NUMBER_MAX 32 /* bytes of a number */

/* --- values */

struct value value_number(double n)
{
	return (struct value) { .kind = LINEAR, .constant = n };
}

struct value value_of_truth(unsigned int set)
{
	return (struct value) { .kind = TRUTH, .truth = set };
}

struct value value_part(struct span s)
{
	return (struct value) { .kind = LINEAR, .part = s, .factor = 1 };
}

bool value_read_number(const struct token *t, bool starts, double *ret)
{
	char text[NUMBER_MAX], *end;
	size_t len = starts ? MIN(t->len, sizeof(text) - 1) : t->len;

	if (!len || len >= sizeof(text) || (!starts && !isdigit((unsigned char)*t->s)))
		return false;
	memcpy(text, t->s, len);
	text[len] = '\0';
	*ret = strtod(text, &end);
	return starts ? end > text : !*end;
}

static bool is_true_text(const struct parser *p, const struct token *t)
{
	static const char *const words[] = { "t", "tr", "tru", "true", "y", "ye", "yes", "on" };
	const struct token word = { TOKEN_WORD, t->s, t->len };
	double n;

	if (value_read_number(t, p->lexer.mysql, &n))
		return n != 0;
	return !p->lexer.mysql && sql_is_one_of(&word, words, ARRAY_SIZE(words));
}

unsigned int value_truth(const struct parser *p, const struct value *v)
{
	switch (v->kind) {
	case TRUTH:
		return v->truth;
	case TEXT:
		if (p->lexer.any_number)
			return ALWAYS | NEVER;
		return is_true_text(p, &v->text) ? ALWAYS : NEVER;
	case LINEAR:
		if (v->any_factor)
			return ALWAYS | NEVER | BY_ROW;
		if (v->factor != 0)
			return BY_ROW;
		return v->any_constant ? ALWAYS | NEVER : v->constant != 0 ? ALWAYS : NEVER;
	case IS_NOTHING:
	case UNKNOWN:
		break;
	}
	return BY_ROW;
}

struct value value_linear(const struct parser *p, const struct value *v, struct span s)
{
	double n;

	if (v->kind == TEXT)
		return !p->lexer.any_number && value_read_number(&v->text, false, &n)
			       ? value_number(n)
			       : any_constant;
	if (v->kind != TRUTH)
		return *v;
	if (v->truth == ALWAYS || v->truth == NEVER)
		return value_number(v->truth == ALWAYS);
	return v->truth == BY_ROW ? value_part(s) : v->truth & BY_ROW ? anything : any_constant;
}

bool value_may_be_constant(const struct value *v)
{
	return v->kind == TEXT || (v->kind == LINEAR && (v->factor == 0 || v->any_factor)) ||
	       (v->kind == TRUTH && v->truth & (ALWAYS | NEVER));
}

bool value_is_same(const struct parser *p, struct span a, struct span b)
{
	struct lexer x = p->lexer, y = p->lexer;
	struct token s, t;

	x.p = a.p, x.end = a.end;
	y.p = b.p, y.end = b.end;
	x.line_start = y.line_start = false;
	do {
		s = sql_next(&x);
		t = sql_next(&y);
		if (s.kind != t.kind || s.kind == TOKEN_END)
			break;
		if (p->lexer.any_number && (s.kind == TOKEN_NUMBER || s.kind == TOKEN_STRING))
			continue;
		if (s.len != t.len ||
		    (s.kind == TOKEN_WORD ? strncasecmp(s.s, t.s, s.len) : memcmp(s.s, t.s, s.len)))
			return false;
	} while (true);
	return s.kind == t.kind;
}

/* --- truth */

unsigned int truth_negate(unsigned int set)
{
	return (set & BY_ROW) | (set & ALWAYS ? NEVER : 0) | (set & NEVER ? ALWAYS : 0);
}

unsigned int truth_both(unsigned int a, unsigned int b)
{
	unsigned int ret = (a | b) & NEVER;

	ret |= a & b & ALWAYS;
	if ((a | b) & BY_ROW && a & (ALWAYS | BY_ROW) && b & (ALWAYS | BY_ROW))
		ret |= BY_ROW;
	return ret;
}

unsigned int truth_either(unsigned int a, unsigned int b)
{
	return truth_negate(truth_both(truth_negate(a), truth_negate(b)));
}

unsigned int value_compare_texts(const struct token *a, const struct token *b)
{
	int r = memcmp(a->s, b->s, MIN(a->len, b->len)) ?: (a->len > b->len) - (a->len < b->len);

	return r < 0 ? LESS : r > 0 ? GREATER : EQUAL;
}

/* --- keys */

bool value_is_key(const struct parser *p, struct span s)
{
	struct lexer l = p->lexer;
	struct token t, end;

	l.p = s.p;
	l.end = s.end;
	t = sql_next(&l);
	end = sql_next(&l);
	return (t.kind == TOKEN_WORD || t.kind == TOKEN_NAME) && end.kind == TOKEN_END &&
	       ((t.len == 2 && strncasecmp(t.s, "id", 2) == 0) ||
		(t.len == 5 && strncasecmp(t.s, "rowid", 5) == 0));
}

/* A key's least number is 1. */
static unsigned int compare_key(const struct parser *p, const struct value *key,
				const struct value *v, unsigned int orders)
{
	double n = v->constant - key->constant;
	unsigned int possible = n < 1 ? GREATER : EQUAL | GREATER;

	if (key->factor != 1 || key->any_factor || v->factor != 0 || !value_is_key(p, key->part))
		return BY_ROW;
	if (p->lexer.any_number)
		return BY_ROW | (orders & GREATER ? ALWAYS : NEVER);
	if (key->any_constant || v->any_constant || n > 1)
		return BY_ROW;
	if ((orders & possible) == possible)
		return ALWAYS;
	return orders & possible ? BY_ROW : NEVER;
}

static unsigned int turned(unsigned int orders)
{
	return (orders & EQUAL) | (orders & LESS ? GREATER : 0) | (orders & GREATER ? LESS : 0);
}

unsigned int value_compare(const struct parser *p, const struct side *a, const struct side *b,
			   unsigned int orders)
{
	struct value x = value_linear(p, &a->value, a->span),
		     y = value_linear(p, &b->value, b->span);
	bool any = p->lexer.any_number;
	double n;

	if (a->value.kind == TEXT && b->value.kind == TEXT && !any)
		return value_compare_texts(&a->value.text, &b->value.text) & orders ? ALWAYS
										    : NEVER;
	if (x.kind != LINEAR || y.kind != LINEAR)
		return BY_ROW;
	if (x.any_factor || y.any_factor)
		return ALWAYS | NEVER | BY_ROW;
	if (x.factor != 0 && y.factor == 0)
		return compare_key(p, &x, &y, orders);
	if (y.factor != 0 && x.factor == 0)
		return compare_key(p, &y, &x, turned(orders));
	if (x.factor != y.factor || (x.factor != 0 && !value_is_same(p, x.part, y.part)))
		return BY_ROW;
	/* of the same text with other numbers in it nobody knows */
	if (x.any_constant || y.any_constant || (any && x.factor != 0))
		return ALWAYS | NEVER | (x.factor != 0 ? BY_ROW : 0);
	n = x.constant - y.constant;
	return (n < 0 ? LESS : n > 0 ? GREATER : EQUAL) & orders ? ALWAYS : NEVER;
}
