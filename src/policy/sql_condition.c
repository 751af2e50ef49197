#include "policy/sql_condition.h"

#include <string.h>

#include "base/util.h"
#include "policy/sql_expression.h"

#define TERMS_MAX 8 /* of an OR that are compared with each other */

static struct value not(struct value v, const struct parser *p)
{
	unsigned int all = LESS | EQUAL | GREATER | (v.right.p ? 0 : IS_NULL);

	v.truth = truth_negate(value_truth(p, &v));
	v.kind = TRUTH;
	v.orders = v.orders ? v.orders ^ all : 0;
	return v;
}

static struct value compared(const struct parser *p, const struct side *a, const struct side *b,
			     unsigned int orders)
{
	struct value v = value_of_truth(value_compare(p, a, b, orders));

	v.orders = orders;
	v.left = a->span;
	v.right = b->span;
	return v;
}

static unsigned int orders_of(const struct token *t)
{
	static const struct {
		const char *name;
		unsigned int orders;
	} operators[] = {
		{ "=", EQUAL },		  { "==", EQUAL },	    { "<=>", EQUAL },
		{ "<>", LESS | GREATER }, { "!=", LESS | GREATER }, { "<", LESS },
		{ "<=", LESS | EQUAL },	  { ">", GREATER },	    { ">=", GREATER | EQUAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(operators); i++)
		if (sql_is_operator(t, operators[i].name))
			return operators[i].orders;
	return 0;
}

/* --- predicates */

static struct value take_between(struct parser *p, const struct side *of)
{
	struct side low, high;

	expr_take_word(p, "symmetric");
	low = expr_take_side(p);
	if (!expr_take_word(p, "and"))
		return unknown;
	high = expr_take_side(p);
	return value_of_truth(truth_both(value_compare(p, of, &low, GREATER | EQUAL),
					 value_compare(p, of, &high, LESS | EQUAL)));
}

static struct value take_in(struct parser *p, const struct side *of)
{
	unsigned int set = NEVER;

	if (!expr_take_mark(p, TOKEN_OPEN) || expr_begins_query(&p->t)) {
		expr_skip_to_close(p);
		return unknown;
	}
	do {
		struct side one = expr_take_side(p);

		set = truth_either(set, value_compare(p, of, &one, EQUAL));
	} while (expr_take_operator(p, ","));
	expr_skip_to_close(p);
	return value_of_truth(set);
}

/* Nothing but signs that any text fits. */
static bool fits_all(const struct token *pattern)
{
	return pattern->len && memchr(pattern->s, '%', pattern->len) &&
	       strspn(pattern->s, "%_") >= pattern->len;
}

static struct value take_like(struct parser *p, const struct side *of)
{
	struct side pattern = expr_take_side(p);
	struct value v = compared(p, of, &pattern, EQUAL);

	if (expr_take_word(p, "escape"))
		expr_take_side(p);
	if (pattern.value.kind == TEXT && fits_all(&pattern.value.text))
		v.truth = ALWAYS;
	else if (value_may_be_constant(&of->value) && value_may_be_constant(&pattern.value))
		v.truth = ALWAYS | NEVER;
	return v;
}

/* Behind IS. */
static struct value take_is(struct parser *p, const struct side *of)
{
	bool negated = expr_take_word(p, "not");
	struct value v = of->value;

	if (expr_take_word(p, "null")) {
		bool never = value_may_be_constant(&v) || value_is_key(p, of->span);

		v = value_of_truth(v.kind == IS_NOTHING ? ALWAYS : never ? NEVER : BY_ROW);
		v.orders = IS_NULL;
		v.left = of->span;
	} else if (expr_take_word(p, "true")) {
		v = value_of_truth(value_truth(p, &v));
	} else if (expr_take_word(p, "false")) {
		v = value_of_truth(truth_negate(value_truth(p, &v)));
	} else if (expr_take_word(p, "distinct") && expr_take_word(p, "from")) {
		struct side other = expr_take_side(p);

		v = compared(p, of, &other, LESS | GREATER);
	} else {
		return unknown;
	}
	return negated ? not(v, p) : v;
}

/* Does another one follow? `of` is what it is about. */
static bool take_test(struct parser *p, struct side *of)
{
	bool negated = expr_take_word(p, "not");
	unsigned int orders = orders_of(&p->t);
	struct value v;

	if (orders) {
		struct side other;

		expr_advance(p);
		other = expr_take_side(p);
		v = compared(p, of, &other, orders);
	} else if (expr_take_word(p, "between")) {
		v = take_between(p, of);
	} else if (expr_take_word(p, "in")) {
		v = take_in(p, of);
	} else if (expr_take_word(p, "like") || expr_take_word(p, "ilike") ||
		   expr_take_operator(p, "~~") || expr_take_operator(p, "~~*")) {
		v = take_like(p, of);
	} else if (expr_take_word(p, "is")) {
		v = take_is(p, of);
	} else {
		return false;
	}
	of->value = negated ? not(v, p) : v;
	of->span.end = p->begin;
	return true;
}

static bool is_conjunction(const struct parser *p)
{
	return sql_is_word(&p->t, "and") || (p->lexer.mysql && sql_is_operator(&p->t, "&&"));
}

static bool is_disjunction(const struct parser *p)
{
	return sql_is_word(&p->t, "or") || (p->lexer.mysql && sql_is_operator(&p->t, "||"));
}

/* What may follow a condition. */
static bool is_behind(const struct parser *p)
{
	static const char *const words[] = { "returning", "order", "limit", "settings", "option",
					     "when",	  "then",  "else",  "end",	"as",
					     "from",	  "using", "for" };

	return p->t.kind == TOKEN_CLOSE || expr_ends(p) || sql_is_operator(&p->t, ",") ||
	       sql_is_verb(&p->lexer, &p->t) || sql_is_one_of(&p->t, words, ARRAY_SIZE(words));
}

static struct value take_factor(struct parser *p)
{
	bool negated = false;
	struct side s;

	while (expr_take_word(p, "not"))
		negated = !negated;
	s = expr_take_side(p);
	while (take_test(p, &s))
		;
	/* what is not understood, to its end */
	for (; !is_conjunction(p) && !is_disjunction(p) && !is_behind(p); expr_skip_one(p))
		s.value = unknown;
	return negated ? not(s.value, p) : s.value;
}

static struct value take_and(struct parser *p)
{
	struct value v = take_factor(p);

	while (is_conjunction(p)) {
		struct value next;

		expr_advance(p);
		next = take_factor(p);
		v = value_of_truth(truth_both(value_truth(p, &v), value_truth(p, &next)));
	}
	return v;
}

/* Of the terms before it one may say what the next does not: id IS NULL OR id IS NOT NULL. */
struct terms {
	struct value all[TERMS_MAX];
	unsigned int count;
};

static unsigned int complement(const struct parser *p, struct terms *t, const struct value *v)
{
	for (unsigned int i = 0; v->orders && i < t->count; i++) {
		struct value *other = &t->all[i];

		if (!other->right.p != !v->right.p || !value_is_same(p, other->left, v->left) ||
		    (v->right.p && !value_is_same(p, other->right, v->right)))
			continue;
		other->orders |= v->orders;
		if (other->orders < (v->right.p ? IS_NULL - 1 : 2 * IS_NULL - 1))
			return NEVER;
		return p->lexer.any_number ? ALWAYS | NEVER : ALWAYS;
	}
	if (v->orders && t->count < TERMS_MAX)
		t->all[t->count++] = *v;
	return NEVER;
}

struct value expr_take(struct parser *p)
{
	struct terms terms = { 0 };
	struct value v;
	unsigned int set;

	v = take_and(p);
	set = value_truth(p, &v);
	complement(p, &terms, &v);
	while (is_disjunction(p)) {
		expr_advance(p);
		v = take_and(p);
		set = truth_either(set,
				   truth_either(value_truth(p, &v), complement(p, &terms, &v)));
		v = value_of_truth(set);
	}
	return v;
}

unsigned int condition_truth(const struct lexer *at, const char **ret_end)
{
	struct parser p = { .lexer = *at };
	struct value v;

	expr_advance(&p);
	v = expr_take(&p);
	*ret_end = p.begin;
	return value_truth(&p, &v);
}
