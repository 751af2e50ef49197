/* Candidates and their slots, see struct bs_slot. */
#ifndef GUARD_CANDIDATE_H
#define GUARD_CANDIDATE_H

#include "guard/internal.h"

/* ASKED -> `state`; false where the kernel was faster. */
bool slot_take(struct guard *g, u32 slot, u32 ticket, enum bs_slot_state state);
/* -> FREE, where it is still that ticket's. */
void slot_free(struct guard *g, u32 slot, u32 ticket);
bool hold_has_slot(const struct guard *g, u32 slot, u32 ticket); /* hold.c */

#endif
