/* What the guard counts of its own life, for `status`. */
#ifndef GUARD_FIGURES_H
#define GUARD_FIGURES_H

#include "base/json.h"
#include "guard/internal.h"

/* Once an action: its first verdict. What nobody knows the outcome of is not counted. */
void figures_action(struct guard *g, const struct exec *x, enum ocsf_disposition disposition,
		    enum verdict verdict);
/* The guard's answer took it `ns` from the freeze on; a hold that is open goes on being frozen. */
void figures_decided(struct guard *g, enum ocsf_disposition disposition, u64 ns);
/* A signature's match; `h` is NULL where there is no hold. */
void figures_finding(struct guard *g, const struct decision *d, const struct hold *h,
		     enum ocsf_disposition disposition, u64 ns);

void figures_describe(const struct guard *g, struct json *j);

#endif
