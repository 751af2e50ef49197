/* Does a condition hold for each row? */
#ifndef POLICY_SQL_CONDITION_H
#define POLICY_SQL_CONDITION_H

#include "policy/sql_lexer.h"

/* What a condition is for the rows of a table. Of one that is not known it is a set. */
enum truth {
	ALWAYS = 1,
	NEVER = 2,
	BY_ROW = 4,
};

/* Of the condition that is next, a set of enum truth. A column equals itself: its NULLs do not
 * count. What is the same for all rows but not computed here may be either. `ret_end`: where it
 * ends. */
unsigned int condition_truth(const struct lexer *at, const char **ret_end);

#endif
