/* What tier.c and tier_probe.c share. */
#ifndef KERNEL_TIER_INTERNAL_H
#define KERNEL_TIER_INTERNAL_H

#include "kernel/probe_internal.h"
#include "kernel/tier.h"

/* The kernel's type of the function that each hook stands for; 0: there is none. */
struct tier_targets {
	u32 id[BS_TIERS][TIER_HOOKS_MAX];
	u32 task_from_pid, task_release; /* likewise: functions that programs may call */
	u32 sendpage;			 /* up to 6.4: it sends pages without a hook */
};
void tier_find_targets(struct tier_targets *ret);

/* Would a program that allows everything be loaded there? 0 or a negative errno. */
int tier_try_load(const struct tier_targets *targets, enum bs_tier tier, size_t hook);
/* May a program at a tracepoint of perf find a task by its number? From 6.12 on. */
bool tier_finds_tasks(const struct tier_targets *targets);
/* Attaching goes well in many kernels then, and has no effect. */
bool tier_trampolines_are_off(void);
/* Is this thread refused to send a signal, which would be none, to itself? */
bool tier_is_refused(void);
/* Attaches a program that refuses this thread, for a moment. 0, -ENODATA: nothing was refused, or
 * another negative errno. */
int tier_try(const struct tier_targets *targets, enum bs_tier tier);

#endif
