/* Holds: frozen tasks that the keeper traces, from their seizure to their end. */
#ifndef GUARD_HOLD_H
#define GUARD_HOLD_H

#include "guard/internal.h"

void hold_seize(struct guard *g, struct exec *x, const struct decision *d); /* takes x */
/* It is decided now: what its decision says is done. It may be gone then. */
void hold_settle(struct hold *h);

/* hold_inquiry.c: its decision hangs on what is around it, which is asked while it is held. */
void hold_inquire(struct hold *h);
void hold_end_inquiries(struct guard *g); /* what was not answered is not known */

bool hold_has_slot(const struct guard *g, u32 slot, u32 ticket);
/* No guard has decided it yet: what is around it is being asked. */
bool hold_is_undecided(const struct guard *g, u32 slot, u32 ticket);

/* What the keeper says of one. Nothing happens where there is none. */
void hold_trapped(struct guard *g, u32 slot, u32 ticket);
void hold_gone(struct guard *g, u32 slot, u32 ticket);
/* What it held for the guard before this one. */
void hold_restore(struct guard *g, u32 slot, u32 ticket);

/* The guard stops: what is held is refused, and nothing of it has run. Returns how many were open.
 */
unsigned int hold_end_all(struct guard *g, const char *why);
/* The guard leaves them to the next. */
void hold_free_all(struct guard *g);

/* Ends an open hold: `by` and `because` may be NULL. */
void hold_decide(struct hold *h, enum hold_outcome outcome, enum ocsf_disposition disposition,
		 const char *by, const char *because);

/* wake.c */
/* A stop was seen: who stopped because of it goes on, now and for the next second. */
void wake_ancestors(struct guard *g, const struct exec *x);
void wake_end(struct guard *g);

/* A policy that was replaced is freed with the last hold that was decided on it. */
void hold_drop_policy(struct guard *g, struct policy *p);

#endif
