/* Where nothing else keeps a held exec from running, the tripwire sees it run, and kills. */
#ifndef GUARD_TRIPWIRE_H
#define GUARD_TRIPWIRE_H

struct guard;

void tripwire_set(struct guard *g);
/* Takes it away, a little later: it may be wanted again. */
void tripwire_rest(struct guard *g);

/* Before the guard has a task stopped: from here on the security hooks look whether what runs is
 * held.
 */
void fence_raise(struct guard *g);
/* The kernel may have raised it, too. It is lowered a little later, unless something is held then.
 */
void fence_rest(struct guard *g);

#endif
