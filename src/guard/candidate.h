/* Candidates and their slots, see struct bs_slot. */
#ifndef GUARD_CANDIDATE_H
#define GUARD_CANDIDATE_H

#include "guard/internal.h"

/* ASKED -> `state`; false where the kernel was faster. */
bool slot_take(struct guard *g, u32 slot, u32 ticket, enum bs_slot_state state);
/* After a slot_take() that failed: takes the kernel's SIGSTOP back, so that the task goes on or
 * traps. Returns true where the stop was seen, as the task had come to it already. */
bool slot_unstop(struct guard *g, const struct exec *x);
/* -> FREE, where it is still that ticket's. */
void slot_free(struct guard *g, u32 slot, u32 ticket);
/* hold.c */
/* A stop was seen: who stopped because of it goes on, now and for the next second. */
void wake_ancestors(struct guard *g, const struct exec *x);
bool hold_has_slot(const struct guard *g, u32 slot, u32 ticket);

#endif
