/* What one decision may cost. An agent must not be able to keep the guard busy, so an action that
 * takes longer to be judged than this is judged no further, and held for it. */
#ifndef POLICY_WORK_H
#define POLICY_WORK_H

#include "backstop/types.h"
#include "base/util.h"

#define WORK_MAX_NS (100 * 1000 * 1000ULL) /* of the thread's processor time */

/* It starts zeroed. */
struct work {
	u64 units; /* of work, since the clock was looked at */
	u64 begin; /* processor time; 0: nobody has looked yet */
	bool over;
};

/* Counts what is about to be done: a unit is some nanoseconds. True once there was too much. */
bool work_do(struct work *w, u64 units);

#endif
