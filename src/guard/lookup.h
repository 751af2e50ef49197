/* What the names that a held exec's decision hangs on are, found out by a child: see
 * policy/looks.h. */
#ifndef GUARD_LOOKUP_H
#define GUARD_LOOKUP_H

#include "guard/internal.h"

struct lookup;

/* Never waits. `fn` is called once, from the loop, when all is in the context of `x`; by then the
 * lookup is gone. 0 or a negative errno: then `fn` is not called. */
int lookup_start(struct guard *g, const struct exec *x, void (*fn)(void *data), void *data,
		 struct lookup **ret);
/* Waits that long at most, for what cannot be held. */
void lookup_wait(struct guard *g, const struct exec *x, int ms);
/* Nobody waits for it any more: `fn` is not called. It counts until its child has ended by itself.
 * NULL is fine. */
void lookup_leave(struct lookup *l);
void lookup_forget_all(struct guard *g);

#endif
