/* What the event of a write has no room for, or what the kernel did not find in memory, is read
 * from its process, which waits: by a child, for a file that is mapped there may never come. */
#ifndef GUARD_FETCH_H
#define GUARD_FETCH_H

#include "guard/internal.h"

/* True: something of the write is read, and send_fetched() is called with the event then. */
bool fetch_start(struct guard *g, const struct bs_send_event *e);
bool fetch_has_slot(const struct guard *g, u32 slot, u32 ticket);
/* The session ends; 0: all do. */
void fetch_forget(struct guard *g, u64 session);

#endif
