/* What the policy says of what is sent -> the maps and constants of an object. */
#ifndef KERNEL_SEND_MAPS_H
#define KERNEL_SEND_MAPS_H

#include "backstop/event.h"

#include "backstop.skel.h"
#include "kernel/kernel.h"

/* Between open and load. 0 or a negative errno. */
int send_maps_size(struct backstop_bpf *s, const struct tiers *tiers,
		   const struct kernel_tables *t);
/* Between that and load: what is asked about is known again by the programs that follow `old`. */
void send_maps_keep(struct backstop_bpf *s, const struct backstop_bpf *old);
/* After load. 0 or a negative errno. */
int send_maps_fill(struct backstop_bpf *s, const struct kernel_tables *t);

#endif
