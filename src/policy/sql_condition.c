/* A parser of expressions, by recursive descent. Each is linear in one part that hangs on the row,
 * by itself a column or whatever is not computed: factor * part + constant. */
#include "policy/sql_condition.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"

#define NUMBER_MAX  32 /* bytes of a number */
#define NESTING_MAX 64 /* of parentheses and CASE: what is deeper may be anything */
#define TERMS_MAX   8  /* of an OR that are compared with each other */

enum order { LESS = 1, EQUAL = 2, GREATER = 4, IS_NULL = 8 };

struct span {
	const char *p, *end; /* p: NULL, there is none */
};

enum kind {
	LINEAR,
	TEXT,
	TRUTH,
	IS_NOTHING, /* NULL */
	UNKNOWN,    /* it may differ each time */
};

struct value {
	enum kind kind;
	struct span part; /* LINEAR: hangs on the row, unless the factor is 0 */
	double factor, constant;
	bool any_factor, any_constant; /* nobody knows these */
	struct token text;
	unsigned int truth;
	unsigned int orders; /* TRUTH: those of left and right for which it holds; 0: it is no
				comparison */
	struct span left, right;
};

struct parser {
	struct lexer lexer;
	struct token t;	   /* the next one; marks of an operator are joined */
	const char *begin; /* where it begins, with the blanks before it */
	unsigned int depth;
};

static const struct value unknown = { .kind = UNKNOWN };
static const struct value any_constant = { .kind = LINEAR, .any_constant = true };
static const struct value anything = { .kind = LINEAR, .any_factor = true };

static struct value take_or(struct parser *p);
static struct value take_operand(struct parser *p);

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

static void advance(struct parser *p)
{
	p->begin = p->lexer.p;
	p->t = sql_next(&p->lexer);
	join_operator(p);
}

static bool take_word(struct parser *p, const char *word)
{
	if (!sql_is_word(&p->t, word))
		return false;
	advance(p);
	return true;
}

static bool take_mark(struct parser *p, enum token_kind kind)
{
	if (p->t.kind != kind)
		return false;
	advance(p);
	return true;
}

static bool take_operator(struct parser *p, const char *op)
{
	if (!sql_is_operator(&p->t, op))
		return false;
	advance(p);
	return true;
}

static bool ends(const struct parser *p)
{
	return p->t.kind == TOKEN_END || p->t.kind == TOKEN_SEMICOLON;
}

/* One token, or all that is in parentheses. */
static void skip_one(struct parser *p)
{
	unsigned int depth = 0;

	do {
		depth += p->t.kind == TOKEN_OPEN;
		depth -= depth && p->t.kind == TOKEN_CLOSE;
		advance(p);
	} while (depth && !ends(p));
}

/* Behind the parenthesis that closes what is open here. */
static void skip_to_close(struct parser *p)
{
	while (!ends(p) && p->t.kind != TOKEN_CLOSE)
		skip_one(p);
	take_mark(p, TOKEN_CLOSE);
}

/* Do they say the same? */
static bool is_same(const struct parser *p, struct span a, struct span b)
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

/* What has been taken since `begin`. */
static struct span span_since(const struct parser *p, const char *begin)
{
	return (struct span) { begin, p->begin };
}

/* --- values */

static struct value number(double n)
{
	return (struct value) { .kind = LINEAR, .constant = n };
}

static struct value truth(unsigned int set)
{
	return (struct value) { .kind = TRUTH, .truth = set };
}

static struct value part(struct span s)
{
	return (struct value) { .kind = LINEAR, .part = s, .factor = 1 };
}

/* To MySQL a number may stand before other text. */
static bool read_number(const struct token *t, bool starts, double *ret)
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

	if (read_number(t, p->lexer.mysql, &n))
		return n != 0;
	return !p->lexer.mysql && sql_is_one_of(&word, words, ARRAY_SIZE(words));
}

