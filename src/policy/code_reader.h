/* What is known of the names in code: code_names.c reads where they get their values,
 * code_values.c what an expression may be, code_calls.c tells the calls. */
#ifndef POLICY_CODE_READER_H
#define POLICY_CODE_READER_H

#include "policy/code.h"

#define CODE_MAX_VARIABLES 256 /* with more, what is called is doubtful */
#define CODE_MAX_ALIASES   128
#define CODE_MAX_DEPTH	   6	   /* of expressions that are looked into */
#define CODE_MAX_STEPS	   2000	   /* of one call's: beyond, values are not known */
#define CODE_MAX_ALL_STEPS 1000000 /* beyond, what is called is doubtful */

struct code_reader {
	const struct code *code;
	struct {
		const char *name;
		u32 from, to; /* the expression */
	} variables[CODE_MAX_VARIABLES];
	struct {
		const char *name;
		char target[CODE_NAME_MAX];
	} aliases[CODE_MAX_ALIASES];
	u32 variables_count, aliases_count;
	u32 steps, all_steps;
};

bool code_is_mark(const struct code *c, u32 i, char mark);
bool code_is_name(const struct code *c, u32 i, const char *name);

/* Where the chain a.b(c).d that ends with the name at `i` begins. */
u32 code_chain_start(const struct code *c, u32 i);
/* Its dotted name, aliases resolved. */
void code_chain_name(const struct code_reader *r, u32 start, u32 end, char ret[CODE_NAME_MAX]);
/* The end of the expression at `from`: a comma, the end of its brackets or of the statement. */
u32 code_expression_end(const struct code *c, u32 from, u32 to);

void code_read_names(struct code_reader *r);

/* What the expression may be; its parts, if it is several, are told apart by commas. */
void code_evaluate(struct code_reader *r, u32 from, u32 to, u32 depth, struct code_values *ret);
/* key=value of named arguments and objects. */
void code_evaluate_named(struct code_reader *r, u32 from, u32 to, u32 depth,
			 struct code_values *ret);

#endif
