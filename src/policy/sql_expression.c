/* A parser of expressions, by recursive descent. */
#include "policy/sql_expression.h"

#include <string.h>

#include "base/util.h"

#define NESTING_MAX 64 /* of parentheses and CASE: what is deeper may be anything */

/* --- tokens */

static void join_operator(struct parser *p)
{
	static const char *const operators[] = { "<=>", "!~~*", "!~~", "~~*", "->>", "#>>", "!~*",
						 "<>",	"<=",	">=",  "!=",  "==",  "||",  "&&",
						 "::",	"->",	"<<",  ">>",  "~~",  "~*",  "!~",
						 "@>",	"<@",	"#>",  "#-",  ":=" };
	size_t left = (size_t)(p->lexer.end - p->t.s);

	for (size_t i = 0; p->t.kind == TOKEN_OTHER && i < ARRAY_SIZE(operators); i++) {
		size_t len = strlen(operators[i]);

		if (len > left || memcmp(p->t.s, operators[i], len) != 0)
			continue;
		p->t.len = len;
		p->lexer.p = p->t.s + len;
		return;
	}
}

void expr_advance(struct parser *p)
{
	p->begin = p->lexer.p;
	p->t = sql_next(&p->lexer);
	join_operator(p);
}

bool expr_take_word(struct parser *p, const char *word)
{
	if (!sql_is_word(&p->t, word))
		return false;
	expr_advance(p);
	return true;
}

bool expr_take_mark(struct parser *p, enum token_kind kind)
{
	if (p->t.kind != kind)
		return false;
	expr_advance(p);
	return true;
}

bool expr_take_operator(struct parser *p, const char *op)
{
	if (!sql_is_operator(&p->t, op))
		return false;
	expr_advance(p);
	return true;
}

bool expr_ends(const struct parser *p)
{
	return p->t.kind == TOKEN_END || p->t.kind == TOKEN_SEMICOLON;
}

void expr_skip_one(struct parser *p)
{
	unsigned int depth = 0;

	do {
		depth += p->t.kind == TOKEN_OPEN;
		depth -= depth && p->t.kind == TOKEN_CLOSE;
		expr_advance(p);
	} while (depth && !expr_ends(p));
}

void expr_skip_to_close(struct parser *p)
{
	while (!expr_ends(p) && p->t.kind != TOKEN_CLOSE)
		expr_skip_one(p);
	expr_take_mark(p, TOKEN_CLOSE);
}

struct span expr_span_since(const struct parser *p, const char *begin)
{
	return (struct span) { begin, p->begin };
}

/* --- primaries */

/* What comes of its arguments alone. */
static bool is_function(const struct token *t)
{
	static const char *const names[] = {
		"abs",	  "ascii",   "ceil",	  "ceiling", "char",  "char_length", "chr",
		"concat", "floor",   "greatest",  "hex",     "least", "left",	     "length",
		"lower",  "md5",     "mod",	  "nullif",  "pi",    "power",	     "repeat",
		"right",  "replace", "reverse",	  "round",   "sha1",  "sign",	     "sqrt",
		"strcmp", "substr",  "substring", "trim",    "trunc", "unhex",	     "upper",
	};

	return sql_is_one_of(t, names, ARRAY_SIZE(names));
}

bool expr_begins_query(const struct token *t)
{
	static const char *const verbs[] = { "select", "with", "values", "table" };

	return sql_is_one_of(t, verbs, ARRAY_SIZE(verbs));
}

/* Behind the opening parenthesis: arguments, or one expression, or a query. `ret_constant`: all
 * of them are. False: they are not understood. */
static bool take_list(struct parser *p, struct value *ret_first, unsigned int *ret_count,
		      bool *ret_constant)
{
	bool whole = !expr_begins_query(&p->t);

	*ret_count = 0;
	*ret_constant = true;
	for (bool more = whole && p->t.kind != TOKEN_CLOSE; more;
	     more = expr_take_operator(p, ",")) {
		struct value v = expr_take(p);

		if (!(*ret_count)++)
			*ret_first = v;
		whole &= v.kind != UNKNOWN;
		*ret_constant &= value_may_be_constant(&v) || v.kind == IS_NOTHING;
	}
	whole &= p->t.kind == TOKEN_CLOSE;
	expr_skip_to_close(p);
	return whole;
}