static unsigned int truth_of(const struct parser *p, const struct value *v)
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

/* As a number; `s` is its text. */
static struct value linear_of(const struct parser *p, const struct value *v, struct span s)
{
	double n;

	if (v->kind == TEXT)
		return !p->lexer.any_number && read_number(&v->text, false, &n) ? number(n)
										: any_constant;
	if (v->kind != TRUTH)
		return *v;
	if (v->truth == ALWAYS || v->truth == NEVER)
		return number(v->truth == ALWAYS);
	return v->truth == BY_ROW ? part(s) : v->truth & BY_ROW ? anything : any_constant;
}

static bool may_be_constant(const struct value *v)
{
	return v->kind == TEXT || (v->kind == LINEAR && (v->factor == 0 || v->any_factor)) ||
	       (v->kind == TRUTH && v->truth & (ALWAYS | NEVER));
}

/* --- truth */

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

static struct value not(struct value v, const struct parser *p)
{
	unsigned int all = LESS | EQUAL | GREATER | (v.right.p ? 0 : IS_NULL);

	v.truth = negate(truth_of(p, &v));
	v.kind = TRUTH;
	v.orders = v.orders ? v.orders ^ all : 0;
	return v;
}

/* One side of a comparison. */
struct side {
	struct value value;
	struct span span;
};

static unsigned int compare_texts(const struct token *a, const struct token *b)
{
	int r = memcmp(a->s, b->s, MIN(a->len, b->len)) ?: (a->len > b->len) - (a->len < b->len);

	return r < 0 ? LESS : r > 0 ? GREATER : EQUAL;
}

/* What may hold where the orders `orders` do. */
static unsigned int compare(const struct parser *p, const struct side *a, const struct side *b,
			    unsigned int orders)
{
	struct value x = linear_of(p, &a->value, a->span), y = linear_of(p, &b->value, b->span);
	bool any = p->lexer.any_number;
	double n;

	if (a->value.kind == TEXT && b->value.kind == TEXT && !any)
		return compare_texts(&a->value.text, &b->value.text) & orders ? ALWAYS : NEVER;
	if (x.kind != LINEAR || y.kind != LINEAR)
		return BY_ROW;
	if (x.any_factor || y.any_factor)
		return ALWAYS | NEVER | BY_ROW;
	if (x.factor != y.factor || (x.factor != 0 && !is_same(p, x.part, y.part)))
		return BY_ROW;
	/* of the same text with other numbers in it nobody knows */
	if (x.any_constant || y.any_constant || (any && x.factor != 0))
		return ALWAYS | NEVER | (x.factor != 0 ? BY_ROW : 0);
	n = x.constant - y.constant;
	return (n < 0 ? LESS : n > 0 ? GREATER : EQUAL) & orders ? ALWAYS : NEVER;
}

