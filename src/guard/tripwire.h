/* Where nothing else keeps a held exec from running, the tripwire sees it run, and kills. */
#ifndef GUARD_TRIPWIRE_H
#define GUARD_TRIPWIRE_H

struct guard;

void tripwire_set(struct guard *g);
/* Takes it away, a little later: it may be wanted again. */
void tripwire_rest(struct guard *g);

#endif
