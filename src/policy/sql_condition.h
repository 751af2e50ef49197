/* Does a condition hold for each row? Read token by token. */
#ifndef POLICY_SQL_CONDITION_H
#define POLICY_SQL_CONDITION_H

#include "policy/sql_lexer.h"

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

void condition_begin(struct condition *c);
void condition_take(struct condition *c, const struct token *t, const struct lexer *l);

/* The whole of it, a set of enum truth; ends it. */
unsigned int condition_truth(struct condition *c, bool any_number);

#endif
