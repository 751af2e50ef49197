/* The libraries that encrypt, as processes of sessions have them mapped: they are probed. */
#ifndef GUARD_LIBRARY_H
#define GUARD_LIBRARY_H

#include "guard/internal.h"

/* Looks at what the process has mapped now: its program and what is called as such a library is, or
 * `all` of it, which takes longer. True: some of it is probed. */
bool library_look(struct guard *g, u32 tgid, bool all);
/* At all processes of sessions: after a guard before this one. */
void library_look_all(struct guard *g);
void library_forget_all(struct guard *g);

#endif