static struct value compared(const struct parser *p, const struct side *a, const struct side *b,
			     unsigned int orders)
{
	struct value v = truth(compare(p, a, b, orders));

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

static bool begins_query(const struct token *t)
{
	static const char *const verbs[] = { "select", "with", "values", "table" };

	return sql_is_one_of(t, verbs, ARRAY_SIZE(verbs));
}

/* Behind the opening parenthesis: arguments, or one expression, or a query. `ret_constant`: all
 * of them are. False: they are not understood. */
static bool take_list(struct parser *p, struct value *ret_first, unsigned int *ret_count,
		      bool *ret_constant)
{
	bool whole = !begins_query(&p->t);

	*ret_count = 0;
	*ret_constant = true;
	for (bool more = whole && p->t.kind != TOKEN_CLOSE; more; more = take_operator(p, ",")) {
		struct value v = take_or(p);

		if (!(*ret_count)++)
			*ret_first = v;
		whole &= v.kind != UNKNOWN;
		*ret_constant &= may_be_constant(&v) || v.kind == IS_NOTHING;
	}
	whole &= p->t.kind == TOKEN_CLOSE;
	skip_to_close(p);
	return whole;
}

/* COALESCE, IF and the like: the first that decides. */
static struct value take_coalesce(struct parser *p)
{
	struct value ret = { .kind = IS_NOTHING };
	bool decided = false;

	do {
		struct value v = take_or(p);

		if (!decided)
			ret = v;
		decided |= v.kind != IS_NOTHING;
	} while (take_operator(p, ","));
	/* a column may be NULL */
	if (ret.kind == LINEAR && ret.factor != 0)
		ret = unknown;
	skip_to_close(p);
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
		return compare_texts(&a->text, &b->text) == EQUAL;
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
	struct value condition = take_or(p);
	unsigned int set = truth_of(p, &condition);

	if (take_operator(p, ","))
		choose(&c, set, take_or(p));
	if (take_operator(p, ","))
		choose(&c, negate(set), take_or(p));
	skip_to_close(p);
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
		of.value = take_or(p);
	of.span = span_since(p, begin);
	while (take_word(p, "when")) {
		struct side when = { .span.p = p->begin };
		unsigned int set;

		when.value = take_or(p);
		when.span = span_since(p, when.span.p);
		set = simple ? compare(p, &of, &when, EQUAL) : truth_of(p, &when.value);
		if (take_word(p, "then"))
			choose(&c, set, take_or(p));
	}
	choose(&c, ALWAYS,
	       take_word(p, "else") ? take_or(p) : (struct value) { .kind = IS_NOTHING });
	return take_word(p, "end") ? c.value : unknown;
}

/* Behind CAST and its parenthesis: what is cast is what counts. */
static struct value take_cast(struct parser *p)
{
	struct value v = take_or(p);

	skip_to_close(p);
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
	return constant ? any_constant : part(span_since(p, begin));
}

static struct value take_parens(struct parser *p, const char *begin)
{
	struct value first = unknown;
	unsigned int count;
	bool constant, whole = take_list(p, &first, &count, &constant);

	if (!whole)
		return unknown;
	return count == 1 ? first : part(span_since(p, begin));
}

/* Perhaps with a fraction. */
static struct value take_number(struct parser *p)
{
	struct token t = p->t;
	double n;

	advance(p);
	while (p->t.s == t.s + t.len &&
	       (sql_is_operator(&p->t, ".") || p->t.kind == TOKEN_NUMBER)) {
		t.len += p->t.len;
		advance(p);
	}
	return !p->lexer.any_number && read_number(&t, false, &n) ? number(n) : any_constant;
}

static struct value take_text(struct parser *p)
{
	struct value v = { .kind = TEXT, .text = p->t };

	advance(p);
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

	advance(p);
	while (take_operator(p, ".")) {
		name = p->t;
		if (is_name(&p->t) || sql_is_operator(&p->t, "*"))
			advance(p);
	}
	if (name.kind == TOKEN_WORD && p->t.kind == TOKEN_STRING)
		return take_text(p);
	if (take_mark(p, TOKEN_OPEN))
		return take_call(p, &name, begin);
	return part(span_since(p, begin));
}

static struct value take_nested(struct parser *p)
{
	const char *begin = p->begin;
	struct value v;

	if (++p->depth > NESTING_MAX) {
		skip_one(p);
		v = anything;
	} else if (take_word(p, "case")) {
		v = take_case(p);
	} else if (take_mark(p, TOKEN_OPEN)) {
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
	if (take_word(p, "null"))
		return (struct value) { .kind = IS_NOTHING };
	if (take_word(p, "true"))
		return truth(ALWAYS);
	if (take_word(p, "false"))
		return truth(NEVER);
	if (is_name(&p->t) || p->t.kind == TOKEN_OPEN)
		return take_nested(p);
	if (p->t.kind == TOKEN_OTHER) /* ?, :name, @name */
		advance(p);
	if (is_name(&p->t) && p->t.s == p->begin)
		advance(p);
	return unknown;
}

/* --- operators */

static void skip_type(struct parser *p)
{
	static const char *const words[] = { "precision", "varying" };

	do {
		advance(p);
	} while (take_operator(p, "."));
	if (sql_is_one_of(&p->t, words, ARRAY_SIZE(words)))
		advance(p);
	while (p->t.kind == TOKEN_OPEN || sql_is_operator(&p->t, "[") ||
	       sql_is_operator(&p->t, "]"))
		skip_one(p);
}

static struct value take_postfix(struct parser *p)
{
	struct value v = take_primary(p);

	for (;;) {
		if (take_operator(p, "::"))
			skip_type(p);
		else if (take_word(p, "collate"))
			advance(p);
		else
			return v;
	}
}

static struct value take_unary(struct parser *p)
{
	bool minus = false, other = false, bang = false;
	const char *begin = p->begin;
	struct value v;

	for (;; advance(p)) {
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
		return may_be_constant(&v) ? any_constant : unknown;
	if (!minus)
		return v;
	v = linear_of(p, &v, span_since(p, begin));
	v.factor = -v.factor;
	v.constant = -v.constant;
	return v;
}

static struct value add(const struct parser *p, struct value a, struct value b, double sign,
			struct span whole)
{
	if (a.kind != LINEAR || b.kind != LINEAR)
		return unknown;
	if (a.factor != 0 && b.factor != 0 && !is_same(p, a.part, b.part))
		return a.any_factor || b.any_factor ? anything : part(whole);
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
		return part(whole);
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
	if (may_be_constant(&a) && may_be_constant(&b))
		return any_constant;
	return a.kind == UNKNOWN || b.kind == UNKNOWN ? unknown : part(whole);
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
		struct span left = span_since(p, begin), right;
		struct value next;

		if (!times && !divides(p))
			return v;
		advance(p);
		right.p = p->begin;
		next = take_unary(p);
		right.end = p->begin;
		v = times ? multiply(linear_of(p, &v, left), linear_of(p, &next, right),
				     span_since(p, begin))
			  : combine(v, next, span_since(p, begin));
	}
}

static struct value take_sum(struct parser *p)
{
	const char *begin = p->begin;
	struct value v = take_product(p);

	for (;;) {
		bool minus = sql_is_operator(&p->t, "-");
		struct span left = span_since(p, begin), right;
		struct value next;

		if (!minus && !sql_is_operator(&p->t, "+"))
			return v;
		advance(p);
		right.p = p->begin;
		next = take_product(p);
		right.end = p->begin;
		v = add(p, linear_of(p, &v, left), linear_of(p, &next, right), minus ? -1 : 1,
			span_since(p, begin));
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

		advance(p);
		next = take_sum(p);
		v = combine(v, next, span_since(p, begin));
	}
	return v;
}

static struct side take_side(struct parser *p)
{
	struct side s = { .span.p = p->begin };

	s.value = take_operand(p);
	s.span.end = p->begin;
	return s;
}

/* --- predicates */

static struct value take_between(struct parser *p, const struct side *of)
{
	struct side low, high;

	take_word(p, "symmetric");
	low = take_side(p);
	if (!take_word(p, "and"))
		return unknown;
	high = take_side(p);
	return truth(
		both(compare(p, of, &low, GREATER | EQUAL), compare(p, of, &high, LESS | EQUAL)));
}

static struct value take_in(struct parser *p, const struct side *of)
{
	unsigned int set = NEVER;

	if (!take_mark(p, TOKEN_OPEN) || begins_query(&p->t)) {
		skip_to_close(p);
		return unknown;
	}
	do {
		struct side one = take_side(p);

		set = either(set, compare(p, of, &one, EQUAL));
	} while (take_operator(p, ","));
	skip_to_close(p);
	return truth(set);
}

/* Nothing but signs that any text fits. */
static bool fits_all(const struct token *pattern)
{
	return pattern->len && memchr(pattern->s, '%', pattern->len) &&
	       strspn(pattern->s, "%_") >= pattern->len;
}

static struct value take_like(struct parser *p, const struct side *of)
{
	struct side pattern = take_side(p);
	struct value v = compared(p, of, &pattern, EQUAL);

	if (take_word(p, "escape"))
		take_side(p);
	if (pattern.value.kind == TEXT && fits_all(&pattern.value.text))
		v.truth = ALWAYS;
	else if (may_be_constant(&of->value) && may_be_constant(&pattern.value))
		v.truth = ALWAYS | NEVER;
	return v;
}

/* Behind IS. */
static struct value take_is(struct parser *p, const struct side *of)
{
	bool negated = take_word(p, "not");
	struct value v = of->value;

	if (take_word(p, "null")) {
		v = truth(v.kind == IS_NOTHING ? ALWAYS : may_be_constant(&v) ? NEVER : BY_ROW);
		v.orders = IS_NULL;
		v.left = of->span;
	} else if (take_word(p, "true")) {
		v = truth(truth_of(p, &v));
	} else if (take_word(p, "false")) {
		v = truth(negate(truth_of(p, &v)));
	} else if (take_word(p, "distinct") && take_word(p, "from")) {
		struct side other = take_side(p);

		v = compared(p, of, &other, LESS | GREATER);
	} else {
		return unknown;
	}
	return negated ? not(v, p) : v;
}

/* Does another one follow? `of` is what it is about. */
static bool take_test(struct parser *p, struct side *of)
{
	bool negated = take_word(p, "not");
	unsigned int orders = orders_of(&p->t);
	struct value v;

	if (orders) {
		struct side other;

		advance(p);
		other = take_side(p);
		v = compared(p, of, &other, orders);
	} else if (take_word(p, "between")) {
		v = take_between(p, of);
	} else if (take_word(p, "in")) {
		v = take_in(p, of);
	} else if (take_word(p, "like") || take_word(p, "ilike") || take_operator(p, "~~") ||
		   take_operator(p, "~~*")) {
		v = take_like(p, of);
	} else if (take_word(p, "is")) {
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

	return p->t.kind == TOKEN_CLOSE || ends(p) || sql_is_operator(&p->t, ",") ||
	       sql_is_one_of(&p->t, words, ARRAY_SIZE(words));
}

static struct value take_factor(struct parser *p)
{
	bool negated = false;
	struct side s;

	while (take_word(p, "not"))
		negated = !negated;
	s = take_side(p);
	while (take_test(p, &s))
		;
	/* what is not understood, to its end */
	for (; !is_conjunction(p) && !is_disjunction(p) && !is_behind(p); skip_one(p))
		s.value = unknown;
	return negated ? not(s.value, p) : s.value;
}

static struct value take_and(struct parser *p)
{
	struct value v = take_factor(p);

	while (is_conjunction(p)) {
		struct value next;

		advance(p);
		next = take_factor(p);
		v = truth(both(truth_of(p, &v), truth_of(p, &next)));
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

		if (!other->right.p != !v->right.p || !is_same(p, other->left, v->left) ||
		    (v->right.p && !is_same(p, other->right, v->right)))
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

static struct value take_or(struct parser *p)
{
	struct terms terms = { 0 };
	struct value v;
	unsigned int set;

	v = take_and(p);
	set = truth_of(p, &v);
	complement(p, &terms, &v);
	while (is_disjunction(p)) {
		advance(p);
		v = take_and(p);
		set = either(set, either(truth_of(p, &v), complement(p, &terms, &v)));
		v = truth(set);
	}
	return v;
}

unsigned int condition_truth(const struct lexer *at, const char **ret_end)
{
	struct parser p = { .lexer = *at };
	struct value v;

	advance(&p);
	v = take_or(&p);
	*ret_end = p.begin;
	return truth_of(&p, &v);
}
