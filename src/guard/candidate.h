/* What candidate.c and hold.c have from each other. */
#ifndef GUARD_CANDIDATE_H
#define GUARD_CANDIDATE_H

#include "guard/internal.h"

/* What a system call finds when it restarts. */
void candidate_answer(struct guard *g, const struct exec *x, enum bs_answer answer);
/* Lets a connect or a deletion that is not seized go on, or fail. False where the kernel has
 * refused it, as it could not wait. */
bool candidate_settle(struct guard *g, const struct exec *x, bool pass);
/* The action that has the slot; NULL where it is gone. */
struct exec *candidate_from_slot(struct guard *g, u32 slot, u32 ticket);

#endif
