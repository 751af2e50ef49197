/* The guard's own protection from its sessions: what it has of files, and what they tried. */
#ifndef GUARD_PROTECT_H
#define GUARD_PROTECT_H

#include "guard/internal.h"

/* Tells the kernel which files no session may harm: at the start, after a reload, and by itself
 * when one of them is replaced. */
void protect_fill(struct guard *g);
void protect_end(struct guard *g);

/* A session was refused something. */
void protect_event(struct guard *g, const struct bs_tamper_event *e);

#endif
