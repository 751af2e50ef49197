/* Does what a command works with point at production? By the environment, by options, and by what
 * kubectl and terraform remember. */
#ifndef POLICY_PRODUCTION_H
#define POLICY_PRODUCTION_H

#include "policy/args.h"
#include "policy/context.h"

/* What is looked at. */
struct production {
	struct context *context; /* it is asked where only files can tell */
	const struct args *args;
	const char *home;
	const char *const *globs; /* the owner's, in any case; NULL behind the last */
	enum verdict verdict;	  /* of the match that asks */
};

/* Names that mean production: each with its value, "AWS_PROFILE=acme-prod, --context=live"; never
 * a secret. `words`: options of the command count too. What is not known points nowhere. */
bool production_points(const struct production *of, bool words, struct strbuf *ret);

/* Has the value a word that means production: prod, production, prd or live, and not behind non,
 * pre or not? */
bool production_is_named(const char *value, const char *const *globs);

#endif
