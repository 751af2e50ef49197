#include "policy/work.h"

#include <time.h>

#define UNITS_BETWEEN 16384 /* looks at the clock, so that most actions need none */

static u64 processor_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

bool work_do(struct work *w, u64 units)
{
	w->units += units;
	if (w->over || w->units < UNITS_BETWEEN)
		return w->over;
	w->units = 0;
	if (!w->begin)
		w->begin = processor_time();
	else
		w->over = processor_time() - w->begin > WORK_MAX_NS;
	return w->over;
}
