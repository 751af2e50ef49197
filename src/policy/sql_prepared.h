/* What MySQL and MariaDB prepare from: is its text known? */
#ifndef POLICY_SQL_PREPARED_H
#define POLICY_SQL_PREPARED_H

#include "base/strbuf.h"
#include "policy/sql_lexer.h"

#define PREPARED_VARIABLES 8 /* that are remembered */

struct sql_variable {
	struct token name;
	bool known; /* its text, or what that begins with */
};

/* Of one statement after the other. */
struct prepared {
	struct strbuf text;   /* this one's strings, one behind the other */
	bool verb;	      /* one of them begins as a statement does */
	bool decoded;	      /* some may be made of other bytes */
	bool runs;	      /* PREPARE … FROM, EXECUTE IMMEDIATE */
	struct token operand; /* a variable by itself */
	struct sql_variable variables[PREPARED_VARIABLES];
	unsigned int known, count; /* the last ones are assigned by this statement */
};

/* A token of the statement; `behind`: what follows it. */
void prepared_take(struct prepared *p, const struct token *t, bool is_text,
		   const struct lexer *behind);

/* The statement has ended. True: it runs a text that nobody knows. */
bool prepared_end(struct prepared *p);

#endif
