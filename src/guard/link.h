/* The guard's end of what ties it to its keeper, see keeper.h. */
#ifndef GUARD_LINK_H
#define GUARD_LINK_H

#include "guard/internal.h"
#include "guard/keeper.h"

int link_open(struct guard *g, int fd);
void link_close(struct guard *g);

/* Tells the keeper that the guard is ready, and takes over what it holds. 0 or a negative errno. */
int link_ready(struct guard *g);
/* New settings are in force. */
void link_reloaded(struct guard *g);

/* Has the keeper hold the task, and waits until it does: what KEEPER_KEPT says. */
int link_seize(struct guard *g, u32 tid, u32 slot, u32 ticket);
/* KEEPER_LET_GO, KEEPER_REFUSE */
void link_tell(struct guard *g, enum keeper_op op, u32 slot, u32 ticket);

int link_fd(const struct guard *g);
/* What the keeper has said so far; waits at most that long for more. */
void link_pump(struct guard *g, int timeout_ms);
/* Takes what the keeper has said so far, so that it never finds the link full, and answers its
 * pings; what it says of holds is done when control is back in the loop, or in link_pump(). */
void link_defer(struct guard *g);

#endif
