/* Expressions, as far as they are computed. */
#ifndef POLICY_SQL_EXPRESSION_H
#define POLICY_SQL_EXPRESSION_H

#include "policy/sql_condition.h"

enum order { LESS = 1, EQUAL = 2, GREATER = 4, IS_NULL = 8 };

struct span {
	const char *p, *end; /* p: NULL, there is none */
};

enum value_kind {
	LINEAR,
	TEXT,
	TRUTH,
	IS_NOTHING, /* NULL */
	UNKNOWN,    /* it may differ each time */
};

/* Each is linear in one part that hangs on the row, by itself a column or whatever is not computed:
 * factor * part + constant. */
struct value {
	enum value_kind kind;
	struct span part; /* LINEAR: hangs on the row, unless the factor is 0 */
	double factor, constant;
	bool any_factor, any_constant; /* nobody knows these */
	struct token text;
	unsigned int truth;
	unsigned int orders; /* TRUTH: those of left and right for which it holds; 0: it is no
				comparison */
	struct span left, right;
};

/* One side of a comparison. */
struct side {
	struct value value;
	struct span span;
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

/* --- values */

struct value value_number(double n);
struct value value_of_truth(unsigned int set);
struct value value_part(struct span s);
/* To MySQL a number may stand before other text: `starts`. */
bool value_read_number(const struct token *t, bool starts, double *ret);
unsigned int value_truth(const struct parser *p, const struct value *v);
/* As a number; `s` is its text. */
struct value value_linear(const struct parser *p, const struct value *v, struct span s);
bool value_may_be_constant(const struct value *v);
/* Do they say the same? */
bool value_is_same(const struct parser *p, struct span a, struct span b);
/* A column that numbers the rows, by its name: id, rowid. None is NULL. */
bool value_is_key(const struct parser *p, struct span s);
unsigned int value_compare_texts(const struct token *a, const struct token *b);
/* What may hold where the orders `orders` do. */
unsigned int value_compare(const struct parser *p, const struct side *a, const struct side *b,
			   unsigned int orders);

unsigned int truth_negate(unsigned int set);
unsigned int truth_both(unsigned int a, unsigned int b);
unsigned int truth_either(unsigned int a, unsigned int b);

/* --- tokens */

void expr_advance(struct parser *p);
/* True where that is next; then it is taken. */
bool expr_take_word(struct parser *p, const char *word);
bool expr_take_mark(struct parser *p, enum token_kind kind);
bool expr_take_operator(struct parser *p, const char *op);
bool expr_ends(const struct parser *p);
bool expr_begins_query(const struct token *t);
/* One token, or all that is in parentheses. */
void expr_skip_one(struct parser *p);
/* Behind the parenthesis that closes what is open here. */
void expr_skip_to_close(struct parser *p);
/* What has been taken since `begin`. */
struct span expr_span_since(const struct parser *p, const char *begin);

/* --- expressions */

/* One side of a comparison. */
struct side expr_take_side(struct parser *p);
/* A whole one, whose parts AND and OR may join. */
struct value expr_take(struct parser *p);

#endif