/* COALESCE, IF and the like: the first that decides. */
static struct value take_coalesce(struct parser *p)
{
	struct value ret = { .kind = IS_NOTHING };
	bool decided = false;

	do {
		struct value v = expr_take(p);

		if (!decided)
			ret = v;
		decided |= v.kind != IS_NOTHING;
	} while (expr_take_operator(p, ","));
	/* a column may be NULL */
	if (ret.kind == LINEAR && ret.factor != 0)
		ret = unknown;
	expr_skip_to_close(p);
	return ret;
}

/* What conditions decide between. */
struct choice {
	struct value value;
	bool begun, settled;
	bool uncertain; /* another of them may be it */
};

static bool is_same_constant(const struct value *a, const struct value *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == TRUTH)
		return a->truth == b->truth && (a->truth == ALWAYS || a->truth == NEVER);
	if (a->kind == TEXT)
		return value_compare_texts(&a->text, &b->text) == EQUAL;
	return a->kind == LINEAR && a->factor == 0 && b->factor == 0 && !a->any_factor &&
	       !b->any_factor && !a->any_constant && !b->any_constant && a->constant == b->constant;
}

/* Where its condition is `set`, it is v. */
static void choose(struct choice *c, unsigned int set, struct value v)
{
	if (c->settled || set == NEVER)
		return;
	if (!c->begun)
		c->value = v;
	else if (!is_same_constant(&c->value, &v))
		c->value = c->uncertain ? anything : unknown;
	c->begun = true;
	c->settled = set == ALWAYS;
	c->uncertain |= set & ALWAYS;
}

static struct value take_if(struct parser *p)
{
	struct choice c = { .value = unknown, .uncertain = p->lexer.any_number };
	struct value condition = expr_take(p);
	unsigned int set = value_truth(p, &condition);

	if (expr_take_operator(p, ","))
		choose(&c, set, expr_take(p));
	if (expr_take_operator(p, ","))
		choose(&c, truth_negate(set), expr_take(p));
	expr_skip_to_close(p);
	return c.value;
}

/* Behind CASE. */
static struct value take_case(struct parser *p)
{
	struct choice c = { .uncertain = p->lexer.any_number };
	bool simple = !sql_is_word(&p->t, "when");
	struct side of = { 0 };
	const char *begin = p->begin;

	if (simple)
		of.value = expr_take(p);
	of.span = expr_span_since(p, begin);
	while (expr_take_word(p, "when")) {
		struct side when = { .span.p = p->begin };
		unsigned int set;

		when.value = expr_take(p);
		when.span = expr_span_since(p, when.span.p);
		set = simple ? value_compare(p, &of, &when, EQUAL) : value_truth(p, &when.value);
		if (expr_take_word(p, "then"))
			choose(&c, set, expr_take(p));
	}
	choose(&c, ALWAYS,
	       expr_take_word(p, "else") ? expr_take(p) : (struct value) { .kind = IS_NOTHING });
	return expr_take_word(p, "end") ? c.value : unknown;
}

/* Behind CAST and its parenthesis: what is cast is what counts. */
static struct value take_cast(struct parser *p)
{
	struct value v = expr_take(p);

	expr_skip_to_close(p);
	return v;
}

/* Behind the name and its parenthesis. */
static struct value take_call(struct parser *p, const struct token *name, const char *begin)
{
	static const char *const casts[] = { "cast", "try_cast", "convert", "binary" };
	static const char *const choosers[] = { "coalesce", "ifnull", "nvl" };
	struct value first;
	unsigned int count;
	bool constant;

	if (sql_is_one_of(name, casts, ARRAY_SIZE(casts)))
		return take_cast(p);
	if (sql_is_one_of(name, choosers, ARRAY_SIZE(choosers)))
		return take_coalesce(p);
	if (sql_is_word(name, "if") || sql_is_word(name, "iif"))
		return take_if(p);
	if (!take_list(p, &first, &count, &constant) || !is_function(name))
		return unknown;
	return constant ? any_constant : value_part(expr_span_since(p, begin));
}

static struct value take_parens(struct parser *p, const char *begin)
{
	struct value first = unknown;
	unsigned int count;
	bool constant, whole = take_list(p, &first, &count, &constant);

