/* What the policy says of deletions -> the maps and constants of an object. */
#ifndef KERNEL_DELETE_MAPS_H
#define KERNEL_DELETE_MAPS_H

#include "backstop/event.h"

#include "backstop.skel.h"
#include "kernel/kernel.h"

/* How many actions may be in hand at a time: a multiple of the CPUs, as programs may be preempted.
 */
u32 maps_count_works(void);
/* Between open and load, when the tiers are chosen. 0 or a negative errno. */
int delete_maps_size(struct backstop_bpf *s, const struct tiers *tiers,
		     const struct kernel_tables *t);
/* After load. 0 or a negative errno. */
int delete_maps_fill(struct backstop_bpf *s, const struct kernel_tables *t);

#endif
