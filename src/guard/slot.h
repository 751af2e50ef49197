/* A candidate's slot, see struct bs_slot: the steps that guard and keeper take. */
#ifndef GUARD_SLOT_H
#define GUARD_SLOT_H

#include <stdbool.h>

#include "backstop/event.h"

/* FREE where the slot is not that ticket's any more. */
enum bs_slot_state slot_state(const struct bs_slot *s, u32 ticket);
/* By its word: is a task about to be stopped there, or waits for an answer that spares it that? */
bool slot_is_open(u32 word);
/* Does its system call restart after the decision? Else the task is stopped where it is: nothing of
 * it must run before. */
bool slot_restarts(enum bs_slot_kind kind);
/* ASKED -> `state`; false where the kernel was faster. */
bool slot_take(struct bs_slot *s, u32 ticket, enum bs_slot_state state);
/* After a slot_take() that failed: takes the kernel's SIGSTOP back, so that the task goes on or
 * traps. Returns true where the stop was seen, as the task had come to it already. */
bool slot_unstop(const struct bs_slot *s, u32 ticket);
/* The same, and -> FREE. */
bool slot_let_go(struct bs_slot *s, u32 ticket);
/* STOPPED -> SEIZED */
void slot_keep(struct bs_slot *s, u32 ticket);
/* -> FREE, where it is still that ticket's. */
void slot_free(struct bs_slot *s, u32 ticket);

#endif