	if (!whole)
		return unknown;
	return count == 1 ? first : value_part(expr_span_since(p, begin));
}

/* Perhaps with a fraction. */
static struct value take_number(struct parser *p)
{
	struct token t = p->t;
	double n;

	expr_advance(p);
	while (p->t.s == t.s + t.len &&
	       (sql_is_operator(&p->t, ".") || p->t.kind == TOKEN_NUMBER)) {
		t.len += p->t.len;
		expr_advance(p);
	}
	return !p->lexer.any_number && value_read_number(&t, false, &n) ? value_number(n)
									: any_constant;
}

static struct value take_text(struct parser *p)
{
	struct value v = { .kind = TEXT, .text = p->t };

	expr_advance(p);
	return v;
}

static bool is_name(const struct token *t)
{
	return t->kind == TOKEN_WORD || t->kind == TOKEN_NAME;
}

/* A column, a function, or a word before a string, as of N'…' and DATE '…'. */
static struct value take_name(struct parser *p)
{
	const char *begin = p->begin;
	struct token name = p->t;

	expr_advance(p);
	while (expr_take_operator(p, ".")) {
		name = p->t;
		if (is_name(&p->t) || sql_is_operator(&p->t, "*"))
			expr_advance(p);
	}
	if (name.kind == TOKEN_WORD && p->t.kind == TOKEN_STRING)
		return take_text(p);
	if (expr_take_mark(p, TOKEN_OPEN))
		return take_call(p, &name, begin);
	return value_part(expr_span_since(p, begin));
}

static struct value take_nested(struct parser *p)
{
	const char *begin = p->begin;
	struct value v;

	if (++p->depth > NESTING_MAX) {
		expr_skip_one(p);
		v = anything;
	} else if (expr_take_word(p, "case")) {
		v = take_case(p);
	} else if (expr_take_mark(p, TOKEN_OPEN)) {
		v = take_parens(p, begin);
	} else {
		v = take_name(p);
	}
	p->depth--;
	return v;
}

/* To MySQL a string. */
static bool is_text(const struct parser *p)
{
	return p->t.kind == TOKEN_STRING ||
	       (p->t.kind == TOKEN_NAME && p->lexer.dashes && p->t.s[-1] == '"');
}

static struct value take_primary(struct parser *p)
{
	if (is_text(p))
		return take_text(p);
	if (p->t.kind == TOKEN_NUMBER)
		return take_number(p);
	if (expr_take_word(p, "null"))
		return (struct value) { .kind = IS_NOTHING };
	if (expr_take_word(p, "true"))
		return value_of_truth(ALWAYS);
	if (expr_take_word(p, "false"))
		return value_of_truth(NEVER);
	if (is_name(&p->t) || p->t.kind == TOKEN_OPEN)
		return take_nested(p);
	if (p->t.kind == TOKEN_OTHER) /* ?, :name, @name */
		expr_advance(p);
	if (is_name(&p->t) && p->t.s == p->begin)
		expr_advance(p);
	return unknown;
}

/* --- operators */

static void skip_type(struct parser *p)
{
	static const char *const words[] = { "precision", "varying" };

	do {
		expr_advance(p);
	} while (expr_take_operator(p, "."));
	if (sql_is_one_of(&p->t, words, ARRAY_SIZE(words)))
		expr_advance(p);
	while (p->t.kind == TOKEN_OPEN || sql_is_operator(&p->t, "[") ||
	       sql_is_operator(&p->t, "]"))
		expr_skip_one(p);
}

static struct value take_postfix(struct parser *p)
{
	struct value v = take_primary(p);

	for (;;) {
		if (expr_take_operator(p, "::"))
			skip_type(p);
		else if (expr_take_word(p, "collate"))
			expr_advance(p);
		else
			return v;
	}
}

static struct value take_unary(struct parser *p)
{
	bool minus = false, other = false, bang = false;
	const char *begin = p->begin;
	struct value v;

