/* Candidates wait for guard and keeper: both come before all ordinary work, on one CPU, and nothing
 * of them is paged out. */
#ifndef GUARD_URGENT_H
#define GUARD_URGENT_H

#include <sys/types.h>

/* SCHED_FIFO with `priority` (1: lowest), which children do not inherit. 0 or a negative errno. */
int urgent_schedule(int priority);
/* Binds a process (0: this one) to a CPU, or (-1) to none. 0 or a negative errno. */
int urgent_bind(pid_t pid, int cpu);
/* What is used stays in memory. 0 or a negative errno. */
int urgent_lock(void);

#endif