	for (;; expr_advance(p)) {
		if (sql_is_operator(&p->t, "-"))
			minus = !minus;
		else if (sql_is_operator(&p->t, "!"))
			bang = true;
		else if (sql_is_operator(&p->t, "~"))
			other = true;
		else if (!sql_is_operator(&p->t, "+") && !sql_is_word(&p->t, "binary"))
			break;
	}
	v = take_postfix(p);
	if (bang || other)
		return value_may_be_constant(&v) ? any_constant : unknown;
	if (!minus)
		return v;
	v = value_linear(p, &v, expr_span_since(p, begin));
	v.factor = -v.factor;
	v.constant = -v.constant;
	return v;
}

static struct value add(const struct parser *p, struct value a, struct value b, double sign,
			struct span whole)
{
	if (a.kind != LINEAR || b.kind != LINEAR)
		return unknown;
	if (a.factor != 0 && b.factor != 0 && !value_is_same(p, a.part, b.part))
		return a.any_factor || b.any_factor ? anything : value_part(whole);
	a.part = a.factor != 0 ? a.part : b.part;
	a.factor += sign * b.factor;
	a.constant += sign * b.constant;
	a.any_factor |= b.any_factor;
	a.any_constant |= b.any_constant;
	return a;
}

static struct value multiply(struct value a, struct value b, struct span whole)
{
	struct value c = a.factor != 0 ? b : a, v = a.factor != 0 ? a : b;

	if (a.kind != LINEAR || b.kind != LINEAR)
		return unknown;
	if (a.any_factor || b.any_factor || (c.any_constant && v.factor != 0))
		return anything;
	if (c.factor != 0)
		return value_part(whole);
	v.factor *= c.constant;
	v.constant *= c.constant;
	v.any_constant |= c.any_constant;
	return v;
}

/* Of any other operator. */
static struct value combine(struct value a, struct value b, struct span whole)
{
	if (a.any_factor || b.any_factor)
		return anything;
	if (value_may_be_constant(&a) && value_may_be_constant(&b))
		return any_constant;
	return a.kind == UNKNOWN || b.kind == UNKNOWN ? unknown : value_part(whole);
}

static bool divides(const struct parser *p)
{
	return sql_is_operator(&p->t, "/") || sql_is_operator(&p->t, "%") ||
	       sql_is_word(&p->t, "div") || sql_is_word(&p->t, "mod");
}

static struct value take_product(struct parser *p)
{
	const char *begin = p->begin;
	struct value v = take_unary(p);

	for (;;) {
		bool times = sql_is_operator(&p->t, "*");
		struct span left = expr_span_since(p, begin), right;
		struct value next;

		if (!times && !divides(p))
			return v;
		expr_advance(p);
		right.p = p->begin;
		next = take_unary(p);
		right.end = p->begin;
		v = times ? multiply(value_linear(p, &v, left), value_linear(p, &next, right),
				     expr_span_since(p, begin))
			  : combine(v, next, expr_span_since(p, begin));
	}
}

static struct value take_sum(struct parser *p)
{
	const char *begin = p->begin;
	struct value v = take_product(p);

	for (;;) {
		bool minus = sql_is_operator(&p->t, "-");
		struct span left = expr_span_since(p, begin), right;
		struct value next;

		if (!minus && !sql_is_operator(&p->t, "+"))
			return v;
		expr_advance(p);
		right.p = p->begin;
		next = take_product(p);
		right.end = p->begin;
		v = add(p, value_linear(p, &v, left), value_linear(p, &next, right), minus ? -1 : 1,
			expr_span_since(p, begin));
	}
}

/* Those of bits, and of texts, where || does not join conditions. */
static bool is_other_operator(const struct parser *p)
{
	static const char *const operators[] = { "<<", ">>", "&", "|", "^", "#" };

	for (size_t i = 0; i < ARRAY_SIZE(operators); i++)
		if (sql_is_operator(&p->t, operators[i]))
			return true;
	return !p->lexer.mysql && sql_is_operator(&p->t, "||");
}

static struct value take_operand(struct parser *p)
{
	const char *begin = p->begin;
	struct value v = take_sum(p);

	while (is_other_operator(p)) {
		struct value next;

		expr_advance(p);
		next = take_sum(p);
		v = combine(v, next, expr_span_since(p, begin));
	}
	return v;
}

struct side expr_take_side(struct parser *p)
{
	struct side s = { .span.p = p->begin };

	s.value = take_operand(p);
	s.span.end = p->begin;
	return s;
}
